//! `/`: what this is, and where everything else is.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Endpoint, Entry, Json, Method, Request};
use super::problem::{Code, Problem};

pub const ENDPOINTS: &[Entry] = &[Entry::of::<ShowProgram>()];

/// The program that answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Program {
    #[schema(value_type = String, example = "rialto")]
    name: &'static str,
    #[schema(value_type = String, example = "0.1.0")]
    version: &'static str,
    links: Links,
}

/// Paths on this node.
#[derive(Debug, Serialize, ToSchema)]
pub struct Links {
    /// A page to browse the document.
    #[schema(value_type = String, example = "/docs")]
    documents: &'static str,
    /// The document of the API.
    #[schema(value_type = String, example = "/openapi.json")]
    openapi: &'static str,
    #[schema(value_type = String, example = "/healthz")]
    liveness: &'static str,
    #[schema(value_type = String, example = "/readyz")]
    readiness: &'static str,
    #[schema(value_type = String, example = "/metrics")]
    metrics: &'static str,
}

pub struct ShowProgram;

impl Endpoint for ShowProgram {
    const OPERATION: &'static str = "program";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/";
    const ABOUT: &'static str = "What answers here, and where everything else is.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The program")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Json<Program>;

    async fn handle(_request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let links = Links {
            documents: "/docs",
            openapi: "/openapi.json",
            liveness: "/healthz",
            readiness: "/readyz",
            metrics: "/metrics",
        };
        Ok(Json(Program { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), links }))
    }
}
