//! What every operation shares, written once: the headers of requests and answers, and the problems that each operation
//! can answer with the codes that they can have.

use std::collections::BTreeMap;

use utoipa::Modify;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AllOfBuilder, SchemaType};
use utoipa::openapi::{
    Content, KnownFormat, Object, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
    SchemaFormat, Type,
};

use crate::http::problem::Code;

/// What any body can have wrong.
const BODY: &[Code] = &[Code::MalformedJson, Code::RequestTimeout, Code::BodyTooLarge, Code::UnsupportedMediaType];
/// What the body of a call for a merchant can have wrong.
const CALL: &[Code] = &[
    Code::UnknownField,
    Code::FieldMissing,
    Code::FieldTypeInvalid,
    Code::MerchantIdInvalid,
    Code::IdempotencyKeyInvalid,
];
const AMOUNT: &[Code] = &[Code::AmountNotInteger, Code::AmountInvalid, Code::AmountTooLarge];
const TEXT: &[Code] = &[Code::TextTooLong, Code::CardNumberNotAllowed];
/// What can come between a sound call and its execution.
const RUN: &[Code] = &[
    Code::IdempotencyInProgress,
    Code::IdempotencyKeyReused,
    Code::RateLimited,
    Code::Internal,
    Code::Overloaded,
    Code::ShardUnavailable,
    Code::StorageUnavailable,
    Code::OutcomeUnknown,
];
const CHANGE: &[Code] = &[Code::PaymentNotFound, Code::PaymentStateConflict];
const READ: &[Code] = &[Code::UnknownParameter, Code::Internal, Code::Overloaded, Code::ShardUnavailable];
const ACTOR: &[Code] = &[Code::Overloaded, Code::OutcomeUnknown, Code::Internal];

/// What an operator's call with a body can have wrong, beside what any body can.
const OPERATORS_CALL: &[Code] =
    &[Code::UnknownParameter, Code::UnknownField, Code::FieldMissing, Code::FieldTypeInvalid];
/// What a call can have wrong that has no parameters.
const NO_QUERY: &[Code] = &[Code::UnknownParameter];

/// What a call meets that shows a page of something.
const PAGE: &[Code] = &[Code::CursorInvalid, Code::LimitInvalid];

/// The codes of every operation, by its `operationId`. [`Code::MethodNotAllowed`] is no operation's: it is what a path
/// answers to the methods that it does not have.
const CODES: &[(&str, &[&[Code]])] = &[
    (
        "authorize",
        &[
            BODY,
            CALL,
            AMOUNT,
            TEXT,
            &[
                Code::IdempotencyKeyMissing,
                Code::CurrencyUnsupported,
                Code::MetadataTooLarge,
                Code::PaymentDeclined,
                Code::PspUnavailable,
                Code::PspNotReached,
            ],
            RUN,
        ],
    ),
    ("capture", &[BODY, CALL, AMOUNT, CHANGE, &[Code::CaptureExceedsAuthorized], RUN]),
    ("void", &[BODY, CALL, CHANGE, RUN]),
    (
        "refund",
        &[
            BODY,
            CALL,
            AMOUNT,
            TEXT,
            CHANGE,
            &[Code::IdempotencyKeyMissing, Code::RefundExceedsCaptured, Code::RefundLimitReached],
            RUN,
        ],
    ),
    ("lookUp", &[READ, PAGE, &[Code::ExpandInvalid, Code::PaymentNotFound]]),
    ("timeline", &[READ, PAGE, &[Code::PaymentNotFound]]),
    (
        "list",
        &[
            READ,
            &[Code::MerchantIdInvalid, Code::StatusInvalid, Code::TimeInvalid, Code::LimitInvalid, Code::CursorInvalid],
        ],
    ),
    ("liveness", &[NO_QUERY]),
    ("readiness", &[NO_QUERY]),
    ("metrics", &[&[Code::Internal]]),
    ("actors", &[NO_QUERY]),
    ("jobs", &[NO_QUERY]),
    ("actorDeadLetters", &[NO_QUERY]),
    ("breakers", &[NO_QUERY, ACTOR]),
    ("forceBreaker", &[BODY, OPERATORS_CALL, &[Code::NotFound], ACTOR]),
    (
        "exerciseBreaker",
        &[BODY, OPERATORS_CALL, &[Code::FaultsDisabled, Code::MerchantIdInvalid, Code::ExerciseUnderWay]],
    ),
    ("breakerExercise", &[NO_QUERY, &[Code::NotFound]]),
    ("injectFault", &[BODY, OPERATORS_CALL, &[Code::FaultsDisabled, Code::NotFound]]),
    ("jumpClock", &[BODY, OPERATORS_CALL, &[Code::FaultsDisabled, Code::TimeInvalid]]),
    ("clearFaults", &[NO_QUERY, &[Code::FaultsDisabled]]),
    ("deadLetters", &[READ, &[Code::LimitInvalid, Code::TopicInvalid, Code::StatusInvalid, Code::CursorInvalid]]),
    ("deadLetter", &[NO_QUERY, &[Code::NotFound, Code::Internal, Code::ShardUnavailable]]),
    (
        "redriveDeadLetters",
        &[
            BODY,
            OPERATORS_CALL,
            &[Code::SelectionInvalid, Code::TopicInvalid, Code::ShardUnavailable, Code::StorageUnavailable],
            ACTOR,
        ],
    ),
    (
        "discardDeadLetters",
        &[
            BODY,
            OPERATORS_CALL,
            &[Code::SelectionInvalid, Code::TopicInvalid, Code::ReasonInvalid],
            &[Code::ShardUnavailable, Code::StorageUnavailable],
            ACTOR,
        ],
    ),
    ("operatorActions", &[READ, &[Code::LimitInvalid]]),
    ("explain", &[&[Code::NotFound]]),
    ("document", &[]),
    ("docs", &[]),
];

