//! Problems (RFC 9457): every error that the API answers, each with its code, status and title in one place.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::payment::Refusal;
use crate::flows::FlowError;

macro_rules! codes {
    ($($variant:ident $code:literal $status:literal $retryable:literal $title:literal $about:literal;)*) => {
        /// What went wrong, in one word: the contract with callers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $(#[doc = $about] $variant,)*
        }

        impl Code {
            /// Every code that the API can answer.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is written.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            pub fn status(self) -> StatusCode {
                let status: u16 = match self { $(Self::$variant => $status,)* };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Whether the same call may succeed later without being changed.
            pub fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)* }
            }

            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What it means, and what to do.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

codes! {
    MalformedRequest "malformed_request" 400 false "The request is not valid HTTP"
        "Its first line, a header, or what the headers say together is not allowed in HTTP/1.1. The connection is \
         closed.";
    MalformedJson "malformed_json" 400 false "The body is not valid JSON"
        "The body is not JSON, is cut off, is nested too deep, repeats a member, or is no object.";
    UnknownField "unknown_field" 400 false "The body has an unknown field"
        "A member that the call does not know, often a misspelling; `errors` points at it.";
    FieldMissing "field_missing" 400 false "A required field is missing"
        "`errors` points at the member that has to be there.";
    FieldTypeInvalid "field_type_invalid" 400 false "A field has the wrong type"
        "`errors` points at the member; texts are JSON strings without control characters, metadata is an object of \
         texts.";
    NumberOutOfRange "number_out_of_range" 422 false "A number is out of its range"
        "`errors` points at it, with the smallest and the largest that are taken.";
    AmountNotInteger "amount_not_integer" 400 false "The amount is not an integer"
        "Amounts are JSON integers in the currency's minor unit: no fraction, no exponent, no quotes.";
    MerchantIdInvalid "merchant_id_invalid" 400 false "The merchant id is invalid"
        "1 to 32 characters of A-Z, a-z, 0-9, _ and -.";
    IdempotencyKeyMissing "idempotency_key_missing" 400 false "An idempotency key is required"
        "Give `idempotencyKey` in the body or the header `Idempotency-Key`.";
    IdempotencyKeyInvalid "idempotency_key_invalid" 400 false "The idempotency key is invalid"
        "1 to 255 printable ASCII characters, in one place, or the same in header and body. In the header it may be a \
         quoted string (RFC 9651), whose parameters are left aside.";
    CursorInvalid "cursor_invalid" 400 false "The cursor is invalid"
        "`startingAfter` or `endingBefore`, one of them, is the id of one of what the list shows of the merchant.";
    LimitInvalid "limit_invalid" 400 false "The limit is invalid" "`limit` is 1 to 100.";
    StatusInvalid "status_invalid" 400 false "The status is unknown"
        "`status` is one of the statuses that the list has, or several with commas between them.";
    TopicInvalid "topic_invalid" 400 false "The topic is no dead-letter topic"
        "One of `payment.dlq`, `settlement.dlq` and `refund.dlq`.";
    SelectionInvalid "selection_invalid" 400 false "It is not clear which dead letters are meant"
        "Give one of `ids` (up to 1 000), `filter` and `all: true`.";
    OperatorInvalid "operator_invalid" 400 false "The operator's name is invalid"
        "`X-Operator` says who acts: 1 to 64 printable characters in UTF-8, in one place; nothing was done.";
    ReasonInvalid "reason_invalid" 422 false "The reason is invalid"
        "1 to 255 printable characters, for a breaker 1 to 200; no line ends.";
    MerchantReferenceInvalid "merchant_reference_invalid" 400 false "The merchant reference is invalid"
        "1 to 64 printable ASCII characters without spaces.";
    TimeInvalid "time_invalid" 400 false "The time is invalid" "Times are RFC 3339, with an offset, such \
        as 2026-11-23T09:30:00Z; in a query the plus sign of an offset is written `%2B`.";
    ExpandInvalid "expand_invalid" 400 false "There is nothing of that name to expand"
        "`expand` is a list of `refunds`, `ledger` and `events`.";
    UnknownParameter "unknown_parameter" 400 false "The query has an unknown parameter"
        "A parameter that the call does not know, or one given twice; `errors` has those that it knows.";
    PaymentDeclined "payment_declined" 402 false "The payment was declined"
        "The payment provider declined; the payment is in the answer. Another try needs another key.";
    FaultsDisabled "faults_disabled" 403 false "Faults are disabled" "Set `faults.enabled` to inject faults.";
    OriginNotAllowed "origin_not_allowed" 403 false "Pages of other origins may not ask here"
        "A browser sent this for a page that is not of this node (`Origin`, `Sec-Fetch-Site`).";
    PaymentNotFound "payment_not_found" 404 false "There is no such payment"
        "The id is unknown, is not of our form, or belongs to another merchant.";
    RefundNotFound "refund_not_found" 404 false "There is no such refund"
        "The id is unknown, is not of our form, or belongs to another merchant.";
    NotFound "not_found" 404 false "There is nothing here" "The path is not one of the API's.";
    MethodNotAllowed "method_not_allowed" 405 false "The method is not allowed" "`Allow` names those that are.";
    IdempotencyInProgress "idempotency_in_progress" 409 true "The key's first call is still running"
        "Come back after `Retry-After` with the same key and body.";
    PaymentStateConflict "payment_state_conflict" 409 false "The payment's state forbids this"
        "`paymentStatus` is the state that it has.";
    MerchantReferenceUsed "merchant_reference_used" 409 false "Another payment has the reference"
        "It was to be unique, and `paymentId` is the merchant's payment that has it; nothing was recorded \
         under the key.";
    ExerciseUnderWay "exercise_under_way" 409 true "An exercise is under way" "Its steps are at the same path.";
    RequestTimeout "request_timeout" 408 true "The request came too slowly"
        "It was not complete in time; nothing was done. Send it again, at once and whole. The connection is closed.";
    BodyTooLarge "body_too_large" 413 false "The body is too large"
        "Bodies are at most 64 KiB, as they are sent and when they are decoded.";
    UnsupportedMediaType "unsupported_media_type" 415 false "The content type is not supported"
        "Send `Content-Type: application/json`, in UTF-8. If `Accept-Encoding` is in the answer, it names what \
         `Content-Encoding` may say.";
    HostNotServed "host_not_served" 421 false "The node is not served under this name"
        "`Host` is a name that the node was not told of: use its address, or have the name added to `http.names`.";
    HeadersTooLarge "headers_too_large" 431 false "The request's headers are too large"
        "First line and headers have at most 32 KiB together, and there are at most 96. The connection is closed.";
    AmountInvalid "amount_invalid" 422 false "The amount is not above zero" "Amounts are 1 and above.";
    AmountTooLarge "amount_too_large" 422 false "The amount is too large" "It is above what one payment may have, \
        which `errors` says.";
    CurrencyUnsupported "currency_unsupported" 422 false "The currency is not supported"
        "Three upper-case letters of an ISO 4217 currency in which people pay: none that is withdrawn, and no fund, \
         unit of account, metal or code for tests.";
    CardNumberNotAllowed "card_number_not_allowed" 422 false "A text holds a card number"
        "Card numbers do not belong in texts, keys, ids, names, metadata or queries; nothing of the request was kept.";
    MetadataTooLarge "metadata_too_large" 422 false "The metadata is too large"
        "At most 50 keys of 40 characters with values of 500.";
    BalanceTooOld "balance_too_old" 422 false "The time is too far back"
        "More than 50 000 entries were booked for the merchant since then. Go through the entries instead.";
    TextTooLong "text_too_long" 422 false "A text is too long"
        "A description has at most 500 characters, a reason 255.";
    IdempotencyKeyReused "idempotency_key_reused" 422 false "The key was used for another request"
        "A key stands for one request; another request needs another key.";
    CaptureExceedsAuthorized "capture_exceeds_authorized" 422 false "More than is authorized"
        "`capturable` is what can be captured.";
    RefundExceedsCaptured "refund_exceeds_captured" 422 false "More than was captured"
        "`refundable` is what can still be refunded.";
    RefundLimitReached "refund_limit_reached" 422 false "The payment has had all its refunds"
        "A payment may have only so many refunds, whatever their amounts; `limit` is how many.";
    RateLimited "rate_limited" 429 true "The rate limit is used up" "Come back after `Retry-After`.";
    Internal "internal" 500 false "Something went wrong here"
        "The fault is not the call's, and repeating it does not help; `requestId` tells the operator where to look.";
    HttpVersionNotSupported "http_version_not_supported" 505 false "The HTTP version is not supported"
        "HTTP/1.1 and HTTP/1.0 are. The connection is closed.";
    PspUnavailable "psp_unavailable" 503 true "The payment provider is unavailable"
        "It is being left alone for a while; nothing was sent. Come back after `Retry-After`, with the same key if \
         you like. Without `Retry-After` an operator holds the breaker open, and ends it when the cause is gone.";
    PspNotReached "psp_not_reached" 503 true "The payment provider cannot be reached"
        "It refused the connection; nothing was sent, and nothing is recorded under the key. Make the same call again.";
    Overloaded "overloaded" 503 true "Too much is waiting" "Come back after `Retry-After`.";
    ShardUnavailable "shard_unavailable" 503 true "The merchant's data are unavailable" "Come back after \
        `Retry-After`.";
    StorageUnavailable "storage_unavailable" 503 true "The storage is unavailable"
        "The disk of the merchant's data is full or read-only, or a commit failed; nothing was done. For the trail of \
         operators' actions, the control store is away. Come back after `Retry-After`.";
    OutcomeUnknown "outcome_unknown" 503 true "The outcome is not known"
        "It was interrupted, and may or may not be done: repeat the call with the same key, it is executed once at \
         most.";
}

