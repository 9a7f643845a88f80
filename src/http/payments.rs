//! `/payments`: authorize, capture, void, refund, look up and list.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::header::{self, HeaderName};
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{self, ChangeKind};
use super::event_loop_delay::EventLoopDelay;
use super::openapi::{AuthorizeBody, CaptureBody, RefundBody, VoidBody};
use super::problem::{Code, Problem};
use super::query;
use super::request::{call, refuse};
use crate::domain::outcome::{PaymentOutcome, PaymentSnapshot, StoredResponse};
use crate::domain::payment::PaymentStatus;
use crate::domain::{PaymentId, RefundId};
use crate::flows::{App, CallResult, Cursor, Expand, FlowError, Page, PaymentDetails, Priority, Quota, TimelinePart};
use crate::runtime::LocalExecutor;

/// As a name: a text is copied into one for each look.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a body may have.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    pub bytes: usize,
    /// How long all of it may take to come.
    pub within: Duration,
}

/// The payment, and for a refund which one it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentAnswer<'a> {
    #[serde(flatten)]
    payment: &'a PaymentSnapshot,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    refund_id: Option<RefundId>,
}

#[utoipa::path(
    post,
    path = "/payments/authorize",
    tag = "payments",
    operation_id = "authorize",
    description = "Authorizes a payment at the payment provider. Needs an idempotency key.",
    request_body = AuthorizeBody,
    responses(
        (status = 200, description = "The payment is authorized", body = PaymentAnswer),
        (status = 202,
            description = "The provider's answer is not known; the payment is UNKNOWN and will be resolved",
            body = PaymentAnswer),
    )
)]
pub async fn authorize(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    local_executor: Data<LocalExecutor>,
) -> HttpResponse {
    let read = async {
        let key = header_key(&request)?;
        let bytes = read_body(&request, payload).await?;
        admit(&request, &app, Priority::New)?;
        let order = body::authorize(&bytes, key.as_deref(), app.amount_max())?;
        let permit = app.admit(order.bucket(), Priority::New).map_err(|error| Problem::from(&error))?;
        Ok((order, permit))
    };
    match read.await {
        Ok((order, permit)) => {
            let call = call(&request);
            let performed = app
                .perform(&local_executor, call.trace, |app| async move { app.authorize(permit, order, &call).await })
                .await;
            answer(&request, "authorize", performed)
        }
        Err(problem) => refuse(&request, &problem),
    }
}

#[utoipa::path(
    post,
    path = "/payments/capture/{paymentId}",
    tag = "payments",
    operation_id = "capture",
    description = "Asks for the capture of an authorized payment, or of a part; the rest is released. One that failed \
        can be asked for again.",
    params(("paymentId" = String, Path, description = "The payment", pattern = "^pay_[0-9A-HJKMNP-TV-Z]{13}$")),
    request_body = CaptureBody,
    responses(
        (status = 200,
            description = "The capture is requested; the payment becomes CAPTURED", body = PaymentAnswer)
    )
)]
pub async fn capture(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    local_executor: Data<LocalExecutor>,
    id: Path<String>,
) -> HttpResponse {
    change(ChangeKind::Capture, request, payload, app, local_executor, id).await
}

#[utoipa::path(
    post,
    path = "/payments/void/{paymentId}",
    tag = "payments",
    operation_id = "void",
    description = "Gives up an authorization, also one whose capture has failed.",
    params(("paymentId" = String, Path, description = "The payment", pattern = "^pay_[0-9A-HJKMNP-TV-Z]{13}$")),
    request_body = VoidBody,
    responses((status = 200, description = "The payment is voided", body = PaymentAnswer))
)]
pub async fn void(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    local_executor: Data<LocalExecutor>,
    id: Path<String>,
) -> HttpResponse {
    change(ChangeKind::Void, request, payload, app, local_executor, id).await
}

#[utoipa::path(
    post,
    path = "/payments/refund/{paymentId}",
    tag = "payments",
    operation_id = "refund",
    description = "Asks for a refund of what was captured, or of a part, which needs an idempotency key. While the \
        capture is under way the refund waits for it, and fails with it.",
    params(("paymentId" = String, Path, description = "The payment", pattern = "^pay_[0-9A-HJKMNP-TV-Z]{13}$")),
    request_body = RefundBody,
    responses((status = 200, description = "The refund is requested; the payment becomes REFUNDED or \
        PARTIALLY_REFUNDED", body = PaymentAnswer))
)]
pub async fn refund(
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    local_executor: Data<LocalExecutor>,
    id: Path<String>,
) -> HttpResponse {
    change(ChangeKind::Refund, request, payload, app, local_executor, id).await
}

