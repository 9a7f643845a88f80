//! `/admin`: for operators.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::body::{Typed, typed};
use super::payments::{read_body, shown};
use super::problem::{Code, Problem};
use super::request::{call, operator, refuse};
use crate::actors::breaker::{BreakerView, Forced};
use crate::flows::{App, JobView};
use crate::runtime::{Fault, FaultError};

#[utoipa::path(
    get,
    path = "/admin/actors",
    tag = "operations",
    operation_id = "actors",
    description = "The supervision tree as it is now.",
    responses((status = 200, description = "The tree", body = serde_json::Value)),
)]
pub async fn actors(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(app.operations().tree())
}

#[utoipa::path(
    get,
    path = "/admin/actors/dead-letters",
    tag = "operations",
    operation_id = "actorDeadLetters",
    description = "What killed actors lately.",
    responses((status = 200, description = "Dead letters, newest last", body = serde_json::Value)),
)]
pub async fn actor_dead_letters(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "data": app.operations().actor_dead_letters() }))
}

#[utoipa::path(
    get,
    path = "/admin/jobs",
    tag = "operations",
    operation_id = "jobs",
    description = "The background jobs of this process, for each shard: who does them, when they ran and run next, \
                   what they did and what went wrong.",
    responses((status = 200, description = "Jobs, by name and shard", body = Listed<JobView>)),
)]
pub async fn jobs(app: Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(Listed { data: app.operations().jobs() })
}

#[utoipa::path(
    get,
    path = "/admin/breakers",
    tag = "operations",
    operation_id = "breakers",
    description = "The breakers and their figures.",
    responses((status = 200, description = "Breakers", body = Listed<BreakerView>)),
)]
pub async fn breakers(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let found = app.operations().breakers().await.map_err(|error| Problem::from(&error));
    shown(&request, found.map(|data| Listed { data }))
}

/// A list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Listed<T> {
    pub(super) data: Vec<T>,
}

/// `{"state": "open"}`, `"closed"`, or null to give the breaker back to itself.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerOrder {
    state: Option<Forced>,
}

impl Typed for BreakerOrder {
    const MEMBERS: &'static [(&'static str, bool)] = &[("state", true)];
}

#[utoipa::path(
    put,
    path = "/admin/breakers/{name}",
    tag = "operations",
    operation_id = "forceBreaker",
    description = "Forces a breaker open or closed, or gives it back to itself.",
    params(("name" = String, Path, description = "psp or event_log", pattern = "^(psp|event_log)$")),
    request_body = BreakerOrder,
    responses((status = 200, description = "The breaker", body = BreakerView)),
)]
pub async fn force_breaker(request: HttpRequest, payload: Payload, app: Data<App>, name: Path<String>) -> HttpResponse {
    let forced = async {
        let bytes = read_body(&request, payload).await?;
        let order: BreakerOrder = typed(&bytes)?;
        let forced = app.operations().force_breaker(&name, order.state).await;
        let view = forced.map_err(|error| Problem::from(&error))?.map_err(|_| Problem::from(Code::NotFound))?;
        let detail = order.state.map_or("given back to itself".to_owned(), |state| format!("forced {state:?}"));
        app.operations().note("breaker.force", &name, detail, &operator(&request), &call(&request)).await;
        Ok(view)
    };
    shown(&request, forced.await)
}

/// Which actor, which fault, and how often; without a shard, every actor of the name.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultOrder {
    #[schema(example = "shard_writer")]
    actor: String,
    shard: Option<u32>,
    /// `panic`, `hang`, `drop`, or `{"delay": milliseconds}`.
    #[schema(value_type = serde_json::Value, example = "panic")]
    fault: Fault,
    #[serde(default = "once")]
    times: u32,
}

impl Typed for FaultOrder {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("actor", true), ("shard", false), ("fault", true), ("times", false)];
}

fn once() -> u32 {
    1
}

#[utoipa::path(
    post,
    path = "/admin/faults",
    tag = "operations",
    operation_id = "injectFault",
    description = "Injects a fault into actors.",
    request_body = FaultOrder,
    responses((status = 200, description = "How many actors", body = serde_json::Value)),
)]
pub async fn inject_fault(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let injected = async {
        let faults = app.operations().faults();
        if !faults.is_enabled() {
            return Err(Problem::from(Code::FaultsDisabled));
        }
        let bytes = read_body(&request, payload).await?;
        let order: FaultOrder = typed(&bytes)?;
        if !faults.knows(&order.actor, order.shard) {
            return Err(Code::NotFound.into());
        }
        // Before the fault, which the note's own way through a shard writer would use up.
        let detail = format!("{:?} {} times on shard {:?}", order.fault, order.times, order.shard);
        app.operations().note("fault.inject", &order.actor, detail, &operator(&request), &call(&request)).await;
        match faults.inject(&order.actor, order.shard, order.fault, order.times) {
            Ok(actors) => Ok(json!({ "actors": actors })),
            Err(FaultError::Disabled) => Err(Code::FaultsDisabled.into()),
            Err(FaultError::NoSuchActor) => Err(Code::NotFound.into()),
        }
    };
    shown(&request, injected.await)
}

#[utoipa::path(
    delete,
    path = "/admin/faults",
    tag = "operations",
    operation_id = "clearFaults",
    description = "Disarms all faults.",
    responses((status = 204, description = "Done")),
)]
pub async fn clear_faults(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let faults = app.operations().faults();
    if !faults.is_enabled() {
        return refuse(&request, &Code::FaultsDisabled.into());
    }
    faults.clear();
    HttpResponse::NoContent().finish()
}

/// How much more than the machine's clock this process reads.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClockOrder {
    /// In milliseconds, at most ten years either way; 0 is the machine's own time.
    #[schema(minimum = -315360000000i64, maximum = 315360000000i64)]
    ahead_ms: i64,
}

impl Typed for ClockOrder {
    const MEMBERS: &'static [(&'static str, bool)] = &[("aheadMs", true)];
}

const CLOCK_MS_MAX: i64 = 10 * 365 * 24 * 3_600_000;

#[utoipa::path(
    put,
    path = "/admin/faults/clock",
    tag = "operations",
    operation_id = "jumpClock",
    description = "Sets this process's clock.",
    request_body = ClockOrder,
    responses((status = 204, description = "Done")),
)]
pub async fn jump_clock(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let jumped = async {
        if !app.operations().faults().is_enabled() {
            return Err(Problem::from(Code::FaultsDisabled));
        }
        let bytes = read_body(&request, payload).await?;
        let order: ClockOrder = typed(&bytes)?;
        if order.ahead_ms.checked_abs().is_none_or(|ms| ms > CLOCK_MS_MAX) {
            return Err(Code::TimeInvalid.into());
        }
        app.clock.jump(order.ahead_ms);
        let detail = format!("{} ms ahead", order.ahead_ms);
        app.operations().note("fault.clock", "clock", detail, &operator(&request), &call(&request)).await;
        Ok(())
    };
    match jumped.await {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(problem) => refuse(&request, &problem),
    }
}
