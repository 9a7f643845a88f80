//! How often calls are repeated, and how often a key is refused.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use crate::infra::telemetry::catalogue;

/// What is measured of repeated calls.
pub struct IdempotencyMeter {
    hits: Counter<u64>,
    conflicts: Counter<u64>,
}

impl Default for IdempotencyMeter {
    fn default() -> Self {
        let layers = ["cache", "shard"].map(|layer| [KeyValue::new("layer", layer)]);
        let reasons = ["in_progress", "mismatch"].map(|reason| [KeyValue::new("reason", reason)]);
        Self {
            hits: catalogue::IDEMPOTENCY_HITS.to_counter_from_zero(layers.iter().map(<[_; 1]>::as_slice)),
            conflicts: catalogue::IDEMPOTENCY_CONFLICTS.to_counter_from_zero(reasons.iter().map(<[_; 1]>::as_slice)),
        }
    }
}

impl IdempotencyMeter {
    pub(super) fn hit(&self, layer: &'static str) {
        self.hits.add(1, &[KeyValue::new("layer", layer)]);
    }

    pub(super) fn conflict(&self, reason: &'static str) {
        self.conflicts.add(1, &[KeyValue::new("reason", reason)]);
    }
}
