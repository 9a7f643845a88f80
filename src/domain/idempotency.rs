//! Idempotency records (IETF draft-ietf-httpapi-idempotency-key-header): one key, one execution, one answer.

use super::id::PaymentId;
use super::key::{Fingerprint, KeyHash, KeyedRequest, PaymentOperation};
use super::outcome::{PaymentOutcome, StoredResponse};
use super::time::Timestamp;

/// A key that is taken, as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    pub key_hash: KeyHash,
    pub merchant_id: String,
    pub operation: PaymentOperation,
    pub key: String,
    pub payment_id: PaymentId,
    pub fingerprint: Fingerprint,
    /// The answer, once there is one.
    pub recorded: Option<StoredResponse>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    /// Counts the row's writes.
    pub version: i64,
}

/// What became of a command that came under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOutcome<T> {
    /// It executed now.
    Fresh(T),
    /// It had executed before: its answer then.
    Replay(Box<StoredResponse>),
    /// It executes at this moment.
    InProgress,
    /// The key was used for another request.
    KeyReused,
}

impl IdempotencyRecord {
    /// What a repeated use of the key gets.
    pub fn again<T>(&self, keyed_request: &KeyedRequest) -> KeyOutcome<T> {
        if self.fingerprint != keyed_request.fingerprint {
            return KeyOutcome::KeyReused;
        }
        match &self.recorded {
            Some(recorded) => {
                KeyOutcome::Replay(Box::new(StoredResponse { kept_until: Some(self.expires_at), ..recorded.clone() }))
            }
            None => KeyOutcome::InProgress,
        }
    }

    /// Whether the key is taken: not when its time has passed, nor when it was found that nothing had been sent.
    pub fn holds(&self, now: Timestamp) -> bool {
        let is_free = matches!(&self.recorded, Some(StoredResponse { outcome: PaymentOutcome::NotSent { .. }, .. }));
        self.expires_at > now && !is_free
    }
}
