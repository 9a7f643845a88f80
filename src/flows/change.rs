//! Capture, void and refund: one transaction each; the PSP is asked afterwards, by the workers.

use std::ops::ControlFlow;

use super::app::is_repetition;
use super::{App, Call, CallResult, FlowError, Response};
use crate::actors::admission::AdmissionPermit;
use crate::domain::commands::{Change, ChangePayment};
use crate::domain::key::{Fingerprint, KeyHash, KeyedRequest};
use crate::domain::{Bucket, PaymentId};

/// A validated request to change a payment.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    pub payment_id: PaymentId,
    pub merchant_id: String,
    pub change: Change,
    pub key: Option<String>,
    pub fingerprint: Fingerprint,
}

impl ChangeRequest {
    pub fn bucket(&self) -> Bucket {
        self.payment_id.bucket()
    }
}

impl App {
    pub async fn change(&self, permit: AdmissionPermit, request: ChangeRequest, call: &Call) -> CallResult {
        let operation = request.change.operation();
        let keyed_request = request.key.as_ref().map(|key| KeyedRequest {
            key_hash: KeyHash::new(&request.merchant_id, operation, Some(request.payment_id), key),
            fingerprint: request.fingerprint,
            key: key.clone(),
            operation,
        });
        let cached = async {
            match &keyed_request {
                Some(keyed_request) => self.cached(keyed_request, call.trace).await,
                None => None,
            }
        };
        let ((mut quota, allowed), cached) =
            tokio::join!(self.take_quota(&request.merchant_id, operation, call.trace), cached);
        let (took, merchant_id) = (allowed.is_ok(), request.merchant_id.clone());
        let result = match (cached, allowed) {
            (Some(answer), _) => answer,
            (None, Err(refused)) => {
                self.recorded_or(keyed_request.as_ref(), request.bucket(), call.trace, refused).await
            }
            (None, Ok(())) => self.execute_change(permit, request, keyed_request, call).await,
        };
        if took && is_repetition(&result) {
            self.give_quota_back(&merchant_id, operation, &mut quota);
        }
        CallResult { quota, result }
    }

    async fn execute_change(
        &self,
        permit: AdmissionPermit,
        request: ChangeRequest,
        keyed_request: Option<KeyedRequest>,
        call: &Call,
    ) -> Result<Response, FlowError> {
        let ChangeRequest { payment_id, merchant_id, change, fingerprint, .. } = request;
        let key_hash = keyed_request.as_ref().map(|keyed_request| keyed_request.key_hash);
        let order = ChangePayment {
            payment_id,
            merchant_id,
            change,
            keyed_request,
            request_id: call.request_id.clone(),
            trace: call.trace,
        };
        // Dying before this is committed changes nothing; after it, the workers go on and a repeated call is answered.
        let outcome = permit.shard().write(order).await?;
        let answer = match self.fresh(outcome) {
            ControlFlow::Continue(recorded) => Ok(Response { recorded, replayed: false }),
            ControlFlow::Break(answer) => answer,
        };
        if let (Some(key_hash), Ok(answer)) = (key_hash, &answer) {
            self.remember(key_hash, fingerprint, &answer.recorded);
        }
        answer
    }
}
