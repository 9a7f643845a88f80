//! What a problem's `type` points at.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::problem::Code;
use super::request::refuse;

#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "operations",
    operation_id = "explain",
    description = "What a problem's type points at.",
    params(("code" = String, Path, description = "A problem's code")),
    responses((status = 200, description = "What it means", body = serde_json::Value)),
)]
pub async fn explain(request: HttpRequest, name: Path<String>) -> HttpResponse {
    match Code::ALL.iter().find(|code| code.name() == name.as_str()) {
        Some(code) => HttpResponse::Ok().json(serde_json::json!({
            "code": code.name(),
            "status": code.status().as_u16(),
            "title": code.title(),
            "retryable": code.is_retryable(),
            "about": code.about(),
        })),
        None => refuse(&request, &Code::NotFound.into()),
    }
}
