//! `[breaker]`: breakers, each with these figures.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::HOUR_MS;

/// Breakers, each with these figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    pub window_ms: u64,
    pub minimum_calls: u32,
    pub streak_calls: u32,
    pub failure_rate_percent: u32,
    pub slow_rate_percent: u32,
    pub slow_call_ms: u64,
    pub open_ms: u64,
    pub trial_calls: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            window_ms: 10_000,
            minimum_calls: 20,
            streak_calls: 5,
            failure_rate_percent: 50,
            slow_rate_percent: 50,
            slow_call_ms: 2_000,
            open_ms: 30_000,
            trial_calls: 3,
        }
    }
}

impl Breaker {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("breaker.window_ms", self.window_ms, 1_000, HOUR_MS)?;
        range("breaker.minimum_calls", u64::from(self.minimum_calls), 1, 1_000_000)?;
        range("breaker.streak_calls", u64::from(self.streak_calls), 1, 1_000_000)?;
        range("breaker.failure_rate_percent", u64::from(self.failure_rate_percent), 1, 100)?;
        range("breaker.slow_rate_percent", u64::from(self.slow_rate_percent), 1, 100)?;
        range("breaker.open_ms", self.open_ms, 1, HOUR_MS)?;
        range("breaker.trial_calls", u64::from(self.trial_calls), 1, 1_000)?;
        Ok(())
    }
}