/// The codings in which bodies may come, as `Accept-Encoding` names them.
pub const CODINGS: &str = "gzip, deflate";

/// One thing of a request that is wrong: where it is (one of `pointer`, `parameter` and `header`), and what would be
/// right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where in the body, as a JSON pointer (RFC 6901). A name that holds a card number is not said back: the pointer
    /// then ends before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/amount")]
    pub pointer: Option<String>,
    /// The parameter of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "limit")]
    pub parameter: Option<Cow<'static, str>>,
    /// The header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "Idempotency-Key")]
    pub header: Option<&'static str>,
    pub code: Code,
    /// Why, and what would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub detail: Option<Cow<'static, str>>,
    /// All values, or names, that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub allowed: Option<Vec<&'static str>>,
    /// The smallest number that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    /// The largest number that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
}

/// What a code says of the values that are taken; nothing where its text leads here.
fn rule(code: Code) -> Option<&'static str> {
    let about = code.about();
    (!about.contains("`errors`")).then_some(about)
}

impl FieldError {
    fn new(code: Code) -> Self {
        Self {
            pointer: None,
            parameter: None,
            header: None,
            code,
            detail: None,
            allowed: None,
            minimum: None,
            maximum: None,
        }
    }

    /// In the body.
    pub fn at(pointer: String, code: Code) -> Self {
        Self { pointer: Some(pointer), detail: rule(code).map(Cow::Borrowed), ..Self::new(code) }
    }

