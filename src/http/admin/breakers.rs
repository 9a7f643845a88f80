//! `/admin/breakers`: the circuit breakers, and holding one open or closed.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::reason::OptionalReason;
use crate::actors::breaker::{BreakerView, ForceOrder, Forced, Scope};
use crate::domain::Timestamp;
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
                                 shared, or it is away and gets the order when it is back, unless it has a newer one \
                                 then. What all nodes hold cannot be given back while it is away; what this node alone \
                                 was ordered can, and what all nodes hold holds it again.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The breaker")];
    const CODES: &'static [&'static [Code]] = &[ASK, &[Code::StorageUnavailable]];

    type Path = BreakerName;
    type Query = ();
    type Body = BreakerOrder;
    type Answer = Json<BreakerView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (operations, BreakerName(name)) = (request.app.operations(), &request.path);
        let BreakerOrder { state: Typed(state), reason: OptionalReason(reason) } = &request.body;
        if state.is_some() && reason.is_none() {
            return Err(reason_missing());
        }
        let order = ForceOrder {
            state: *state,
            reason: reason.clone().unwrap_or_default(),
            operator: request.operator.clone(),
            source: request.source(),
            at: Timestamp(request.app.clock.now_ms()),
        };
        let call = request.call();
        let forced = operations.force_breaker(name, order, &call).await.map_err(|error| Problem::from(&error))?;
        let view = forced.map_err(|_| no_such_breaker(&operations.breaker_names()))?;
        let (kind, what) = match state {
            Some(state) => ("breaker.force", format!("forced {state:?}")),
            None => ("breaker.clear", "given back to itself".to_owned()),
        };
        let scope = match (&view.forced, state) {
            (Some(forced), Some(_)) if forced.scope == Scope::Node => " on this node only",
            (Some(_), None) => " on this node only: the order for all nodes holds again",
            _ => "",
        };
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        operations.note(kind, name, format!("{what}{scope}{reason}"), &request.operator, &call).await;
        Ok(Json(view))
    }
}

fn no_such_breaker(names: &[&str]) -> Problem {
    Problem::from(Code::NotFound).detail(format!("There is no such breaker. It is one of {}.", names.join(", ")))
}

fn reason_missing() -> Problem {
    let mut problem = Problem::from(Code::FieldMissing);
    problem.errors.push(FieldError::at("/reason".to_owned(), Code::FieldMissing));
    problem
}
