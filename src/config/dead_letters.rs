//! `[dead_letters]`: dead letters that are redriven by themselves.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};
use super::units::{DAY_MS, HOUR_MS};

/// Dead letters that are redriven by themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadLetters {
    /// How long an event that could not be applied waits until it is delivered to its consumer again.
    pub redrive_every_ms: u64,
    /// How often that happens to one letter; 0 leaves it to operators.
    pub redrives_max: u32,
    /// How often due letters are looked for.
    pub poll_ms: u64,
    /// Letters that are redriven at one look, for each shard and consumer.
    pub batch_max: u64,
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self { redrive_every_ms: HOUR_MS, redrives_max: 24, poll_ms: 1_000, batch_max: 100 }
    }
}

impl DeadLetters {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("dead_letters.redrive_every_ms", self.redrive_every_ms, 1, 366 * DAY_MS)?;
        range("dead_letters.poll_ms", self.poll_ms, 1, HOUR_MS)?;
        range("dead_letters.batch_max", self.batch_max, 1, 10_000)?;
        Ok(())
    }
}
