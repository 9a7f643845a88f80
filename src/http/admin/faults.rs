//! `/admin/faults`: faults on purpose, for tests and game days.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, RefOr, Schema, Type};

use crate::flows::App;
use crate::http::body::{Bounded, Given, Member, Typed, Wrong, body, deserialized, out_of_range};
use crate::http::endpoint::{Endpoint, Json, Listed, Method, NoContent, Request};
use crate::http::problem::{Code, FieldError, Problem};
use crate::runtime::{ArmedFault, Fault, FaultError, Faults};

fn check_enabled(app: &App) -> Result<(), Problem> {
    if app.operations().faults().is_enabled() { Ok(()) } else { Err(disabled()) }
}

pub fn disabled() -> Problem {
    Problem::from(Code::FaultsDisabled).detail("The setting `faults.enabled` allows them.")
}

/// The longest delay, in milliseconds: an hour. Whatever hangs for longer is meant to hang.
const DELAY_MS_MAX: i64 = 3_600_000;
/// The largest number of a shard: there are not more shards than buckets.
const SHARDS_MAX: i64 = 1_024;
/// How often a fault may happen.
const TIMES_MAX: i64 = 1_000_000;
/// Ten years, in milliseconds.
const CLOCK_MS_MAX: i64 = 10 * 365 * 24 * 3_600_000;

/// A fault as it stands in a body.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct FaultKind(Fault);

impl Member for FaultKind {
    const IS_REQUIRED: bool = true;
    const CODES: &'static [Code] = &[Code::NumberOutOfRange];

    fn read(text: Option<&RawValue>, _given: &Given<'_>) -> Result<Self, Wrong> {
        match deserialized(text.ok_or(Code::FieldMissing)?)? {
            Fault::Delay(delay) if !(1..=DELAY_MS_MAX as u128).contains(&delay.as_millis()) => {
                Err(out_of_range("/delay", 1, DELAY_MS_MAX).into())
            }
            fault => Ok(Self(fault)),
        }
    }

    fn schema() -> RefOr<Schema> {
        let ms = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(DELAY_MS_MAX));
        let delay = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("delay", ms)
            .required("delay")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["panic", "hang", "drop"]));
        OneOfBuilder::new().item(name).item(delay).into()
    }
}

body! {
    /// Which actor, which fault, and how often; without a shard, every actor of the name.
    pub struct FaultOrder {
        actor "actor": Typed<String>,
        shard "shard": Option<Bounded<1, SHARDS_MAX>>,
        /// `panic`, `hang`, `drop`, or `{"delay": milliseconds}`.
        fault "fault": FaultKind,
        /// Once, if it is not given.
        times "times": Option<Bounded<1, TIMES_MAX>>,
    }
}

/// A fault that waits for an actor's next turns.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArmedFaultView {
    #[schema(value_type = String, example = "shard_writer")]
    actor: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<u32>,
    /// As it was ordered.
    #[schema(schema_with = FaultKind::schema)]
    fault: FaultKind,
    /// To how many turns it still happens.
    times: u32,
}

pub struct ListFaults;

impl Endpoint for ListFaults {
    const OPERATION: &'static str = "faults";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/faults";
    const ABOUT: &'static str = "The faults that wait for actors, actor by actor.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Faults")];
    const CODES: &'static [&'static [Code]] = &[&[Code::FaultsDisabled]];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Listed<ArmedFaultView>;

    fn check(app: &App) -> Result<(), Problem> {
        check_enabled(app)
    }

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let armed = request.app.operations().faults().armed().into_iter();
        let data = armed.map(|ArmedFault { actor, shard, fault, times }| ArmedFaultView {
            actor,
            shard,
            fault: FaultKind(fault),
            times,
        });
        Ok(Listed { data: data.collect() })
    }
}

/// How many actors have the fault now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Injected {
    actors: usize,
}

pub struct InjectFault;

