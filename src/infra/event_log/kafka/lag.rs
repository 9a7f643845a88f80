//! How far the groups of this process are behind, told to the metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry::KeyValue;
use parking_lot::Mutex;

use crate::infra::telemetry::catalogue;
use crate::runtime::meter;

/// Records that wait, by group, topic and partition, for the partitions that this process works on.
#[derive(Debug, Clone, Default)]
pub(super) struct Lags(Arc<Mutex<BTreeMap<Place, i64>>>);

type Place = (&'static str, &'static str, u32);

impl Lags {
    /// Tells the metrics from now on, for as long as anyone holds the lags.
    pub(super) fn exported() -> Self {
        let lags = Self::default();
        let seen = Arc::downgrade(&lags.0);
        let metric = catalogue::EVENT_LOG_LAG;
        meter()
            .i64_observable_gauge(metric.name)
            .with_description(metric.about)
            .with_callback(move |gauge| {
                let Some(lags) = seen.upgrade() else { return };
                for ((group, topic, partition), lag) in lags.lock().iter() {
                    let labels = [
                        KeyValue::new("group", *group),
                        KeyValue::new("topic", *topic),
                        KeyValue::new("partition", i64::from(*partition)),
                    ];
                    gauge.observe(*lag, &labels);
                }
            })
            .build();
        lags
    }

    pub(super) fn set(&self, group: &'static str, topic: &'static str, partition: u32, lag: i64) {
        self.0.lock().insert((group, topic, partition), lag);
    }

    /// The partition is another process's to tell of.
    pub(super) fn forget(&self, group: &'static str, topic: &'static str, partition: u32) {
        self.0.lock().remove(&(group, topic, partition));
    }

    #[cfg(test)]
    pub(super) fn of_group(&self, group: &str) -> BTreeMap<(&'static str, u32), i64> {
        let lags = self.0.lock();
        lags.iter().filter(|(place, _)| place.0 == group).map(|((_, topic, at), lag)| ((*topic, *at), *lag)).collect()
    }
}