    /// In the query.
    pub fn of_parameter(name: impl Into<Cow<'static, str>>, code: Code) -> Self {
        Self { parameter: Some(name.into()), ..Self::new(code) }
    }

    pub fn of_header(name: &'static str, code: Code) -> Self {
        Self { header: Some(name), ..Self::new(code) }
    }

    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// It takes no other number.
    pub fn between(mut self, minimum: i64, maximum: i64) -> Self {
        (self.minimum, self.maximum) = (Some(minimum), Some(maximum));
        self
    }
}

/// One problem, before it is known which request it answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub code: Code,
    detail: Option<String>,
    pub errors: Vec<FieldError>,
    more: Map<String, Value>,
    retry_after: Option<Duration>,
    allow: Option<Arc<str>>,
    names_codings: bool,
}

/// The body of a problem.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// The request's path; for calls that make or change a payment one path of the operation, whichever they came by:
    /// their answers are replayed to the letter. A path that holds a card number is not said back: the operation's
    /// pattern stands for it.
    instance: &'a str,
    code: Code,
    request_id: &'a str,
    /// Whether the same call may succeed later.
    retryable: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// What belongs to the code: `payment`, `paymentId`, `paymentStatus`, `capturable`, `refundable`.
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            more: Map::new(),
            retry_after: None,
            allow: None,
            names_codings: false,
        }
    }
}

