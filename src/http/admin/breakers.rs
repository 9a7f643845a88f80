//! `/admin/breakers`: the circuit breakers, and holding one open or closed.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::reason::OptionalReason;
use crate::actors::breaker::{BreakerView, Forced, Scope};
use crate::domain::Timestamp;
use crate::flows::ForceOrder;
use crate::http::body::{Typed, body};
use crate::http::endpoint::{ASK, Endpoint, Json, Listed, Method, PathParameter, PathParameters, Request};
use crate::http::problem::{Code, FieldError, Problem};

const REASON_MAX: usize = 200;

pub struct ListBreakers;

impl Endpoint for ListBreakers {
    const OPERATION: &'static str = "breakers";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/breakers";
    const ABOUT: &'static str = "The breakers and their figures.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Breakers")];
    const CODES: &'static [&'static [Code]] = &[ASK];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Listed<BreakerView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let found = request.app.operations().breakers().await;
        found.map(|data| Listed { data }).map_err(|error| Problem::from(&error))
    }
}

/// A breaker's name.
pub struct BreakerName(String);

impl PathParameters for BreakerName {
    const PARAMETERS: &'static [PathParameter] = &[PathParameter {
        name: "name",
        about: "psp, psp_lookup or event_log",
        pattern: "^(psp|psp_lookup|event_log)$",
        code: Code::NotFound,
    }];

    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        Ok(Self(request.match_info().query("name").to_owned()))
    }
}

body! {
    /// `{"state": "open"}`, `"closed"`, or null to give the breaker back to itself.
    pub struct BreakerOrder {
        state "state": Typed<Option<Forced>>,
        /// Why; has to be there unless the breaker is given back.
        reason "reason": OptionalReason<REASON_MAX>,
    }
}

pub struct ForceBreaker;

impl Endpoint for ForceBreaker {
    const OPERATION: &'static str = "forceBreaker";
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/admin/breakers/{name}";
    const ABOUT: &'static str = "Forces a breaker open or closed, with a reason, or gives it back to itself. It \
                                 holds on every node within two seconds, and after restarts, until it is given back. \
                                 `forced.scope` says `node` where it holds on this node only: no control store is \
                                 shared, or it is away and gets the order when it is back.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The breaker")];
    const CODES: &'static [&'static [Code]] = &[ASK, &[Code::StorageUnavailable]];

    type Path = BreakerName;
    type Query = ();
    type Body = BreakerOrder;
    type Answer = Json<BreakerView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (operations, BreakerName(name)) = (request.app.operations(), &request.path);
        let BreakerOrder { state: Typed(state), reason: OptionalReason(reason) } = &request.body;
        let order = match (state, reason) {
            (None, _) => None,
            (Some(_), None) => return Err(reason_missing()),
            (Some(state), Some(reason)) => Some(ForceOrder {
                state: *state,
                reason: reason.clone(),
                operator: request.operator(),
                source: request.source(),
                at: Timestamp(request.app.clock.now_ms()),
            }),
        };
        let forced = operations.force_breaker(name, order).await.map_err(|error| Problem::from(&error))?;
        let view = forced.map_err(|_| Code::NotFound)?;
        let scope = match &view.forced {
            Some(forced) if forced.scope == Scope::Node => " on this node only",
            _ => "",
        };
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let what = state.map_or("given back to itself".to_owned(), |state| format!("forced {state:?}"));
        let detail = format!("{what}{scope}{reason}");
        operations.note("breaker.force", name, detail, &request.operator(), &request.call()).await;
        Ok(Json(view))
    }
}

fn reason_missing() -> Problem {
    let mut problem = Problem::from(Code::FieldMissing);
    problem.errors.push(FieldError::at("/reason".to_owned(), Code::FieldMissing));
    problem
}
