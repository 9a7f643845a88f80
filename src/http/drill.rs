//! `/admin/breakers/event_log/exercise`: the breaker's exercise, begun and looked at.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::body::{Typed, is_merchant_id, typed};
use super::payments::{read_body, shown};
use super::problem::{Code, Problem};
use super::request::{call, operator, refuse};
use crate::flows::{App, DrillError, DrillView};

/// Whose payments the exercise makes: of one minor unit each, voided at the end.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExerciseOrder {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,32}$", example = "EXERCISE-1")]
    merchant_id: String,
}

impl Typed for ExerciseOrder {
    const MEMBERS: &'static [(&'static str, bool)] = &[("merchantId", true)];
}

#[utoipa::path(
    post,
    path = "/admin/breakers/event_log/exercise",
    tag = "operations",
    operation_id = "exerciseBreaker",
    description = "Begins the nine steps of the breaker's exercise: the event log is made unreachable, by the \
        configured command or by fault injection, while payments go on.",
    request_body = ExerciseOrder,
    responses((status = 202, description = "It has begun; GET shows its steps", body = DrillView)),
)]
pub async fn begin(request: HttpRequest, payload: Payload, app: Data<App>) -> HttpResponse {
    let begun = async {
        let bytes = read_body(&request, payload).await?;
        let order: ExerciseOrder = typed(&bytes)?;
        if !is_merchant_id(&order.merchant_id) {
            return Err(Problem::from(Code::MerchantIdInvalid));
        }
        let merchant = order.merchant_id.clone();
        let view = app.begin_exercise(order.merchant_id).map_err(|error| match error {
            DrillError::FaultsDisabled => Code::FaultsDisabled,
            DrillError::UnderWay => Code::ExerciseUnderWay,
        })?;
        let detail = format!("with payments of {merchant}");
        app.operations().note("breaker.exercise", "event_log", detail, &operator(&request), &call(&request)).await;
        Ok(view)
    };
    match begun.await {
        Ok(view) => HttpResponse::Accepted().json(view),
        Err(problem) => refuse(&request, &problem),
    }
}

#[utoipa::path(
    get,
    path = "/admin/breakers/event_log/exercise",
    tag = "operations",
    operation_id = "breakerExercise",
    description = "The exercise under way, or the last one of this process.",
    responses((status = 200, description = "Its steps", body = DrillView)),
)]
pub async fn last(request: HttpRequest, app: Data<App>) -> HttpResponse {
    shown(&request, app.operations().last_exercise().ok_or_else(|| Problem::from(Code::NotFound)))
}