impl Problem {
    /// The problem of a body with wrong fields: the first one's code, and all of them in `errors`.
    pub fn of_fields(errors: Vec<FieldError>) -> Option<Self> {
        let code = errors.first()?.code;
        Some(Self { errors, ..code.into() })
    }

    /// The problem of one thing that is wrong.
    pub fn of_field(error: FieldError) -> Self {
        let code = error.code;
        Self { errors: vec![error], ..code.into() }
    }

    /// Why, if it was said.
    fn why(&self) -> Option<&str> {
        self.detail.as_deref().or_else(|| self.errors.first()?.detail.as_deref())
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// A member of its own.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub fn allow(mut self, methods: Arc<str>) -> Self {
        self.allow = Some(methods);
        self
    }

    /// With the codings that a body may have.
    pub fn naming_codings(mut self) -> Self {
        self.names_codings = true;
        self
    }

    /// The answer to the request `request_id`, which was for `instance`.
    pub fn respond(&self, request_id: &str, instance: &str) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.code.status());
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Some(wait) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, whole_seconds(wait).to_string()));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((header::ALLOW, methods.as_ref()));
        }
        if self.names_codings {
            response.insert_header((header::ACCEPT_ENCODING, CODINGS));
        }
        let body = ProblemBody {
            kind: format!("/problems/{}", self.code.name()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.why(),
            instance,
            code: self.code,
            request_id,
            retryable: self.code.is_retryable(),
            errors: &self.errors,
            more: &self.more,
        };
        // Texts, integers and JSON values: it always has a JSON form.
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

/// Seconds to wait, rounded up, one at least.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<&FlowError> for Problem {
    fn from(error: &FlowError) -> Self {
        match error {
            FlowError::RateLimited { retry_after } => Self::from(Code::RateLimited).retry_after(*retry_after),
            FlowError::KeyInProgress => Self::from(Code::IdempotencyInProgress).retry_after(Duration::from_secs(1)),
            FlowError::KeyReused => Code::IdempotencyKeyReused.into(),
            FlowError::PaymentNotFound => Code::PaymentNotFound.into(),
            FlowError::RefundNotFound => Code::RefundNotFound.into(),
            FlowError::ReferenceUsed { payment_id } => Self::from(Code::MerchantReferenceUsed)
                .detail(format!("{payment_id} has the reference."))
                .with("paymentId", payment_id.to_string().into()),
            FlowError::BalanceTooOld => Code::BalanceTooOld.into(),
            FlowError::PspUnavailable { retry_after: Some(wait) } => {
                Self::from(Code::PspUnavailable).retry_after(*wait)
            }
            FlowError::PspUnavailable { retry_after: None } => Self::from(Code::PspUnavailable)
                .detail("An operator holds the breaker open; nothing was sent. Nobody knows for how long."),
            FlowError::PspNotReached { retry_after } => Self::from(Code::PspNotReached).retry_after(*retry_after),
            FlowError::Overloaded { retry_after } => Self::from(Code::Overloaded).retry_after(*retry_after),
            FlowError::ShardUnavailable { retry_after } => Self::from(Code::ShardUnavailable).retry_after(*retry_after),
            FlowError::StorageUnavailable { retry_after } => {
                Self::from(Code::StorageUnavailable).retry_after(*retry_after)
            }
            FlowError::ControlUnavailable { retry_after } => {
                Self::from(Code::StorageUnavailable).detail("The control store is away.").retry_after(*retry_after)
            }
            FlowError::OutcomeUnknown => Self::from(Code::OutcomeUnknown).retry_after(Duration::from_secs(1)),
            FlowError::Internal => Code::Internal.into(),
            FlowError::TextsTooLarge => Code::MetadataTooLarge.into(),
        }
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::PaymentNotFound => Code::PaymentNotFound.into(),
            Refusal::StateConflict { status } => Self::from(Code::PaymentStateConflict)
                .detail(format!("The payment is {}.", status.name()))
                .with("paymentStatus", status.name().into()),
            Refusal::CaptureExceedsAuthorized { capturable } => Self::from(Code::CaptureExceedsAuthorized)
                .detail(format!("{capturable} can be captured."))
                .with("capturable", (*capturable).into()),
            Refusal::RefundExceedsCaptured { refundable } => Self::from(Code::RefundExceedsCaptured)
                .detail(format!("{refundable} can be refunded."))
                .with("refundable", (*refundable).into()),
            Refusal::RefundLimitReached { limit } => Self::from(Code::RefundLimitReached)
                .detail(format!("A payment may have {limit} refunds."))
                .with("limit", (*limit).into()),
            Refusal::AmountOverflow => Code::Internal.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::PaymentId;

    #[test]
    fn a_code_is_written_as_it_is_serialized_and_once() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            assert!(seen.insert(code.name()), "{}", code.name());
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{}", code.name());
            assert!(!code.title().is_empty() && !code.about().is_empty());
        }
    }

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        for (wait_ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (29_500, 30)] {
            assert_eq!(whole_seconds(Duration::from_millis(wait_ms)), seconds, "{wait_ms}");
        }
    }

    #[test]
    fn every_flow_error_and_refusal_has_its_problem() {
        let retry_after = Duration::from_secs(2);
        for (error, code) in [
            (FlowError::RateLimited { retry_after }, Code::RateLimited),
            (FlowError::KeyInProgress, Code::IdempotencyInProgress),
            (FlowError::KeyReused, Code::IdempotencyKeyReused),
            (FlowError::PaymentNotFound, Code::PaymentNotFound),
            (FlowError::RefundNotFound, Code::RefundNotFound),
            (FlowError::ReferenceUsed { payment_id: PaymentId::from_stored(1) }, Code::MerchantReferenceUsed),
            (FlowError::BalanceTooOld, Code::BalanceTooOld),
            (FlowError::PspUnavailable { retry_after: Some(retry_after) }, Code::PspUnavailable),
            (FlowError::PspNotReached { retry_after }, Code::PspNotReached),
            (FlowError::Overloaded { retry_after }, Code::Overloaded),
            (FlowError::ShardUnavailable { retry_after }, Code::ShardUnavailable),
            (FlowError::StorageUnavailable { retry_after }, Code::StorageUnavailable),
            (FlowError::ControlUnavailable { retry_after }, Code::StorageUnavailable),
            (FlowError::OutcomeUnknown, Code::OutcomeUnknown),
            (FlowError::Internal, Code::Internal),
            (FlowError::TextsTooLarge, Code::MetadataTooLarge),
        ] {
            let problem = Problem::from(&error);
            assert_eq!(problem.code, code);
            let response = problem.respond("req_1", "/payments");
            assert_eq!(response.headers().contains_key("retry-after"), code.is_retryable());
        }
        let refused = Problem::from(&Refusal::RefundExceedsCaptured { refundable: 40 });
        assert_eq!(refused.more["refundable"], 40);
    }
}
