//! Authorize: commit an intent, ask the PSP, commit the outcome.

use std::ops::ControlFlow;

use super::{Answer, App, Call, FlowError, Performed};
use crate::actors::admission::Admitted;
use crate::actors::shard_writer::WriteError;
use crate::actors::shards::Shard;
use crate::domain::command::{AuthorizeOrder, Conclusion, Release};
use crate::domain::idempotency::{Fingerprint, KeyUse, Operation as Keyed, Scope};
use crate::domain::outcome::Recorded;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::psp::PspKey;
use crate::domain::{Bucket, Money};
use crate::infra::psp::{Action, Operation};

/// A validated request to authorize.
#[derive(Debug, Clone)]
pub struct AuthorizeRequest {
    pub merchant_id: String,
    pub money: Money,
    pub capture_mode: CaptureMode,
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

/// How long a value is as JSON.
fn written_bytes(value: &impl serde::Serialize) -> usize {
    // Texts and maps of texts always have a JSON form.
    serde_json::to_string(value).map_or(0, |text| text.len())
}

impl App {
    pub async fn authorize(&self, admitted: Admitted, request: AuthorizeRequest, call: &Call) -> Performed {
        let scope = Scope::new(&request.merchant_id, Keyed::Authorize, None, &request.key);
        let key_use =
            KeyUse { scope, fingerprint: request.fingerprint, key: request.key.clone(), operation: Keyed::Authorize };
        // Three questions to three actors, none of which changes anything for the others: asked at once.
        let ((quota, allowed), cached, can_ask_psp) = tokio::join!(
            self.take_quota(&request.merchant_id, Keyed::Authorize, call.trace),
            self.cached(&key_use, call.trace),
            self.psp.check(),
        );
        let result = match (allowed, cached, can_ask_psp) {
            (Err(refused), _, _) => Err(refused),
            (Ok(()), Some(answer), _) => answer,
            // An open breaker refuses before anything is written.
            (Ok(()), None, Err(open)) => Err(open.into()),
            (Ok(()), None, Ok(())) => self.execute(admitted, request, key_use, call).await,
        };
        Performed { quota, result }
    }

    /// The first call under a key, unless the database knows another.
    async fn execute(
        &self,
        admitted: Admitted,
        request: AuthorizeRequest,
        key_use: KeyUse,
        call: &Call,
    ) -> Result<Answer, FlowError> {
        let KeyUse { scope, fingerprint, .. } = key_use;
        let texts = written_bytes(&request.description) + written_bytes(&request.metadata);
        if texts > admitted.shard().database.texts_max() {
            return Err(FlowError::TextsTooLarge);
        }
        let payment_id = self.new_payment_id(&request.merchant_id);
        let operation = Operation {
            key: PspKey::authorize(payment_id),
            payment_id,
            merchant_id: request.merchant_id.clone(),
            money: request.money,
            action: Action::Authorize,
        };
        let order = AuthorizeOrder {
            payment_id,
            merchant_id: request.merchant_id,
            money: request.money,
            capture_mode: request.capture_mode,
            description: request.description,
            metadata: request.metadata,
            key_use,
            trace: call.trace,
        };
        // Dying after this leaves an intent, which the resolver finds and settles by asking the PSP.
        if let ControlFlow::Break(answer) = self.fresh(admitted.shard().write(order).await?) {
            if let Ok(answer) = &answer {
                self.remember(scope, fingerprint, &answer.recorded);
            }
            return answer;
        }
        let away = admitted.leave();
        let asked = self.psp.perform(&operation, call.trace).await;
        let back = away.come_back();
        let asked = match asked {
            Ok(asked) => asked,
            Err(refused) => {
                // The breaker opened meanwhile: nothing was sent. Dying before this is committed leaves it to the resolver.
                let release = Release { payment_id, scope, trace: call.trace };
                back.shard().write(release).await?.map_err(|_| FlowError::Internal)?;
                return Err(refused.into());
            }
        };
        let conclusion = Conclusion {
            payment_id,
            scope,
            verdict: asked.verdict,
            took_ms: asked.took_ms,
            request_id: call.request_id.clone(),
            trace: call.trace,
        };
        let recorded = self.conclude(back.shard(), conclusion).await?;
        self.remember(scope, fingerprint, &recorded);
        Ok(Answer { recorded, replayed: false })
    }

    /// Commits what the PSP said. The PSP has acted, so a writer that died with it in hand is asked again: the first
    /// conclusion counts, and one that is committed already only says how the payment stands.
    async fn conclude(&self, shard: &Shard, conclusion: Conclusion) -> Result<Recorded, FlowError> {
        let mut retries = 0;
        loop {
            match shard.write(conclusion.clone()).await {
                Ok(decided) => return decided.map_err(|_| FlowError::Internal),
                Err(WriteError::Interrupted) if retries < CONCLUDE_RETRIES => retries += 1,
                // Left as it is, the resolver asks the PSP and concludes.
                Err(error) => return Err(error.into()),
            }
        }
    }
}