impl Endpoint for InjectFault {
    const OPERATION: &'static str = "injectFault";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/admin/faults";
    const ABOUT: &'static str = "Injects a fault into actors.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "How many actors")];
    const CODES: &'static [&'static [Code]] = &[&[Code::FaultsDisabled, Code::NotFound]];

    type Path = ();
    type Query = ();
    type Body = FaultOrder;
    type Answer = Json<Injected>;

    fn check(app: &App) -> Result<(), Problem> {
        check_enabled(app)
    }

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (operator, call) = (request.operator.clone(), request.call());
        let FaultOrder { actor: Typed(actor), shard, fault: FaultKind(fault), times } = request.body;
        // Both are small.
        let (shard, times) = (shard.map(|shard| shard.0 as u32), times.map_or(1, |times| times.0 as u32));
        let operations = request.app.operations();
        let faults = operations.faults();
        if !faults.knows(&actor, shard) {
            return Err(no_such_actor(&faults, &actor));
        }
        // Before the fault, which the note's own way through a shard writer would use up.
        let detail = format!("{fault:?} {times} times on shard {shard:?}");
        operations.note("fault.inject", &actor, detail, &operator, &call).await;
        match faults.inject(&actor, shard, fault, times) {
            Ok(actors) => Ok(Json(Injected { actors })),
            Err(FaultError::Disabled) => Err(disabled()),
            Err(FaultError::NoSuchActor) => Err(no_such_actor(&faults, &actor)),
        }
    }
}

/// Says which actors there are, or of one that is there which shards.
fn no_such_actor(faults: &Faults, actor: &str) -> Problem {
    let targets = faults.targets();
    let shards: BTreeSet<_> = targets.iter().filter(|(name, _)| *name == actor).map(|(_, shard)| *shard).collect();
    let error = if shards.is_empty() {
        let names: BTreeSet<_> = targets.iter().map(|(name, _)| *name).collect();
        let names: Vec<_> = names.into_iter().collect();
        let detail = format!("There is no such actor. It is one of {}.", names.join(", "));
        FieldError { allowed: Some(names), ..FieldError::at("/actor".to_owned(), Code::NotFound).detail(detail) }
    } else {
        let shards: Vec<_> = shards.into_iter().flatten().map(|shard| shard.to_string()).collect();
        let detail = match shards.as_slice() {
            [] => "The actor is no shard's: leave the shard out.".to_owned(),
            shards => format!("There is no such actor of this shard. The shard is one of {}.", shards.join(", ")),
        };
        FieldError::at("/shard".to_owned(), Code::NotFound).detail(detail)
    };
    Problem::of_field(error)
}

pub struct ClearFaults;

impl Endpoint for ClearFaults {
    const OPERATION: &'static str = "clearFaults";
    const METHOD: Method = Method::Delete;
    const PATH: &'static str = "/admin/faults";
    const ABOUT: &'static str = "Disarms all faults.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::NO_CONTENT, "Done")];
    const CODES: &'static [&'static [Code]] = &[&[Code::FaultsDisabled]];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = NoContent;

    fn check(app: &App) -> Result<(), Problem> {
        check_enabled(app)
    }

    async fn handle(request: Request<'_, Self>) -> Result<NoContent, Problem> {
        let operations = request.app.operations();
        operations.faults().clear();
        let detail = "all disarmed".to_owned();
        operations.note("fault.clear", "all", detail, &request.operator, &request.call()).await;
        Ok(NoContent)
    }
}

body! {
    /// How much more than the machine's clock this process reads.
    pub struct ClockOrder {
        /// In milliseconds, at most ten years either way; 0 is the machine's own time.
        ahead_ms "aheadMs": Bounded<{ -CLOCK_MS_MAX }, CLOCK_MS_MAX>,
    }
}

pub struct JumpClock;

impl Endpoint for JumpClock {
    const OPERATION: &'static str = "jumpClock";
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/admin/faults/clock";
    const ABOUT: &'static str = "Sets this process's clock.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::NO_CONTENT, "Done")];
    const CODES: &'static [&'static [Code]] = &[&[Code::FaultsDisabled]];

    type Path = ();
    type Query = ();
    type Body = ClockOrder;
    type Answer = NoContent;

    fn check(app: &App) -> Result<(), Problem> {
        check_enabled(app)
    }

    async fn handle(request: Request<'_, Self>) -> Result<NoContent, Problem> {
        let Bounded(ahead_ms) = request.body.ahead_ms;
        request.app.clock.jump(ahead_ms);
        let (operator, call) = (request.operator.clone(), request.call());
        let detail = format!("{ahead_ms} ms ahead");
        request.app.operations().note("fault.clock", "clock", detail, &operator, &call).await;
        Ok(NoContent)
    }
}
