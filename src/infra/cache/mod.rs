//! The cache of answers and the counts of rate limits: both may be lost without harm to money. Calls are in batches,
//! because a store over the network is then reached once for all waiting callers.

#[cfg(test)]
mod limit_cases;
pub mod limits;
pub mod memory;
pub mod redis;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::key::KeyHash;

/// How long a stored answer is kept: the first layer of idempotency; the database, the second, decides.
pub const ANSWER_TTL: Duration = Duration::from_secs(600);

/// The store cannot be reached or fails; its users continue without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cache unavailable: {0}")]
pub struct CacheError(pub String);

/// Answers by idempotency scope, each for [`ANSWER_TTL`]. The text is the caller's: JSON with the request's
/// fingerprint.
#[async_trait]
pub trait AnswerCache: Send + Sync {
    /// One entry for each scope, in order.
    async fn get_many(&self, key_hashes: &[KeyHash]) -> Result<Vec<Option<Arc<str>>>, CacheError>;

    async fn put_many(&self, answers: Vec<(KeyHash, Arc<str>)>) -> Result<(), CacheError>;
}

/// What is limited, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitedAction {
    Authorize,
    Capture,
    Refund,
}

/// Takes one token of `action`, of which the merchant has `per_minute`, all at once or spread out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    pub merchant: Arc<str>,
    pub action: LimitedAction,
    pub per_minute: NonZeroU32,
}

/// The answer to a [`Take`], with the values for draft-ietf-httpapi-ratelimit-headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub allowed: bool,
    /// The bucket's size, the header's quota `q`.
    pub limit: u32,
    /// How many more would be allowed at once, the header's `r`.
    pub remaining: u32,
    /// When allowed, until the bucket is full again (the header's `t`); when refused, until one more is allowed
    /// (`Retry-After`).
    pub reset: Duration,
}

/// Token buckets, one for each merchant and action, full at first and filling evenly.
#[async_trait]
pub trait LimitStore: Send + Sync {
    /// One answer for each take, in order. A refused take takes nothing.
    async fn take_many(&self, wants: &[Take]) -> Result<Vec<Taken>, CacheError>;

    /// Returns tokens that were taken and not needed; a full bucket stays full.
    async fn give_back_many(&self, given: &[Take]) -> Result<(), CacheError>;
}
