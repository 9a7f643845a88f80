//! `/admin/actions`: who did what.

use actix_web::http::StatusCode;

use crate::flows::ActionView;
use crate::http::endpoint::{
    Endpoint, LIMIT_DEFAULT, Listed, Method, Pairs, Query, QueryParameter, READ, Request, parse_limit,
};
use crate::http::problem::{Code, Problem};

/// How many are shown.
pub struct Limit(u32);

impl Query for Limit {
    const PARAMETERS: &'static [QueryParameter] = &[QueryParameter::limit("1 to 100; 20 if not given")];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        Ok(Self(pairs.parsed("limit", parse_limit)?.unwrap_or(LIMIT_DEFAULT)))
    }
}

pub struct ListActions;

impl Endpoint for ListActions {
    const OPERATION: &'static str = "operatorActions";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/admin/actions";
    const ABOUT: &'static str = "What operators did, newest first.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Actions")];
    const CODES: &'static [&'static [Code]] = &[READ, &[Code::StorageUnavailable]];

    type Path = ();
    type Query = Limit;
    type Body = ();
    type Answer = Listed<ActionView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let found = request.app.operations().actions(request.query.0 as usize).await;
        found.map(|data| Listed { data }).map_err(|error| Problem::from(&error))
    }
}