/// Completes the document.
pub struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let methods = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            for operation in methods.into_iter().flatten() {
                let changes_payments = path.starts_with("/payments") && operation.request_body.is_some();
                let is_operators = path.starts_with("/admin") && operation.request_body.is_some();
                add_request_headers(operation, changes_payments, is_operators);
                add_problems(operation);
                add_answer_headers(operation, changes_payments);
            }
        }
    }
}

fn add_request_headers(operation: &mut Operation, changes_payments: bool, is_operators: bool) {
    let parameters = operation.parameters.get_or_insert_default();
    if changes_payments {
        let key = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(257));
        let about = "The idempotency key, if it is not in the body: 1 to 255 printable ASCII characters, bare or as a \
                     quoted string.";
        parameters.push(header_parameter("Idempotency-Key", about, key).into());
    }
    // Without patterns: what does not fit them is taken, and left aside.
    let about = "The trace to join (W3C Trace Context), `00-{32 hexadecimal digits}-{16}-{2}`; \
                 one that is not valid is \
                 left aside.";
    parameters.push(header_parameter("traceparent", about, text()).into());
    let about = "A name for the request, 1 to 64 of `A-Za-z0-9_.-`, answered again; one that is not valid is replaced.";
    parameters.push(header_parameter("X-Request-Id", about, text()).into());
    if is_operators {
        let about =
            "Who acts, for the trail of operators' actions; 1 to 64 printable ASCII characters, else `unnamed`.";
        parameters.push(header_parameter("X-Operator", about, text()).into());
    }
}

fn header_parameter(name: &str, about: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

fn add_problems(operation: &mut Operation) {
    let id = operation.operation_id.as_deref();
    let codes = CODES.iter().find(|(known, _)| Some(*known) == id).into_iter().flat_map(|(_, codes)| codes.concat());
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        operation.responses.responses.insert(status.to_string(), problem(&codes).into());
    }
}

/// A problem that has one of these codes.
fn problem(codes: &[Code]) -> Response {
    let about: Vec<_> = codes.iter().map(|code| format!("- `{}`: {}", code.name(), code.about())).collect();
    let names = codes.iter().map(|code| code.name());
    let mut own = ObjectBuilder::new().property("code", text().enum_values(Some(names)));
    for (name, schema) in codes.iter().flat_map(|code| members(*code)) {
        own = own.property(name, schema);
    }
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(own);
    let content = Content::new(Some(RefOr::T(Schema::AllOf(schema.build()))));
    ResponseBuilder::new().description(about.join("\n")).content("application/problem+json", content).build()
}

/// The members that a code brings along.
fn members(code: Code) -> Option<(&'static str, RefOr<Schema>)> {
    match code {
        Code::PaymentDeclined => Some(("payment", Ref::from_schema_name("Payment").into())),
        Code::PaymentStateConflict => Some(("paymentStatus", Ref::from_schema_name("PaymentStatus").into())),
        Code::CaptureExceedsAuthorized => Some(("capturable", integer().into())),
        Code::RefundExceedsCaptured => Some(("refundable", integer().into())),
        Code::RefundLimitReached => Some(("limit", integer().into())),
        _ => None,
    }
}

fn add_answer_headers(operation: &mut Operation, changes_payments: bool) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut add = |name: &str, schema: Object, about: &str| {
            let mut header = Header::new(schema);
            header.description = Some(about.to_owned());
            response.headers.insert(name.to_owned(), header.into());
        };
        add("X-Request-Id", text().build(), "The request's name.");
        // Bodies are refused before a limit is asked; what comes after it is counted and can be replayed.
        let is_counted = changes_payments && !matches!(status.as_str(), "400" | "413" | "415");
        if is_counted {
            let about = "The merchant's limit for the action: q calls in w seconds.";
            add("RateLimit-Policy", text().examples(["\"authorize\";q=48000;w=60"]).build(), about);
            let about = "What is left of it: r calls now, all of them again in t seconds.";
            add("RateLimit", text().examples(["\"authorize\";r=47999;t=1"]).build(), about);
        }
        if is_counted && !matches!(status.as_str(), "429" | "500") {
            let about = "There when the answer is that of an earlier call with the same key and body.";
            add("Idempotent-Replayed", text().enum_values(Some(["true"])).build(), about);
        }
        let comes_back = status == "429" || status == "503" || changes_payments && status == "409";
        if comes_back && operation.operation_id.as_deref() != Some("readiness") {
            let about = "Seconds after which the same call may succeed; with a 409 only for `idempotency_in_progress`.";
            add("Retry-After", integer(), about);
        }
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn integer() -> Object {
    let format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
    ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).format(format).build()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The operations that have their codes here.
    pub fn known_operations() -> Vec<&'static str> {
        CODES.iter().map(|(operation, _)| *operation).collect()
    }

    #[test]
    fn every_code_but_a_paths_own_is_some_operations() {
        let said: Vec<Code> = CODES.iter().flat_map(|(_, codes)| codes.concat()).collect();
        for code in Code::ALL {
            assert_eq!(said.contains(code), *code != Code::MethodNotAllowed, "{}", code.name());
        }
    }

    #[test]
    fn an_operation_has_each_code_once() {
        for (operation, codes) in CODES {
            let codes = codes.concat();
            for code in &codes {
                assert_eq!(codes.iter().filter(|other| *other == code).count(), 1, "{operation} {}", code.name());
            }
        }
    }
}
