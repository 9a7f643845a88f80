//! `/docs`: a page to browse the document.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use crate::http::endpoint::{Answer, Content, Endpoint, Method, Request};
use crate::http::problem::{Code, Problem};
use crate::http::request::refuse;

/// 308 to the page itself.
pub struct Redirect;

impl Answer for Redirect {
    fn respond(self, _request: &HttpRequest) -> HttpResponse {
        HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
    }

    fn content() -> Option<Content> {
        None
    }
}

pub struct ShowPage;

impl Endpoint for ShowPage {
    const OPERATION: &'static str = "docs";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/docs";
    const ABOUT: &'static str = "A page to browse this document; it needs no network but the program's own.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::PERMANENT_REDIRECT, "It is at /docs/")];
    const CODES: &'static [&'static [Code]] = &[];

    type Path = ();
    type Query = ();
    type Body = ();
    type Answer = Redirect;

    async fn handle(_request: Request<'_, Self>) -> Result<Redirect, Problem> {
        Ok(Redirect)
    }
}

/// The files of the page, out of the program itself.
pub async fn page_file(request: HttpRequest, file: Path<String>) -> HttpResponse {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    match utoipa_swagger_ui::serve(&file, CONFIG.clone()) {
        Ok(Some(file)) => {
            let mut response = HttpResponse::Ok();
            // Its forms make payments: no page of elsewhere may show it in a frame and have its buttons clicked.
            response.insert_header((header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"));
            response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
            if file.gzpipped {
                response.insert_header(header::ContentEncoding::Gzip);
            }
            // Not copied: a client may take as long as it likes with each.
            let bytes = match file.bytes {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            };
            response.content_type(file.content_type).body(bytes)
        }
        Ok(None) => refuse(&request, &Code::NotFound.into()),
        Err(error) => {
            tracing::error!(%error, "page cannot be shown");
            refuse(&request, &Code::Internal.into())
        }
    }
}
