//! Bodies as they come: their type, their coding, their length and how long they take.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Data, Payload};
use futures_util::StreamExt;

use super::encoding::Collector;
use super::media_type::is_json;
use crate::http::problem::{Code, Problem};

/// What a body may have.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// As it comes, and when it is decoded.
    pub bytes: usize,
    /// How long all of it may take to come.
    pub within: Duration,
}

/// Reads a JSON body: its type, coding and announced length are looked at before anything is read.
///
/// # Errors
/// [`Code::UnsupportedMediaType`], [`Code::BodyTooLarge`], [`Code::RequestTimeout`], or [`Code::MalformedJson`] for one
/// that breaks off.
pub async fn fetch(request: &HttpRequest, payload: Payload) -> Result<Vec<u8>, Problem> {
    if is_json(request.headers()) != Some(true) {
        return Err(no_json());
    }
    // Set where the server is made.
    let Some(limits) = request.app_data::<Data<BodyLimits>>() else { return Err(Code::Internal.into()) };
    let BodyLimits { bytes: most, within } = *limits.get_ref();
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let collector = Collector::of(request.headers(), most, announced.unwrap_or_default())?;
    if announced.is_some_and(|length: usize| length > most) {
        return Err(Code::BodyTooLarge.into());
    }
    match tokio::time::timeout(within, collect(payload, collector, most)).await {
        Ok(body) => body,
        Err(_) => Err(Problem::from(Code::RequestTimeout).detail("Its body was not complete in time.")),
    }
}

async fn collect(mut payload: Payload, mut collector: Collector, most: usize) -> Result<Vec<u8>, Problem> {
    let mut length = 0;
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| Problem::from(Code::MalformedJson).detail("The body breaks off."))?;
        length += piece.len();
        if length > most {
            return Err(Code::BodyTooLarge.into());
        }
        collector.add(&piece)?;
    }
    collector.finish()
}

/// Refuses a change without a body that is sent with one of another type, as forms of a page do.
///
/// # Errors
/// [`Code::UnsupportedMediaType`].
pub fn check_absent(request: &HttpRequest) -> Result<(), Problem> {
    if is_json(request.headers()) == Some(false) { Err(no_json()) } else { Ok(()) }
}

fn no_json() -> Problem {
    Problem::from(Code::UnsupportedMediaType).detail("Send `Content-Type: application/json`, in UTF-8.")
}
