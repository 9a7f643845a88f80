//! What the server answers by itself: to requests that it cannot read, or has no place for.

use std::time::Duration;

use actix_http::error::ParseError;
use actix_web::HttpResponse;

use super::wire::NoRequest;
use crate::http::problem::{Code, Problem};
use crate::http::refused::Reason;
use crate::http::request::{REQUEST_ID, instance};

/// The problem of a request that could not be read, and as what it is counted. None if nobody waits for an answer.
pub fn problem_of(error: NoRequest) -> Option<(Problem, Reason)> {
    let malformed = |detail: &str| (Problem::from(Code::MalformedRequest).detail(detail), Reason::Malformed);
    Some(match error {
        NoRequest::Closed => return None,
        NoRequest::Late => {
            (Problem::from(Code::RequestTimeout).detail("Its head was not complete in time."), Reason::Late)
        }
        NoRequest::Unreadable(error) => match error {
            ParseError::TooLarge => (Code::HeadersTooLarge.into(), Reason::TooLarge),
            ParseError::Version => (Code::HttpVersionNotSupported.into(), Reason::Version),
            ParseError::Method => malformed("The request's method or its first line is none of HTTP."),
            ParseError::Uri(_) => malformed("The request's target is no path or URI."),
            ParseError::Header => {
                malformed("Its first line, a header, or what the headers say together is not allowed.")
            }
            _ => malformed("It is no HTTP request."),
        },
    })
}

/// Whoever gets a spare place and is no operator.
pub fn full() -> Problem {
    Problem::from(Code::Overloaded).detail("There are too many connections.").retry_after(Duration::from_secs(1))
}

/// The answer to a request that no handler has seen; of one whose path is not known, the whole server is the instance.
pub fn response(problem: &Problem, request_id: &str, path: Option<&str>) -> HttpResponse {
    let mut response = problem.respond(request_id, &instance(path.unwrap_or("/"), None));
    if let Ok(value) = request_id.parse() {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