async fn change(
    operation: ChangeKind,
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
    local_executor: Data<LocalExecutor>,
    id: Path<String>,
) -> HttpResponse {
    let read = async {
        let key = header_key(&request)?;
        let bytes = read_body(&request, payload).await?;
        admit(&request, &app, Priority::Ongoing)?;
        let order = body::change(operation, payment_id(&id)?, &bytes, key.as_deref(), app.amount_max())?;
        let permit = app.admit(order.bucket(), Priority::Ongoing).map_err(|error| Problem::from(&error))?;
        Ok((order, permit))
    };
    let limit = match operation {
        ChangeKind::Capture | ChangeKind::Void => "capture",
        ChangeKind::Refund => "refund",
    };
    match read.await {
        Ok((order, permit)) => {
            let call = call(&request);
            let performed = app
                .perform(&local_executor, call.trace, |app| async move { app.change(permit, order, &call).await })
                .await;
            answer(&request, limit, performed)
        }
        Err(problem) => refuse(&request, &problem),
    }
}

#[utoipa::path(
    get,
    path = "/payments/{paymentId}",
    tag = "payments",
    operation_id = "lookUp",
    description = "Shows a payment.",
    params(
        ("paymentId" = String, Path, description = "The payment", pattern = "^pay_[0-9A-HJKMNP-TV-Z]{13}$"),
        ("expand" = Option<String>, Query,
            description = "Any of refunds, ledger and events, with commas between them",
            pattern = "^(refunds|ledger|events)(,(refunds|ledger|events))*$"),
        ("limit" = Option<u32>, Query,
            description = "How much of each list is shown: 1 to 100; 100 if not given", minimum = 1, maximum = 100),
        ("startingAfter" = Option<String>, Query, description = "The last one of the list's page before: the page \
            behind it. With one list only", pattern = "^(ref|ent|evt)_[0-9A-HJKMNP-TV-Z]{13}$"),
    ),
    responses((status = 200, description = "The payment", body = PaymentDetails))
)]
pub async fn look_up(request: HttpRequest, app: Data<App>, id: Path<String>) -> HttpResponse {
    let found = async {
        let expand = query::expand(request.query_string())?;
        app.look_up(payment_id(&id)?, expand).await.map_err(|error| Problem::from(&error))
    };
    shown(&request, found.await)
}

#[utoipa::path(
    get,
    path = "/payments/{paymentId}/timeline",
    tag = "payments",
    operation_id = "timeline",
    description = "Tells every decision, call to the provider, retry and event in the order of writing, and each \
        ledger entry behind its event.",
    params(
        ("paymentId" = String, Path, description = "The payment", pattern = "^pay_[0-9A-HJKMNP-TV-Z]{13}$"),
        ("limit" = Option<u32>, Query,
            description = "1 to 100; 100 if not given. Ledger entries do not count", minimum = 1, maximum = 100),
        ("startingAfter" = Option<String>, Query,
            description = "What the page before gave as next", pattern = "^[0-9]{1,9}$"),
    ),
    responses((status = 200, description = "What happened", body = TimelinePart))
)]
pub async fn timeline(request: HttpRequest, app: Data<App>, id: Path<String>) -> HttpResponse {
    let found = async {
        let (after, limit) = query::timeline(request.query_string())?;
        app.timeline(payment_id(&id)?, after, limit).await.map_err(|error| Problem::from(&error))
    };
    shown(&request, found.await)
}

#[utoipa::path(
    get,
    path = "/payments",
    tag = "payments",
    operation_id = "list",
    description = "Lists a merchant's payments, newest first.",
    params(
        ("merchantId" = String, Query, description = "The merchant", pattern = "^[A-Za-z0-9_-]{1,32}$"),
        ("status" = Option<PaymentStatus>, Query, description = "Only payments that have this status"),
        ("createdAfter" = Option<String>, Query, description = "RFC 3339, exclusive", format = DateTime),
        ("createdBefore" = Option<String>, Query, description = "RFC 3339, exclusive", format = DateTime),
        ("limit" = Option<u32>, Query, description = "1 to 100; 20 if not given", minimum = 1, maximum = 100),
        ("startingAfter" = Option<String>, Query, description = "The last payment of the page before: the page of \
            older ones. Not with endingBefore", pattern = "^pay_[0-9A-HJKMNP-TV-Z]{13}$"),
        ("endingBefore" = Option<String>, Query, description = "The first payment of the page before: the page of \
            newer ones. Not with startingAfter", pattern = "^pay_[0-9A-HJKMNP-TV-Z]{13}$"),
    ),
    responses((status = 200, description = "One page", body = Page))
)]
pub async fn list(request: HttpRequest, app: Data<App>) -> HttpResponse {
    let found = async {
        let query = query::list(request.query_string())?;
        if let Some(Cursor::StartingAfter(id) | Cursor::EndingBefore(id)) = query.cursor {
            check_cursor(&app, id, &query.merchant_id).await?;
        }
        app.list(query).await.map_err(|error| Problem::from(&error))
    };
    shown(&request, found.await)
}

