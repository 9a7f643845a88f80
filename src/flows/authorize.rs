//! Authorize: commit an intent, ask the PSP, commit the outcome.

use std::ops::ControlFlow;
use std::time::Duration;

use super::app::is_repetition;
use super::{App, Call, CallResult, FlowError, Response};
use crate::actors::admission::AdmissionPermit;
use crate::actors::guarded_psp::Asked;
use crate::actors::shard_writer::WriteError;
use crate::actors::shards::Shard;
use crate::domain::commands::{AbandonAuthorization, Authorize, RecordPspOutcome};
use crate::domain::key::{Fingerprint, KeyHash, KeyedRequest, PaymentOperation};
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::psp::{PspKey, Verdict};
use crate::domain::reference::MerchantReference;
use crate::domain::{Bucket, Money, PaymentId};
use crate::infra::psp::{Action, PspOperation};

/// A validated request to authorize.
#[derive(Debug, Clone)]
pub struct AuthorizeRequest {
    pub merchant_id: String,
    pub money: Money,
    pub capture_mode: CaptureMode,
    pub merchant_reference: Option<MerchantReference>,
    pub description: Option<String>,
    pub metadata: Metadata,
    pub key: String,
    pub fingerprint: Fingerprint,
}

impl AuthorizeRequest {
    pub fn bucket(&self) -> Bucket {
        Bucket::of_merchant(&self.merchant_id)
    }
}

/// Times that an outcome is brought to the shard again after its writer died with it in hand.
const CONCLUDE_RETRIES: u32 = 3;
/// When to try again after the PSP could not be reached: connections are refused for moments, or the breaker opens.
const PSP_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whether a payment's texts take at most so many bytes as JSON. They are written to find out only where they could be
/// too long: in JSON a byte becomes six at most, and a text has less than eight bytes around it.
fn texts_fit(description: &Option<String>, metadata: &Metadata, bytes_max: usize) -> bool {
    let texts = metadata.iter().flat_map(|(key, value)| [key, value]).chain(description);
    let at_most = texts.fold(8, |sum: usize, text| sum.saturating_add(text.len().saturating_mul(6)).saturating_add(8));
    at_most <= bytes_max || written_bytes(description).saturating_add(written_bytes(metadata)) <= bytes_max
}

/// How long a value is as JSON.
fn written_bytes(value: &impl serde::Serialize) -> usize {
    // Texts and maps of texts always have a JSON form.
    serde_json::to_string(value).map_or(0, |text| text.len())
}

impl App {
    pub async fn authorize(&self, permit: AdmissionPermit, request: AuthorizeRequest, call: &Call) -> CallResult {
        let key_hash = KeyHash::new(&request.merchant_id, PaymentOperation::Authorize, None, &request.key);
        let keyed_request = KeyedRequest {
            key_hash,
            fingerprint: request.fingerprint,
            key: request.key.clone(),
            operation: PaymentOperation::Authorize,
        };
        // Three questions to three actors, none of which changes anything for the others: asked at once.
        let ((mut quota, allowed), cached, can_ask_psp) = tokio::join!(
            self.take_quota(&request.merchant_id, PaymentOperation::Authorize, call.trace),
            self.cached(&keyed_request, call.trace),
            self.psp.check(),
        );
        let (took, merchant_id) = (allowed.is_ok(), request.merchant_id.clone());
        let result = match (cached, allowed, can_ask_psp) {
            (Some(answer), _, _) => answer,
            // A used-up limit or an open breaker refuses before anything is written, unless the key has its answer.
            (None, Err(refused), _) => {
                self.recorded_or(Some(&keyed_request), request.bucket(), call.trace, refused).await
            }
            (None, Ok(()), Err(open)) => {
                #[cfg(test)]
                if crate::domain::planted::is_planted(crate::domain::planted::Bug::BreakerBeforeKey) {
                    return CallResult { quota, result: Err(open.into()) };
                }
                self.recorded_or(Some(&keyed_request), request.bucket(), call.trace, open.into()).await
            }
            (None, Ok(()), Ok(())) => self.execute(permit, request, keyed_request, call).await,
        };
        if took && is_repetition(&result) {
            self.give_quota_back(&merchant_id, PaymentOperation::Authorize, &mut quota);
        }
        CallResult { quota, result }
    }

