//! What a problem's `type` points at.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Endpoint, Entry, Json, Method, PathParameter, PathParameters, Request};
use super::problem::{Code, Problem};

pub const ENDPOINTS: &[Entry] = &[Entry::of::<ExplainProblem>()];

impl PathParameters for Code {
    const PARAMETERS: &'static [PathParameter] =
        &[PathParameter { name: "code", about: "A problem's code", pattern: "^[a-z_0-9]+$", code: Code::NotFound }];

    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        let name = request.match_info().query("code");
        Self::ALL.iter().copied().find(|code| code.name() == name).ok_or_else(|| Self::NotFound.into())
    }
}

/// What a code means.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    code: Code,
    /// The status that it is answered with.
    status: u16,
    #[schema(value_type = String)]
    title: &'static str,
    /// Whether the same call may succeed later.
    retryable: bool,
    #[schema(value_type = String)]
    about: &'static str,
}

pub struct ExplainProblem;

impl Endpoint for ExplainProblem {
    const OPERATION: &'static str = "explain";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/problems/{code}";
    const ABOUT: &'static str = "What a problem's type points at.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "What it means")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = Code;
    type Query = ();
    type Body = ();
    type Answer = Json<Explanation>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let code = request.path;
        Ok(Json(Explanation {
            code,
            status: code.status().as_u16(),
            title: code.title(),
            retryable: code.is_retryable(),
            about: code.about(),
        }))
    }
}
