//! How far consumer groups are behind, told to the metrics.

use std::sync::Arc;

use opentelemetry::KeyValue;
use parking_lot::Mutex;

use crate::infra::telemetry::catalogue;
use crate::runtime::meter;

/// Knows how many records wait for whom.
pub(super) trait Waiting: Send + 'static {
    /// Tells group, topic, partition and number of each place that this process works on.
    fn each(&self, tell: &mut dyn FnMut(&str, &'static str, u32, i64));
}

/// Has the metrics ask from now on, for as long as anyone else holds `waiting`.
pub(super) fn export<W: Waiting>(waiting: &Arc<Mutex<W>>) {
    let seen = Arc::downgrade(waiting);
    let metric = catalogue::EVENT_LOG_LAG;
    let meter = meter();
    let gauge = meter.i64_observable_gauge(metric.name).with_description(metric.about);
    let observed = gauge.with_callback(move |gauge| {
        let Some(waiting) = seen.upgrade() else { return };
        waiting.lock().each(&mut |group, topic, partition, lag| {
            let labels = [
                KeyValue::new("group", group.to_owned()),
                KeyValue::new("topic", topic),
                KeyValue::new("partition", i64::from(partition)),
            ];
            gauge.observe(lag, &labels);
        });
    });
    observed.build();
}
