//! `[clock]`: when the wall clock is believed.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::{DAY_MS, MINUTE_MS};

/// When the wall clock is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// The largest step of the wall clock that is believed at once. After a larger one time goes on as before, and no
    /// authorization expires, until the clock is back or has stayed where it was set for `settle_ms`.
    pub step_max_ms: u64,
    /// How long a clock that was set must stay there before it is believed; 0 believes it at once.
    pub settle_ms: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { step_max_ms: 5_000, settle_ms: 15 * MINUTE_MS }
    }
}

impl Clock {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("clock.step_max_ms", self.step_max_ms, 100, DAY_MS)?;
        range("clock.settle_ms", self.settle_ms, 0, 366 * DAY_MS)?;
        Ok(())
    }
}
