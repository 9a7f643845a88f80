//! `/admin/breakers`: the circuit breakers, and holding one open or closed.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use crate::actors::breaker::{BreakerView, Forced};
use crate::http::body::{Typed, body};
use crate::http::endpoint::{ASK, Endpoint, Json, Listed, Method, PathParameter, PathParameters, Request};
use crate::http::problem::{Code, Problem};

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
    }
}

pub struct ForceBreaker;

impl Endpoint for ForceBreaker {
    const OPERATION: &'static str = "forceBreaker";
    const METHOD: Method = Method::Put;
    const PATH: &'static str = "/admin/breakers/{name}";
    const ABOUT: &'static str = "Forces a breaker open or closed, or gives it back to itself.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The breaker")];
    const CODES: &'static [&'static [Code]] = &[ASK];

    type Path = BreakerName;
    type Query = ();
    type Body = BreakerOrder;
    type Answer = Json<BreakerView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (operations, BreakerName(name), state) = (request.app.operations(), &request.path, request.body.state.0);
        let forced = operations.force_breaker(name, state).await.map_err(|error| Problem::from(&error))?;
        let view = forced.map_err(|_| Code::NotFound)?;
        let detail = state.map_or("given back to itself".to_owned(), |state| format!("forced {state:?}"));
        operations.note("breaker.force", name, detail, &request.operator(), &request.call()).await;
        Ok(Json(view))
    }
}
