//! What the process tells of itself.

use serde::{Deserialize, Serialize};

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
