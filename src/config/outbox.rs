//! `[outbox]`: the outbox and its publisher.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::{HOUR_MS, MINUTE_MS};

/// The outbox and its publisher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbox {
    /// How often the outbox is read without a nudge.
    pub poll_ms: u64,
    pub batch_max: u64,
    /// How long after one publishing the next may begin: events gather meanwhile. The first one after a while does not
    /// wait.
    pub linger_ms: u64,
    /// How long published events stay.
    pub kept_ms: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { poll_ms: 50, batch_max: 512, linger_ms: 20, kept_ms: HOUR_MS }
    }
}

impl Outbox {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("outbox.poll_ms", self.poll_ms, 1, MINUTE_MS)?;
        range("outbox.linger_ms", self.linger_ms, 0, 1_000)?;
        range("outbox.batch_max", self.batch_max, 1, 10_000)?;
        Ok(())
    }
}
