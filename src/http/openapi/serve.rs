//! `/openapi.json`.

use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::{ObjectBuilder, OpenApi, Type};

use crate::http::endpoint::{Answer, Content, Endpoint, Method, Request};
use crate::http::problem::{Code, Problem};

/// The document as it is served. It is made when it is first asked for, and does not change while the program runs.
pub struct ApiDocument {
    make: fn() -> OpenApi,
    text: OnceLock<Bytes>,
}

impl ApiDocument {
    pub fn new(make: fn() -> OpenApi) -> Self {
        Self { make, text: OnceLock::new() }
    }

    fn text(&self) -> Bytes {
        // Texts, integers and maps with text keys: it always has a JSON form.
        self.text.get_or_init(|| (self.make)().to_json().unwrap_or_default().into()).clone()
    }
}

/// The document's text.
pub struct DocumentText(Bytes);

impl Answer for DocumentText {
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
    type Query = ();
    type Body = ();
    type Answer = DocumentText;

    async fn handle(request: Request<'_, Self>) -> Result<DocumentText, Problem> {
        // Set where the server is made.
        let document = request.http.app_data::<Data<ApiDocument>>().ok_or(Code::Internal)?;
        Ok(DocumentText(document.text()))
    }
}
