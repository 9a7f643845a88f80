//! `[redis]`: Redis for answers, limits and leases, none of which it must keep.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, address, range};

/// Redis for answers, limits and leases, none of which it must keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// `redis://[user:password@]host:port/db`. Empty: memory of this process.
    pub url: String,
    /// Begins every key. With braces, as in `{rialto}:`, all keys share one slot of a Redis Cluster.
    pub key_prefix: String,
    /// What one call may take before Rialto does without.
    pub timeout_ms: u64,
    /// Connections at most.
    pub connections: u32,
}

impl Default for Redis {
    fn default() -> Self {
        Self { url: String::new(), key_prefix: "rialto:".to_owned(), timeout_ms: 25, connections: 8 }
    }
}

impl Redis {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("redis.timeout_ms", self.timeout_ms, 1, 1_000)?;
        range("redis.connections", u64::from(self.connections), 1, 1_000)?;
        address("redis.url", &self.url, &["redis://", "rediss://"])?;
        Ok(())
    }
}
