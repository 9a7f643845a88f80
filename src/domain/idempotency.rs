//! Idempotency keys (IETF draft-ietf-httpapi-idempotency-key-header): one key, one execution, one answer.

use std::fmt;

use sha2::{Digest, Sha256};

use super::id::PaymentId;
use super::outcome::{Outcome, Recorded};
use super::time::Timestamp;

/// The calls that take a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Authorize,
    Capture,
    Void,
    Refund,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Authorize, Self::Capture, Self::Void, Self::Refund].into_iter().find(|known| known.name() == name)
    }
}

/// Within what a key is unique: merchant, operation and target. The first 128 bits of their SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(pub [u8; 16]);

impl Scope {
    pub fn new(merchant_id: &str, operation: Operation, target: Option<PaymentId>, key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [merchant_id, operation.name(), key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(target.map_or(0, PaymentId::get).to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut scope = [0; 16];
        scope.copy_from_slice(&digest[..16]);
        Self(scope)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// SHA-256 of the validated request in canonical form: two requests with one key are the same request if this is equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The hash over fields, each given by name and value; absent fields are left out by the caller. Lengths are hashed
    /// too, so that no two lists of fields are written the same way.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut hash = Sha256::new();
        for (name, value) in fields {
            for part in [name, value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A caller's wish to execute under a key.
#[derive(Debug, Clone)]
pub struct KeyUse {
    pub scope: Scope,
    pub fingerprint: Fingerprint,
    /// The key as the merchant wrote it.
    pub key: String,
    pub operation: Operation,
}

/// A key that is taken, as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub scope: Scope,
    pub merchant_id: String,
    pub operation: Operation,
    pub key: String,
    pub payment_id: PaymentId,
    pub fingerprint: Fingerprint,
    /// The answer, once there is one.
    pub recorded: Option<Recorded>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    /// Counts the row's writes.
    pub version: i64,
}

/// What became of a command that came under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed<T> {
    /// It executed now.
    Fresh(T),
    /// It had executed before: its answer then.
    Replay(Box<Recorded>),
    /// It executes at this moment.
    InProgress,
    /// The key was used for another request.
    KeyReused,
}

impl Claim {
    /// What a repeated use of the key gets.
    pub fn again<T>(&self, key_use: &KeyUse) -> Claimed<T> {
        if self.fingerprint != key_use.fingerprint {
            return Claimed::KeyReused;
        }
        match &self.recorded {
            Some(recorded) => {
                Claimed::Replay(Box::new(Recorded { kept_until: Some(self.expires_at), ..recorded.clone() }))
            }
            None => Claimed::InProgress,
        }
    }

    /// Whether the key is taken: not when its time has passed, nor when it was found that nothing had been sent.
    pub fn holds(&self, now: Timestamp) -> bool {
        let is_free = matches!(&self.recorded, Some(Recorded { outcome: Outcome::NotSent { .. }, .. }));
        self.expires_at > now && !is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_differ_in_every_part() {
        let target = Some(PaymentId::from_stored(1));
        let base = Scope::new("M1", Operation::Capture, target, "k");
        assert_eq!(base, Scope::new("M1", Operation::Capture, target, "k"));
        for other in [
            Scope::new("M2", Operation::Capture, target, "k"),
            Scope::new("M1", Operation::Void, target, "k"),
            Scope::new("M1", Operation::Capture, None, "k"),
            Scope::new("M1", Operation::Capture, target, "l"),
            Scope::new("M", Operation::Capture, target, "1k"),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn fingerprints_keep_fields_apart() {
        assert_ne!(Fingerprint::of([("a", "bc")]), Fingerprint::of([("ab", "c")]));
        assert_ne!(Fingerprint::of([("a", "b"), ("c", "d")]), Fingerprint::of([("a", "b")]));
        assert_eq!(Fingerprint::of([("a", "b")]), Fingerprint::of([("a", "b")]));
    }
}
