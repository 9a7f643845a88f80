//! Liveness, readiness and metrics.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Answer, Content, Endpoint, Entry, Json, Method, Request};
use super::problem::{Code, Problem};
use super::scrape::Metrics;
use crate::flows::Readiness;

pub const ENDPOINTS: &[Entry] =
    &[Entry::of::<ShowLiveness>(), Entry::of::<ShowReadiness>(), Entry::of::<ShowMetrics>()];

/// Whether a path is one with which an operator looks at a node.
pub fn is_of_operators(path: &str) -> bool {
    ENDPOINTS.iter().any(|entry| entry.places().any(|place| place.path == path))
}

/// That the process answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Liveness {
    /// `up`.
    #[schema(value_type = String, example = "up")]
    status: &'static str,
}

pub struct ShowLiveness;

impl Endpoint for ShowLiveness {
    const OPERATION: &'static str = "liveness";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/healthz";
    const ABOUT: &'static str = "The process runs and answers.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Up")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Json<Liveness>;

    async fn handle(_request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        Ok(Json(Liveness { status: "up" }))
    }
}

/// 200 while the node can work, 503 while it cannot, with the same body.
impl Answer for Readiness {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        let status = if self.is_down() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        HttpResponse::build(status).json(self)
    }

    fn content() -> Option<Content> {
        Some(Content::json::<Self>())
    }
}

pub struct ShowReadiness;

impl Endpoint for ShowReadiness {
    const OPERATION: &'static str = "readiness";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/readyz";
    const ABOUT: &'static str = "What the node can do now. 503 once it cannot authorize at all, so that balancers go \
                                 elsewhere; on a node with other roles, once it can do none of its work.";
    const ANSWERS: &'static [(StatusCode, &'static str)] =
        &[(StatusCode::OK, "It can work"), (StatusCode::SERVICE_UNAVAILABLE, "It cannot")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Readiness;

    async fn handle(request: Request<'_, Self>) -> Result<Readiness, Problem> {
        Ok(request.app.readiness().await)
    }
}

/// Metrics in Prometheus's text format.
pub struct MetricsText(Bytes);

impl Answer for MetricsText {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(self.0)
    }

    fn content() -> Option<Content> {
        Some(Content::text("text/plain"))
    }
}

pub struct ShowMetrics;

impl Endpoint for ShowMetrics {
    const OPERATION: &'static str = "metrics";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/metrics";
    const ABOUT: &'static str = "Metrics in Prometheus's text format.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "Metrics")];
    const CODES: &'static [&'static [Code]] = &[&[Code::Internal]];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = MetricsText;

    async fn handle(request: Request<'_, Self>) -> Result<MetricsText, Problem> {
        // Set where the server is made.
        let metrics = request.http.app_data::<Data<Metrics>>().ok_or(Code::Internal)?;
        metrics.text().await.map(MetricsText).map_err(|error| {
            tracing::error!(%error, "metrics cannot be written");
            Code::Internal.into()
        })
    }
}
