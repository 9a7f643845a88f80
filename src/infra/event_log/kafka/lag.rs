//! How far the groups of this process are behind, as librdkafka says.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::infra::event_log::lag::{Waiting, export};

/// Records that wait, by group, topic and partition, for the partitions that this process works on.
#[derive(Debug, Clone, Default)]
pub(super) struct Lags(Arc<Mutex<BTreeMap<Place, i64>>>);

type Place = (&'static str, &'static str, u32);

impl Waiting for BTreeMap<Place, i64> {
    fn each(&self, tell: &mut dyn FnMut(&str, &'static str, u32, i64)) {
        self.iter().for_each(|((group, topic, partition), lag)| tell(group, topic, *partition, *lag));
    }
}

impl Lags {
    pub(super) fn exported() -> Self {
        let lags = Self::default();
        export(&lags.0);
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