    /// The first call under a key, unless the database knows another.
    async fn execute(
        &self,
        permit: AdmissionPermit,
        request: AuthorizeRequest,
        keyed_request: KeyedRequest,
        call: &Call,
    ) -> Result<Response, FlowError> {
        let KeyedRequest { key_hash, fingerprint, .. } = keyed_request;
        if !texts_fit(&request.description, &request.metadata, permit.shard().database.texts_max()) {
            return Err(FlowError::TextsTooLarge);
        }
        let payment_id = self.new_payment_id(&request.merchant_id);
        let operation = PspOperation {
            key: PspKey::authorize(payment_id),
            payment_id,
            merchant_id: request.merchant_id.clone(),
            money: request.money,
            action: Action::Authorize,
        };
        let order = Authorize {
            payment_id,
            merchant_id: request.merchant_id,
            money: request.money,
            capture_mode: request.capture_mode,
            merchant_reference: request.merchant_reference,
            description: request.description,
            metadata: request.metadata,
            keyed_request,
            trace: call.trace,
        };
        let latest = self.clock.instant() + self.policy.send_within;
        // Dying after this leaves an intent, which the resolver finds and settles by asking the PSP.
        match self.fresh(permit.shard().write(order).await?) {
            ControlFlow::Continue(Ok(())) => {}
            ControlFlow::Continue(Err(used)) => {
                return Err(FlowError::ReferenceUsed { payment_id: used.payment_id });
            }
            ControlFlow::Break(answer) => {
                return answer.inspect(|answer| self.remember(key_hash, fingerprint, &answer.recorded));
            }
        }
        let paused = permit.leave();
        // A writer that was slow, or a process that stood still: the resolver may be about to find that nothing was
        // sent.
        let is_late = self.clock.instant() > latest;
        let asked = if is_late { None } else { Some(self.psp.perform(&operation, call.trace).await) };
        let back = paused.come_back();
        let not_sent: FlowError = match asked {
            None | Some(Ok(Asked { verdict: Verdict::NotSent { .. }, .. })) => {
                FlowError::PspNotReached { retry_after: PSP_RETRY_AFTER }
            }
            // The breaker opened meanwhile.
            Some(Err(refused)) => refused.into(),
            Some(Ok(asked)) => {
                return self.conclude(back.shard(), asked, payment_id, (key_hash, fingerprint), call).await;
            }
        };
        // Dying before this is committed leaves it to the resolver. It may have come first, too: then it knows.
        let release = AbandonAuthorization { payment_id, key_hash, trace: call.trace };
        back.shard().write(release).await?.map_err(|_| FlowError::OutcomeUnknown)?;
        Err(not_sent)
    }

    /// Commits what the PSP said. The PSP has acted, so a writer that died with it in hand is asked again: the first
    /// conclusion counts, and one that is committed already only says how the payment stands.
    async fn conclude(
        &self,
        shard: &Shard,
        asked: Asked,
        payment_id: PaymentId,
        (key_hash, fingerprint): (KeyHash, Fingerprint),
        call: &Call,
    ) -> Result<Response, FlowError> {
        let conclusion = RecordPspOutcome {
            payment_id,
            key_hash,
            verdict: asked.verdict,
            looked_up_at: None,
            took_ms: asked.took_ms,
            request_id: call.request_id.clone(),
            trace: call.trace,
        };
        let mut retries = 0;
        loop {
            match shard.write(conclusion.clone()).await {
                Ok(decided) => {
                    let recorded = decided.map_err(|_| FlowError::Internal)?;
                    self.remember(key_hash, fingerprint, &recorded);
                    return Ok(Response { recorded, replayed: false });
                }
                Err(WriteError::Interrupted) if retries < CONCLUDE_RETRIES => retries += 1,
                // Left as it is, the resolver asks the PSP and concludes.
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_exactly_up_to_their_length_as_json() {
        let metadata = |value: &str| Metadata::from([("key".to_owned(), value.to_owned())]);
        for (description, value) in [(None, ""), (Some("tea"), "plain"), (Some("\u{1}\u{1}"), "\u{1}\"\\ 차")] {
            let (description, metadata) = (description.map(str::to_owned), metadata(value));
            let written = written_bytes(&description) + written_bytes(&metadata);
            assert!(texts_fit(&description, &metadata, written) && texts_fit(&description, &metadata, usize::MAX));
            assert!(!texts_fit(&description, &metadata, written - 1), "{value:?}");
        }
        assert!(texts_fit(&None, &Metadata::new(), 6) && !texts_fit(&None, &Metadata::new(), 5));
    }
}
