//! `[telemetry]`: metrics and traces.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, address, not_allowed, range};
use super::units::{DAY_MS, HOUR_MS};

/// Metrics and traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Whether there are metrics; without, `/metrics` is empty.
    pub metrics: bool,
    /// How often the shards' databases are asked for what only they know: the outbox, dead letters, whether they are
    /// up.
    pub observe_every_ms: u64,
    /// How often the ledger's balances are summed up.
    pub ledger_every_ms: u64,
    /// Where traces go by OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`. Empty: nowhere, and there are
    /// none.
    pub otlp_endpoint: String,
    /// How many of the traces that begin here are kept, 0 to 1. Those that callers have begun are kept if they say so.
    pub trace_sample_ratio: f64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            metrics: true,
            observe_every_ms: 5_000,
            ledger_every_ms: 60_000,
            otlp_endpoint: String::new(),
            trace_sample_ratio: 0.01,
        }
    }
}

impl Telemetry {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("telemetry.observe_every_ms", self.observe_every_ms, 100, HOUR_MS)?;
        range("telemetry.ledger_every_ms", self.ledger_every_ms, 100, DAY_MS)?;
        let ratio = self.trace_sample_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            return not_allowed("telemetry.trace_sample_ratio", ratio, "0 to 1".to_owned());
        }
        address("telemetry.otlp_endpoint", &self.otlp_endpoint, &["http://", "https://"])?;
        Ok(())
    }
}
