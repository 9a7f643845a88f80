//! The contract as OpenAPI 3.1, generated from the code, and a page to browse it.

mod answers;
mod bodies;

use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use utoipa::OpenApi;
use utoipa_swagger_ui::Config;

use super::problem::{Code, ProblemBody};
use super::request::refuse;
use crate::domain::outcome::PaymentSnapshot;
use crate::domain::payment::PaymentStatus;
use answers::Shared;

pub use bodies::{AuthorizeBody, CaptureBody, RefundBody, VoidBody};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rialto",
        description = "Authorize, capture, void and refund payments. Every path under `/payments` is served under \
                       `/api/payments` too. Amounts are integers in the currency's minor unit (ISO 4217). Errors are \
                       problems (RFC 9457); their `code` is the contract, and their `type` leads to what it means. A \
                       path answers methods that it does not have with 405 `method_not_allowed` and `Allow`; a path \
                       that is not here is 404 `not_found`."
    ),
    servers(
        (url = "/", description = "Everything"),
        (url = "/api", description = "The paths under /payments"),
    ),
    tags(
        (name = "payments", description = "The payments of a merchant"),
        (name = "operations", description = "Health, metrics and what operators do"),
    ),
    paths(
        super::payments::authorize,
        super::payments::capture,
        super::payments::void,
        super::payments::refund,
        super::payments::look_up,
        super::payments::timeline,
        super::payments::list,
        super::health::healthz,
        super::health::readyz,
        super::health::metrics,
        super::admin::actors,
        super::admin::actor_dead_letters,
        super::admin::jobs,
        super::admin::breakers,
        super::admin::force_breaker,
        super::drill::begin,
        super::drill::last,
        super::admin::inject_fault,
        super::admin::clear_faults,
        super::admin::jump_clock,
        super::dead_letters::list,
        super::dead_letters::show,
        super::dead_letters::redrive,
        super::dead_letters::discard,
        super::dead_letters::actions,
        super::explain::explain,
        document,
        docs,
    ),
    components(schemas(Code, ProblemBody, PaymentSnapshot, PaymentStatus)),
    modifiers(&Shared)
)]
struct Contract;

/// The document as it is served: it does not change while the program runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // Texts, integers and maps with text keys: it always has a JSON form.
    Contract::openapi().to_json().unwrap_or_default()
});

#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    operation_id = "document",
    description = "This document.",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type(header::ContentType::json()).body(DOCUMENT.as_str())
}

#[utoipa::path(
    get,
    path = "/docs",
    tag = "operations",
    operation_id = "docs",
    description = "A page to browse this document; it needs no network but the program's own.",
    responses((status = 308, description = "It is at /docs/", headers(("Location" = String, description = "/docs/")))),
)]
pub async fn docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// The files of the page, out of the program itself.
pub async fn docs_file(request: HttpRequest, file: Path<String>) -> HttpResponse {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    match utoipa_swagger_ui::serve(&file, CONFIG.clone()) {
        Ok(Some(file)) => {
            let mut response = HttpResponse::Ok();
            if file.gzpipped {
                response.insert_header(header::ContentEncoding::Gzip);
            }
            response.content_type(file.content_type).body(file.bytes.into_owned())
        }
        Ok(None) => refuse(&request, &Code::NotFound.into()),
        Err(error) => {
            tracing::error!(%error, "page cannot be shown");
            refuse(&request, &Code::Internal.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        serde_json::from_str(&DOCUMENT).unwrap()
    }

    /// Every operation, by its id.
    fn operations() -> BTreeMap<String, Value> {
        let document = document();
        let paths = document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values().cloned().collect::<Vec<_>>());
        operations.map(|operation| (operation["operationId"].as_str().unwrap().to_owned(), operation)).collect()
    }

    #[test]
    fn the_document_is_openapi_3_1_and_names_every_code() {
        let document = document();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(document["components"]["schemas"]["Code"]["enum"], json!(codes));
    }

    #[test]
    fn the_document_has_the_routes_and_nothing_else() {
        let routes = crate::http::endpoints().into_iter().flat_map(|endpoint| {
            let methods = endpoint.methods.split(", ").filter(|method| *method != "HEAD");
            methods.map(move |method| (endpoint.path.to_owned(), method.to_lowercase())).collect::<Vec<_>>()
        });
        let document = document();
        let described = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone())).collect::<Vec<_>>()
        });
        assert_eq!(described.collect::<BTreeSet<_>>(), routes.collect::<BTreeSet<_>>());
    }

    #[test]
    fn every_operation_says_which_codes_it_answers() {
        let described: BTreeSet<_> = operations().into_keys().collect();
        let known: BTreeSet<_> = answers::tests::known_operations().into_iter().map(str::to_owned).collect();
        assert_eq!(described, known);

        let refund = &operations()["refund"]["responses"];
        let conflict = &refund["422"]["content"]["application/problem+json"]["schema"]["allOf"];
        assert_eq!(conflict[0]["$ref"], "#/components/schemas/Problem");
        assert!(
            conflict[1]["properties"]["code"]["enum"].as_array().unwrap().contains(&json!("refund_exceeds_captured"))
        );
        assert_eq!(conflict[1]["properties"]["refundable"]["type"], "integer");
        assert!(refund["422"]["description"].as_str().unwrap().contains(Code::RefundExceedsCaptured.about()));
        assert!(refund["429"]["headers"]["Retry-After"].is_object() && refund["400"]["headers"]["RateLimit"].is_null());
        assert!(refund["200"]["headers"]["Idempotent-Replayed"].is_object());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            if let Some(target) = value["$ref"].as_str() {
                assert!(document.pointer(target.strip_prefix('#').unwrap()).is_some(), "{target}");
            }
            match value {
                Value::Object(members) => members.values().for_each(|member| check(member, document)),
                Value::Array(items) => items.iter().for_each(|item| check(item, document)),
                _ => {}
            }
        }
        let document = document();
        check(&document, &document);
    }

    #[test]
    fn bodies_have_their_limits() {
        let document = document();
        let body = |name: &str| document["components"]["schemas"][name].clone();
        for name in ["AuthorizeBody", "CaptureBody", "VoidBody", "RefundBody"] {
            assert_eq!(body(name)["additionalProperties"], false, "{name}");
        }
        let authorize = body("AuthorizeBody");
        assert_eq!(authorize["required"], json!(["merchantId", "amount", "currency"]));
        assert_eq!(authorize["properties"]["amount"]["minimum"], 1);
        assert_eq!(authorize["properties"]["amount"]["maximum"], i64::MAX);
        assert_eq!(authorize["properties"]["idempotencyKey"]["maxLength"], 255);
        assert_eq!(authorize["properties"]["metadata"]["maxProperties"], 50);
    }
}
