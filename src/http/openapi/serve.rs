//! `/openapi.json`.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::{ObjectBuilder, OpenApi, Type};

use crate::http::endpoint::{Answer, AnyQuery, Content, Endpoint, Method, Request};
use crate::http::problem::{Code, Problem};

/// The document as it is served: it does not change while the program runs.
#[derive(Clone)]
pub struct ApiDocument(Bytes);

impl ApiDocument {
    pub fn new(document: &OpenApi) -> Self {
        // Texts, integers and maps with text keys: it always has a JSON form.
        Self(document.to_json().unwrap_or_default().into())
    }
}

impl Answer for ApiDocument {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type(ContentType::json()).body(self.0)
    }

    fn content() -> Option<Content> {
        Some(Content::json_of(ObjectBuilder::new().schema_type(Type::Object)))
    }
}

pub struct ShowDocument;

impl Endpoint for ShowDocument {
    const OPERATION: &'static str = "document";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/openapi.json";
    const ABOUT: &'static str = "This document.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "OpenAPI 3.1")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = AnyQuery;
    type Body = ();
    type Answer = ApiDocument;

    async fn handle(request: Request<'_, Self>) -> Result<ApiDocument, Problem> {
        // Set where the server is made.
        let document = request.http.app_data::<Data<ApiDocument>>().ok_or(Code::Internal)?;
        Ok(document.get_ref().clone())
    }
}
