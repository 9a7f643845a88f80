//! Capture, void and refund: one transaction each; the PSP is asked afterwards, by the workers.

use std::ops::ControlFlow;

use super::{Answer, App, Call, FlowError, Performed};
use crate::actors::admission::Admitted;
use crate::domain::command::{Change, ChangeOrder};
use crate::domain::idempotency::{Fingerprint, KeyUse, Scope};
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
    pub async fn change(&self, admitted: Admitted, request: ChangeRequest, call: &Call) -> Performed {
        let operation = request.change.operation();
        let key_use = request.key.as_ref().map(|key| KeyUse {
            scope: Scope::new(&request.merchant_id, operation, Some(request.payment_id), key),
            fingerprint: request.fingerprint,
            key: key.clone(),
            operation,
        });
        let cached = async {
            match &key_use {
                Some(key_use) => self.cached(key_use, call.trace).await,
                None => None,
            }
        };
        let ((mut quota, allowed), cached) =
            tokio::join!(self.take_quota(&request.merchant_id, operation, call.trace), cached);
        let (took, merchant_id) = (allowed.is_ok(), request.merchant_id.clone());
        let result = match (cached, allowed) {
            (Some(answer), _) => answer,
            (None, Err(refused)) => self.recorded_or(key_use.as_ref(), request.bucket(), call.trace, refused).await,
            (None, Ok(())) => self.execute_change(admitted, request, key_use, call).await,
        };
        if took && matches!(&result, Ok(answer) if answer.replayed) {
            self.give_quota_back(&merchant_id, operation, &mut quota);
        }
        Performed { quota, result }
    }

    async fn execute_change(
        &self,
        admitted: Admitted,
        request: ChangeRequest,
        key_use: Option<KeyUse>,
        call: &Call,
    ) -> Result<Answer, FlowError> {
        let ChangeRequest { payment_id, merchant_id, change, fingerprint, .. } = request;
        let scope = key_use.as_ref().map(|key_use| key_use.scope);
        let order = ChangeOrder {
            payment_id,
            merchant_id,
            change,
            key_use,
            request_id: call.request_id.clone(),
            trace: call.trace,
        };
        // Dying before this is committed changes nothing; after it, the workers go on and a repeated call is answered.
        let claimed = admitted.shard().write(order).await?;
        let answer = match self.fresh(claimed) {
            ControlFlow::Continue(recorded) => Ok(Answer { recorded, replayed: false }),
            ControlFlow::Break(answer) => answer,
        };
        if let (Some(scope), Ok(answer)) = (scope, &answer) {
            self.remember(scope, fingerprint, &answer.recorded);
        }
        answer
    }
}