/// A cursor is the id of one of the merchant's payments: a forged one would list from anywhere and never be noticed.
async fn check_cursor(app: &App, id: PaymentId, merchant_id: &str) -> Result<(), Problem> {
    match app.look_up(id, Expand::default()).await {
        Ok(found) if found.payment.merchant_id == merchant_id => Ok(()),
        // It is there, and of the merchant's bucket: whoever pages past it must not be stopped by it.
        Err(FlowError::Internal) => Ok(()),
        Ok(_) | Err(FlowError::PaymentNotFound) => Err(Code::CursorInvalid.into()),
        Err(error) => Err(Problem::from(&error)),
    }
}

/// What was found, or why not.
pub fn shown(request: &HttpRequest, found: Result<impl Serialize, Problem>) -> HttpResponse {
    match found {
        Ok(value) => HttpResponse::Ok().json(value),
        Err(problem) => refuse(request, &problem),
    }
}

/// An id that is not of our form is answered as one that is unknown.
fn payment_id(text: &str) -> Result<PaymentId, Problem> {
    text.parse().map_err(|_| Code::PaymentNotFound.into())
}

fn header_key(request: &HttpRequest) -> Result<Option<Cow<'_, str>>, Problem> {
    body::header_key(request.headers().get_all(&IDEMPOTENCY_KEY).map(|value| value.as_bytes()))
}

/// Refuses work while this thread is late. Not before the body is read: the connection could not be used again.
fn admit(request: &HttpRequest, app: &App, work: Priority) -> Result<(), Problem> {
    let lets_in = |lag: &Data<EventLoopDelay>| app.admission.thread_lets_in(lag.is_late(), lag.is_in_time(), work);
    if request.app_data::<Data<EventLoopDelay>>().is_none_or(lets_in) {
        Ok(())
    } else {
        Err(Problem::from(Code::Overloaded).retry_after(Duration::from_secs(1)))
    }
}

/// Reads a JSON body: its type and announced length are looked at before anything is read.
pub async fn read_body(request: &HttpRequest, payload: Payload) -> Result<Bytes, Problem> {
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

fn answer(request: &HttpRequest, limit: &'static str, performed: Option<CallResult>) -> HttpResponse {
    let Some(performed) = performed else {
        tracing::error!(request.id = call(request).request_id, "a command was not performed to its end");
        return refuse(request, &Problem::from(&FlowError::OutcomeUnknown));
    };
    let mut response = match &performed.result {
        Ok(answer) => {
            let mut response = recorded(&answer.recorded);
            if answer.replayed {
                let name = header::HeaderName::from_static("idempotent-replayed");
                response.headers_mut().insert(name, header::HeaderValue::from_static("true"));
            }
            response
        }
        Err(error) => refuse(request, &Problem::from(error)),
    };
    if let Some(quota) = &performed.quota {
        tell_quota(&mut response, limit, quota);
    }
    response
}

/// The headers of draft-ietf-httpapi-ratelimit-headers.
fn tell_quota(response: &mut HttpResponse, limit: &'static str, quota: &Quota) {
    let policy = format!("\"{limit}\";q={};w={}", quota.limit, quota.window.as_secs());
    let reset = quota.reset.as_secs().saturating_add(u64::from(quota.reset.subsec_nanos() > 0));
    let left = format!("\"{limit}\";r={};t={reset}", quota.remaining);
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = header::HeaderValue::try_from(text) {
            response.headers_mut().insert(header::HeaderName::from_static(name), value);
        }
    }
}

/// The answer that an outcome is; it depends on nothing but what was recorded, so a replay is the same to the letter.
fn recorded(recorded: &StoredResponse) -> HttpResponse {
    let problem = match &recorded.outcome {
        PaymentOutcome::Done { payment, refund_id } => {
            return HttpResponse::Ok().json(PaymentAnswer { payment, refund_id: *refund_id });
        }
        PaymentOutcome::Pending { payment } => {
            return HttpResponse::Accepted().json(PaymentAnswer { payment, refund_id: None });
        }
        PaymentOutcome::Declined { payment, reason } => Problem::from(Code::PaymentDeclined)
            .detail(format!("The payment provider declined: {reason}."))
            .with("payment", shown_payment(payment)),
        // The resolver found it out; it is recorded nowhere.
        PaymentOutcome::NotSent { .. } => Problem::from(Code::PspNotReached).retry_after(Duration::from_secs(1)),
        PaymentOutcome::Refused { refusal } => Problem::from(refusal),
    };
    problem.respond(&recorded.request_id, None)
}

fn shown_payment(payment: &PaymentSnapshot) -> Value {
    // Texts, integers and a map with text keys: it always has a JSON form.
    serde_json::to_value(payment).unwrap_or_default()
}
