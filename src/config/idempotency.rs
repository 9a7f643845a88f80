//! `[idempotency]`: stored answers.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::{DAY_MS, MINUTE_MS};

/// Stored answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idempotency {
    /// How long the database keeps answers.
    pub kept_ms: u64,
    /// What the cache in memory may take; it keeps answers for ten minutes at most.
    pub cache_max_bytes: u64,
}

impl Default for Idempotency {
    fn default() -> Self {
        Self { kept_ms: 7 * DAY_MS, cache_max_bytes: 32 * 1024 * 1024 }
    }
}

impl Idempotency {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("idempotency.kept_ms", self.kept_ms, MINUTE_MS, 366 * DAY_MS)?;
        Ok(())
    }
}
