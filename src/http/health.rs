//! Liveness, readiness and metrics.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::problem::Code;
use super::request::refuse;
use crate::flows::{App, Readiness};
use crate::infra::telemetry;

#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operations",
    operation_id = "liveness",
    description = "The process runs and answers.",
    responses((status = 200, description = "Up", body = serde_json::Value)),
)]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "up" }))
}

#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    operation_id = "readiness",
    description = "What the node can do now. 503 once it cannot authorize at all, so that balancers go elsewhere; on \
        a node with other roles, once it can do none of its work.",
    responses(
        (status = 200, description = "It can work", body = Readiness),
        (status = 503, description = "It cannot", body = Readiness),
    ),
)]
pub async fn readyz(app: Data<App>) -> HttpResponse {
    let readiness = app.readiness().await;
    if readiness.is_down() {
        return HttpResponse::ServiceUnavailable().json(readiness);
    }
    HttpResponse::Ok().json(readiness)
}

#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "metrics",
    description = "Metrics in Prometheus's text format.",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain")),
)]
pub async fn metrics(request: HttpRequest, registry: Data<prometheus::Registry>) -> HttpResponse {
    match telemetry::text(&registry) {
        Ok(text) => HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            refuse(&request, &Code::Internal.into())
        }
    }
}
