//! What every request brings: its id, its place in a trace, its answer's headers and its measurement.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use futures_util::FutureExt;
use opentelemetry::KeyValue;
use percent_encoding::percent_decode_str;

use super::card_number::holds_card_number;
use super::problem::{Code, Problem};
use super::refused::{Reason, RefusalCounter};
use super::served::ServedNames;
use crate::domain::TraceContext;
use crate::flows::{App, Call};
use crate::infra::telemetry::catalogue;
use crate::infra::telemetry::logs::{in_trace, of_trace};
use crate::infra::telemetry::traces::Span;
use crate::runtime::DurationHistogram;

// As names: a text is copied into one for each look.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is measured of requests.
pub struct HttpMeter {
    /// By OpenTelemetry's semantic conventions for HTTP servers.
    durations: DurationHistogram,
    refusals: RefusalCounter,
}

impl HttpMeter {
    pub fn new() -> Self {
        let durations = catalogue::HTTP_REQUEST.to_duration_histogram();
        Self { durations, refusals: RefusalCounter::new() }
    }
}

/// Goes around every handler: gives the request its id and trace, answers a panic, and measures.
pub async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let begun = Instant::now();
    let (Some(app), Some(meter), Some(served)) = (
        request.app_data::<web::Data<App>>(),
        request.app_data::<web::Data<HttpMeter>>(),
        request.app_data::<web::Data<ServedNames>>(),
    ) else {
        // Both are set where the server is made.
        return Err(actix_web::error::ErrorInternalServerError("the server is not set up"));
    };
    let meter = meter.clone();
    let checked = check(request.request(), served);
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let request_id = match given.filter(|id| is_request_id(id)) {
        Some(id) => id.to_owned(),
        None => app.new_request_id(),
    };
    let parent = request.headers().get(&TRACEPARENT).and_then(|value| value.to_str().ok());
    let parent = parent.and_then(|text| text.parse().ok()).filter(|parent| !is_card_number(parent));
    let mut span = Span::serve(parent);
    let trace = span.context().unwrap_or_else(|| app.open_trace(parent));
    request.extensions_mut().insert(Call { request_id: request_id.clone(), trace });

    let (method, uri) = (method(request.request()), request.request().uri().clone());
    let answered = match checked {
        Ok(()) => answered(request, next, trace, &request_id).await,
        Err((problem, reason)) => {
            meter.refusals.count(reason);
            Err(problem)
        }
    };
    let (route, status) = match &answered {
        Ok(response) => (route(response.request()), response.status()),
        Err(problem) => (String::new(), problem.code.status()),
    };
    describe(&mut span, method, &route, status);
    let labels = [
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route),
        KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
    ];
    meter.durations.record(begun.elapsed(), &labels);
    let mut response = answered.map_err(|problem| {
        let instance = instance(uri.path(), None).into_owned();
        Unanswered { problem, request_id: request_id.clone(), instance }
    })?;
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    Ok(response)
}

/// Has a request answered by its handler.
async fn answered<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    trace: TraceContext,
    request_id: &str,
) -> Result<ServiceResponse<B>, Problem> {
    match AssertUnwindSafe(in_trace(trace, next.call(request))).catch_unwind().await {
        Ok(answered) => answered.map_err(|error| problem_of(&error)),
        Err(_) => {
            of_trace(trace, || tracing::error!(request.id = request_id, "a handler panicked"));
            Err(Code::Internal.into())
        }
    }
}

/// Whether a request may reach a handler. If not, what it is answered, and as what it is counted.
fn check(request: &HttpRequest, served: &ServedNames) -> Result<(), (Problem, Reason)> {
    if request.method() == Method::CONNECT {
        // Its target is no path, so no resource can say so.
        let problem = Problem::from(Code::MethodNotAllowed).allow("GET, HEAD, POST, PUT, DELETE".into());
        return Err((problem, Reason::Connect));
    }
    served.check(request.head()).map_err(|code| {
        let reason = match code {
            Code::HostNotServed => Reason::Host,
            Code::OriginNotAllowed => Reason::Origin,
            _ => Reason::Malformed,
        };
        (code.into(), reason)
    })
}

/// Says of a span what its request was. Neither path nor request id: whatever a client writes there would leave the
/// process.
fn describe(span: &mut Span, method: &'static str, route: &str, status: StatusCode) {
    if !span.is_recording() {
        return;
    }
    span.rename(format!("{method} {route}").trim_end().to_owned());
    span.set("url.scheme", "http");
    span.set("http.request.method", method);
    span.set("http.route", route.to_owned());
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(server_error(status));
    }
}

/// The status as a reason of few.
fn server_error(status: StatusCode) -> &'static str {
    match status.as_u16() {
        500 => "500",
        503 => "503",
        504 => "504",
        _ => "_OTHER",
    }
}

/// A request for which no handler has an answer.
#[derive(Debug)]
struct Unanswered {
    problem: Problem,
    request_id: String,
    instance: String,
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.problem.code.name())
    }
}

impl ResponseError for Unanswered {
    fn status_code(&self) -> StatusCode {
        self.problem.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.problem.respond(&self.request_id, &self.instance);
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
}

/// The method as a label: those that the API does not know are one.
fn method(request: &HttpRequest) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        _ => "_OTHER",
    }
}

/// The route's pattern, never the path, so that there are as many labels as routes.
fn route(request: &HttpRequest) -> String {
    request.match_pattern().unwrap_or_default()
}

fn is_request_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        // It is answered, logged and stored.
        && !holds_card_number(text)
}

/// Whether a trace's id is a card number behind zeros. It would be stored, logged and told like any other.
fn is_card_number(parent: &TraceContext) -> bool {
    const DIGITS_MAX: u32 = 19;
    parent.trace_id >> (4 * DIGITS_MAX) == 0 && {
        let id = format!("{:x}", parent.trace_id);
        id.bytes().all(|byte| byte.is_ascii_digit()) && holds_card_number(&id)
    }
}

/// The call that a request makes; [`around`] has put it there.
pub fn call(request: &HttpRequest) -> Call {
    let found = request.extensions().get::<Call>().cloned();
    // A handler that is mounted without `around` would have none; its answers then name no request.
    found.unwrap_or_else(|| Call {
        request_id: String::new(),
        trace: TraceContext { trace_id: 1, span_id: 1, sampled: false },
    })
}

/// A problem that answers this request.
pub fn refuse(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let pattern = request.match_pattern();
    problem.respond(&call(request).request_id, &instance(request.path(), pattern.as_deref()))
}

/// A problem's `instance`: the path, or the route's pattern in place of one that holds a card number.
pub fn instance<'a>(path: &'a str, pattern: Option<&'a str>) -> Cow<'a, str> {
    // The target of CONNECT is no path.
    let path = if path.is_empty() { "/" } else { path };
    let meant = percent_decode_str(path).decode_utf8_lossy();
    Cow::Borrowed(if holds_card_number(&meant) { pattern.unwrap_or("/") } else { path })
}

/// What actix itself refuses: bodies and queries that it cannot read.
fn problem_of(error: &actix_web::Error) -> Problem {
    use actix_web::error::PayloadError;
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => return Code::BodyTooLarge.into(),
        Some(_) => return Code::MalformedJson.into(),
        None => {}
    }
    match error.as_response_error().status_code().as_u16() {
        404 => Code::NotFound.into(),
        413 => Code::BodyTooLarge.into(),
        400..500 => Code::MalformedJson.into(),
        _ => {
            tracing::error!(%error, "request failed");
            Code::Internal.into()
        }
    }
}
