//! Bodies as they come: their type, their length and how long they take.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Payload};

use crate::http::problem::{Code, Problem};

/// What a body may have.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    pub bytes: usize,
    /// How long all of it may take to come.
    pub within: Duration,
}

/// Reads a JSON body: its type and announced length are looked at before anything is read.
///
/// # Errors
/// [`Code::UnsupportedMediaType`], [`Code::BodyTooLarge`], [`Code::RequestTimeout`], or [`Code::MalformedJson`] for one
/// that breaks off.
pub async fn fetch(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
    if !is_json(request) {
        return Err(Code::UnsupportedMediaType.into());
    }
    // Set where the server is made.
    let Some(limits) = request.app_data::<Data<BodyLimits>>() else { return Err(Code::Internal.into()) };
    let BodyLimits { bytes: most, within } = *limits.get_ref();
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > most) {
        return Err(Code::BodyTooLarge.into());
    }
    match tokio::time::timeout(within, payload.to_bytes_limited(most)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(_))) => Err(Code::MalformedJson.into()),
        Ok(Err(_)) => Err(Code::BodyTooLarge.into()),
        Err(_) => Err(Code::RequestTimeout.into()),
    }
}

/// `application/json`, with no other charset than UTF-8.
fn is_json(request: &HttpRequest) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts
            .all(|part| part.eq_ignore_ascii_case("charset=utf-8") || part.eq_ignore_ascii_case("charset=\"utf-8\""))
}
