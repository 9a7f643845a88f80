//! `[requests]`: captures, voids and refunds at the PSP.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Captures, voids and refunds at the PSP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requests {
    /// Tries in all before a request fails.
    pub tries_max: u32,
    pub retry_base_ms: u64,
    pub retry_cap_ms: u64,
    /// How long a request waits for its event before the retrier takes it.
    pub grace_ms: u64,
    /// How often the retriers look for what is due.
    pub poll_ms: u64,
    /// Requests and events that are worked on at once, for each partition and retrier.
    pub batch_max: usize,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            tries_max: 10,
            retry_base_ms: 500,
            retry_cap_ms: MINUTE_MS,
            grace_ms: 10_000,
            poll_ms: 500,
            batch_max: 128,
        }
    }
}

impl Requests {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("requests.tries_max", u64::from(self.tries_max), 1, 1_000)?;
        range("requests.retry_base_ms", self.retry_base_ms, 1, HOUR_MS)?;
        range("requests.retry_cap_ms", self.retry_cap_ms, self.retry_base_ms, DAY_MS)?;
        range("requests.batch_max", self.batch_max as u64, 1, 10_000)?;
        range("requests.poll_ms", self.poll_ms, 1, MINUTE_MS)?;
        Ok(())
    }
}
