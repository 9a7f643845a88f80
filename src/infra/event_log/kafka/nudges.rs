//! Callbacks for new records.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::infra::event_log::Nudge;

/// By topic and partition.
type Listeners = BTreeMap<(&'static str, u32), Vec<Nudge>>;

#[derive(Clone, Default)]
pub(super) struct Nudges(Arc<RwLock<Listeners>>);

impl Nudges {
    pub(super) fn add(&self, topic: &'static str, partition: u32, nudge: Nudge) {
        self.0.write().entry((topic, partition)).or_default().push(nudge);
    }

    pub(super) fn nudge(&self, topic: &'static str, partition: u32) {
        for nudge in self.0.read().get(&(topic, partition)).into_iter().flatten() {
            nudge();
        }
    }
}
