//! The headers that many operations share, of requests and of answers.

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Object, ObjectBuilder, Required, Response, Type};

use super::problems::integer;
use crate::http::endpoint::{Described, Entry, Method};
use crate::http::problem::CODINGS;

/// The headers that a request to this endpoint may have.
pub fn of_requests(entry: &Entry, described: &Described) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    if described.takes_key {
        let key = text().min_length(Some(1));
        let about = "The idempotency key, if it is not in the body: 1 to 255 printable ASCII characters, bare or as a \
                     quoted string (RFC 9651), whose parameters are left aside.";
        parameters.push(header("Idempotency-Key", about, key));
    }
    // The next two without patterns: what does not fit them is taken, and left aside.
    let about = "The trace to join (W3C Trace Context), `00-{32 hexadecimal digits}-{16}-{2}`; one that is not valid \
                 is left aside.";
    parameters.push(header("traceparent", about, text()));
    let about = "A name for the request, 1 to 64 of `A-Za-z0-9_.-`, answered again; one that is not valid, or that \
                 holds a card number, is replaced.";
    parameters.push(header("X-Request-Id", about, text()));
    if entry.is_for_operators() && entry.method != Method::Get {
        let about = "Who acts, for the trail of operators' actions: 1 to 64 printable characters in UTF-8, without a \
                     card number. Not given: `unnamed`.";
        parameters.push(header("X-Operator", about, text().min_length(Some(1)).max_length(Some(64))));
    }
    parameters
}

fn header(name: &str, about: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

/// Adds the headers that an answer of this status may have.
pub fn add_to_answer(entry: &Entry, status: &str, response: &mut Response) {
    let changes_payments = entry.is_for_merchants() && entry.method == Method::Post;
    let mut add = |name: &str, schema: Object, about: &str| {
        let mut header = Header::new(schema);
        header.description = Some(about.to_owned());
        response.headers.insert(name.to_owned(), header.into());
    };
    add("X-Request-Id", text().build(), "The request's name.");
    if status == "308" {
        add("Location", text().build(), "Where it is.");
    }
    if status == "415" {
        let about = "There when it is the coding of the body that is not known: those that are.";
        add("Accept-Encoding", text().enum_values(Some([CODINGS])).build(), about);
    }
    // Bodies are refused before a limit is asked; what comes after it is counted and can be replayed.
    let is_counted = changes_payments && !matches!(status, "400" | "408" | "413" | "415");
    if is_counted {
        let about = "The merchant's limit for the action: q calls in w seconds.";
        add("RateLimit-Policy", text().examples(["\"authorize\";q=48000;w=60"]).build(), about);
        let about = "What is left of it: r calls now, all of them again in t seconds.";
        add("RateLimit", text().examples(["\"authorize\";r=47999;t=1"]).build(), about);
    }
    if is_counted && !matches!(status, "429" | "500") {
        let about = "There when the answer is that of an earlier call with the same key and body.";
        add("Idempotent-Replayed", text().enum_values(Some(["true"])).build(), about);
    }
    // Readiness is asked again and again in any case.
    let comes_back = matches!(status, "429" | "503") && entry.operation() != "readiness";
    if comes_back || changes_payments && status == "409" {
        let about = "Seconds after which the same call may succeed; with a 409 only for `idempotency_in_progress`.";
        add("Retry-After", integer(), about);
    }
}

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
