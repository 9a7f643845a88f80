//! What names a call under an idempotency key (IETF draft-ietf-httpapi-idempotency-key-header), and what it asks for.

use std::fmt;

use sha2::{Digest, Sha256};

use super::id::PaymentId;

/// The calls that take a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentOperation {
    Authorize,
    Capture,
    Void,
    Refund,
}

impl PaymentOperation {
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
pub struct KeyHash(pub [u8; 16]);

impl KeyHash {
    pub fn new(merchant_id: &str, operation: PaymentOperation, target: Option<PaymentId>, key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [merchant_id, operation.name(), key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(target.map_or(0, PaymentId::get).to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut key_hash = [0; 16];
        key_hash.copy_from_slice(&digest[..16]);
        Self(key_hash)
    }
}

impl fmt::Debug for KeyHash {
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
pub struct KeyedRequest {
    pub key_hash: KeyHash,
    pub fingerprint: Fingerprint,
    /// The key as the merchant wrote it.
    pub key: String,
    pub operation: PaymentOperation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_differ_in_every_part() {
        let target = Some(PaymentId::from_stored(1));
        let base = KeyHash::new("M1", PaymentOperation::Capture, target, "k");
        assert_eq!(base, KeyHash::new("M1", PaymentOperation::Capture, target, "k"));
        for other in [
            KeyHash::new("M2", PaymentOperation::Capture, target, "k"),
            KeyHash::new("M1", PaymentOperation::Void, target, "k"),
            KeyHash::new("M1", PaymentOperation::Capture, None, "k"),
            KeyHash::new("M1", PaymentOperation::Capture, target, "l"),
            KeyHash::new("M", PaymentOperation::Capture, target, "1k"),
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
