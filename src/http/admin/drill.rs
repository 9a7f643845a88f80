//! `/admin/breakers/event_log/exercise`: the breaker's exercise, begun and looked at.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use super::faults::disabled;
use crate::flows::{DrillError, DrillView};
use crate::http::body::{MerchantId, body};
use crate::http::endpoint::{Answer, Content, Endpoint, Json, Method, Request};
use crate::http::problem::{Code, Problem};

const PATH: &str = "/admin/breakers/event_log/exercise";

body! {
    /// Whose payments the exercise makes: of one minor unit each, voided at the end.
    pub struct ExerciseOrder {
        merchant_id "merchantId": MerchantId,
    }
}

/// 202 with the exercise as it begins.
pub struct Begun(DrillView);

impl Answer for Begun {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::Accepted().json(self.0)
    }

    fn content() -> Option<Content> {
        Some(Content::json::<DrillView>())
    }
}

pub struct BeginDrill;

impl Endpoint for BeginDrill {
    const OPERATION: &'static str = "exerciseBreaker";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = PATH;
    const ABOUT: &'static str = "Begins the nine steps of the breaker's exercise: the event log is made unreachable, \
                                 by the configured command or by fault injection, while payments go on.";
    const ANSWERS: &'static [(StatusCode, &'static str)] =
        &[(StatusCode::ACCEPTED, "It has begun; GET shows its steps")];
    const CODES: &'static [&'static [Code]] = &[&[Code::FaultsDisabled, Code::ExerciseUnderWay]];

    type Path = ();
    type Query = ();
    type Body = ExerciseOrder;
    type Answer = Begun;

    async fn handle(request: Request<'_, Self>) -> Result<Begun, Problem> {
        let merchant_id = request.body.merchant_id.0.clone();
        let detail = format!("with payments of {merchant_id}");
        let view = request.app.begin_exercise(merchant_id).map_err(|error| match error {
            DrillError::FaultsDisabled => disabled(),
            DrillError::UnderWay => Code::ExerciseUnderWay.into(),
        })?;
        let (operator, call) = (request.operator.clone(), request.call());
        request.app.operations().note("breaker.exercise", "event_log", detail, &operator, &call).await;
        Ok(Begun(view))
    }
}

pub struct ShowDrill;

impl Endpoint for ShowDrill {
    const OPERATION: &'static str = "breakerExercise";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = PATH;
    const ABOUT: &'static str = "The exercise under way, or the last one of this process.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Its steps")];
    const CODES: &'static [&'static [Code]] = &[&[Code::NotFound]];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Json<DrillView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        request.app.operations().last_exercise().map(Json).ok_or_else(|| Code::NotFound.into())
    }
}
