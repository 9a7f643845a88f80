//! Leases decide which of several processes works. A lease only saves double work: payments are protected by unique
//! keys, versions and idempotency keys.

pub mod redis;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::cache::CacheError;

/// A lease that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The fencing token: it stays while the holder stays and grows with every change of holder.
    pub token: i64,
}

/// The store's answer about one lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// The caller holds it.
    Granted(Grant),
    /// Another process holds it, by this name.
    HeldBy(Arc<str>),
}

/// Leases by name, each with one holder at most. `holder` must be unique among all processes.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes or renews each of these leases, for `ttl` from now on. One answer for each, in order.
    async fn hold_many(&self, holder: &str, ttl: Duration, names: &[Arc<str>]) -> Result<Vec<LeaseAnswer>, CacheError>;

    /// Gives those of these leases back that `holder` holds.
    async fn release_many(&self, holder: &str, names: &[Arc<str>]) -> Result<(), CacheError>;
}
