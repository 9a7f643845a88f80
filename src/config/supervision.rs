//! `[supervision]`: supervision of actors.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::{DAY_MS, HOUR_MS};

/// Supervision of actors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Supervision {
    /// Restarts within the window beyond which a supervisor gives up and its parent decides.
    pub restarts_max: u32,
    pub within_ms: u64,
    /// An actor with work and no progress for so long is replaced. Must exceed every deadline of the actor's own calls.
    pub hang_after_ms: u64,
}

impl Default for Supervision {
    fn default() -> Self {
        Self { restarts_max: 5, within_ms: 30_000, hang_after_ms: 30_000 }
    }
}

impl Supervision {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("supervision.restarts_max", u64::from(self.restarts_max), 1, 1_000)?;
        range("supervision.within_ms", self.within_ms, 1_000, DAY_MS)?;
        range("supervision.hang_after_ms", self.hang_after_ms, 100, HOUR_MS)?;
        Ok(())
    }
}
