//! `[faults]`: faults on purpose.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, not_allowed};

/// Faults on purpose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Opens `/admin/faults` and the breaker's exercise. For tests and game days.
    pub enabled: bool,
    /// A shell command by which the exercise really stops the event log's server, or the connection to it. Empty:
    /// appends fail in the process instead.
    pub event_log_stop: String,
    /// The shell command that starts it again.
    pub event_log_start: String,
}

impl Faults {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.event_log_stop.is_empty() != self.event_log_start.is_empty() {
            let allowed = "set together with faults.event_log_start, or empty like it".to_owned();
            return not_allowed("faults.event_log_stop", format!("{:?}", self.event_log_stop), allowed);
        }
        Ok(())
    }
}
