//! `[resolver]`: the resolver of unknown outcomes and expired authorizations.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::psp::Psp;
use super::units::{DAY_MS, HOUR_MS, MINUTE_MS};

/// The resolver of unknown outcomes and expired authorizations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resolver {
    /// How long an authorization may be under way before the resolver looks at it; above `psp.timeout_ms`. It is sent
    /// in the first half of this time, or not at all, and so early that the PSP's time is over before the resolver asks
    /// twice.
    pub after_ms: u64,
    /// Its waits between questions to the PSP; the last one goes on. What the PSP does not know at the second question
    /// was never sent.
    pub ladder_ms: [u64; 5],
    pub poll_ms: u64,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { after_ms: 15_000, ladder_ms: [5_000, 30_000, 5 * MINUTE_MS, HOUR_MS, DAY_MS], poll_ms: 500 }
    }
}

impl Resolver {
    /// Whether these settings can be started with.
    pub(super) fn check(&self, psp: &Psp) -> Result<(), ConfigError> {
        range("resolver.after_ms", self.after_ms, psp.timeout_ms + 1, DAY_MS)?;
        range("resolver.poll_ms", self.poll_ms, 1, MINUTE_MS)?;
        Ok(())
    }
}
