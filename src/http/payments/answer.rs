//! What a call that changes something is answered.

use std::borrow::Cow;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::failure_view::FailureView;
use super::payment_view::PaymentView;
use crate::domain::outcome::{PaymentOutcome, StoredResponse};
use crate::domain::{PaymentId, RefundId};
use crate::flows::{App, Call, CallResult, FlowError, Quota};
use crate::http::endpoint::{Answer, Content};
use crate::http::problem::{Code, Problem};
use crate::http::request::{call, refuse};
use crate::runtime::LocalExecutor;

/// What can come between a sound call and its execution.
pub const EXECUTION: &[Code] = &[
    Code::IdempotencyInProgress,
    Code::IdempotencyKeyReused,
    Code::RateLimited,
    Code::Internal,
    Code::ShardUnavailable,
    Code::StorageUnavailable,
    Code::OutcomeUnknown,
];

/// The payment, and for a refund which one it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentAnswer<'a> {
    #[serde(flatten)]
    payment: PaymentView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    refund_id: Option<RefundId>,
}

/// What a call came to, the name of the limit that it counts on, and what it was for.
pub struct Called {
    result: CallResult,
    limit: &'static str,
    operation: Operation,
}

/// An operation's path, with the payment that its parameter names.
#[derive(Clone, Copy)]
pub struct Operation {
    pub path: &'static str,
    pub payment: Option<PaymentId>,
}

impl Operation {
    /// The same for every call of it, under whatever prefix: what is stored is replayed to the letter.
    fn instance(self) -> Cow<'static, str> {
        match self.payment {
            Some(id) => self.path.replace("{paymentId}", &id.to_string()).into(),
            None => self.path.into(),
        }
    }
}

/// Has a call worked on, to its end even if the caller leaves.
pub async fn perform<W>(
    http: &HttpRequest,
    app: &App,
    limit: &'static str,
    operation: Operation,
    work: impl FnOnce(App, Call) -> W,
) -> Result<Called, Problem>
where
    W: Future<Output = CallResult> + Send + 'static,
{
    let call = call(http);
    let request_id = call.request_id.clone();
    // Set where the server is made.
    let Some(local_executor) = http.app_data::<Data<LocalExecutor>>() else { return Err(Code::Internal.into()) };
    match app.perform(local_executor, call.trace, |app| work(app, call)).await {
        Some(result) => Ok(Called { result, limit, operation }),
        None => {
            tracing::error!(request.id = request_id, "a command was not performed to its end");
            Err(Problem::from(&FlowError::OutcomeUnknown))
        }
    }
}

impl Answer for Called {
    fn respond(self, request: &HttpRequest) -> HttpResponse {
        let mut response = match &self.result.result {
            Ok(answer) => {
                let mut response = stored(&answer.recorded, self.operation);
                if answer.replayed {
                    let name = HeaderName::from_static("idempotent-replayed");
                    response.headers_mut().insert(name, HeaderValue::from_static("true"));
                }
                response
            }
            Err(error) => refuse(request, &Problem::from(error)),
        };
        if let Some(quota) = &self.result.quota {
            tell_quota(&mut response, self.limit, quota);
        }
        response
    }

    fn content() -> Option<Content> {
        Some(Content::json::<PaymentAnswer<'_>>())
    }
}

/// The headers of draft-ietf-httpapi-ratelimit-headers.
fn tell_quota(response: &mut HttpResponse, limit: &'static str, quota: &Quota) {
    let policy = format!("\"{limit}\";q={};w={}", quota.limit, quota.window.as_secs());
    let reset = quota.reset.as_secs().saturating_add(u64::from(quota.reset.subsec_nanos() > 0));
    let left = format!("\"{limit}\";r={};t={reset}", quota.remaining);
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}

/// The answer that an outcome is; it depends on nothing but what was recorded, so a replay is the same to the letter.
fn stored(response: &StoredResponse, operation: Operation) -> HttpResponse {
    let problem = match &response.outcome {
        PaymentOutcome::Done { payment, refund_id } => {
            return HttpResponse::Ok().json(PaymentAnswer { payment: payment.into(), refund_id: *refund_id });
        }
        PaymentOutcome::Pending { payment } => {
            return HttpResponse::Accepted().json(PaymentAnswer { payment: payment.into(), refund_id: None });
        }
        PaymentOutcome::Declined { payment, reason } => {
            let problem = Problem::from(Code::PaymentDeclined)
                .detail(format!("The payment provider declined: {reason}."))
                .with("payment", shown(PaymentView::from(payment)));
            match &payment.failure {
                Some(failure) => problem.with("failure", shown(FailureView::from(failure))),
                // Answered by the version before.
                None => problem,
            }
        }
        // The resolver found it out; it is recorded nowhere.
        PaymentOutcome::NotSent { .. } => {
            Problem::from(Code::PspNotReached).retry_after(std::time::Duration::from_secs(1))
        }
        PaymentOutcome::Refused { refusal } => Problem::from(refusal),
    };
    problem.respond(&response.request_id, &operation.instance())
}

fn shown(view: impl Serialize) -> Value {
    // Texts, integers and a map with text keys: it always has a JSON form.
    serde_json::to_value(view).unwrap_or_default()
}
