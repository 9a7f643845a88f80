//! `[payment]`: what the rules of payments are given.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, not_allowed, range};
use super::units::DAY_MS;
use crate::domain::policy::Policy;

/// What the rules of payments are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payment {
    pub amount_max: i64,
    /// How many refunds a payment may have.
    pub refunds_max: u32,
    /// How long an authorization can be captured.
    pub capture_window_ms: u64,
}

impl Default for Payment {
    fn default() -> Self {
        let policy = Policy::default();
        Self { amount_max: policy.amount_max, refunds_max: policy.refunds_max, capture_window_ms: 7 * DAY_MS }
    }
}

impl Payment {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("payment.capture_window_ms", self.capture_window_ms, 1, 366 * DAY_MS)?;
        range("payment.refunds_max", u64::from(self.refunds_max), 1, 100_000)?;
        if self.amount_max < 1 {
            return not_allowed("payment.amount_max", self.amount_max, "1 and above".to_owned());
        }
        Ok(())
    }
}
