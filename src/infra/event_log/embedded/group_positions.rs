//! How far the consumer groups of this process have come, as the writer leaves it, so that reading it needs no query.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::layout::{Slot, Topics};
use crate::infra::event_log::lag::{Waiting, export};

/// Shared by the writer and its readers.
pub(super) type Shared = Arc<Mutex<GroupPositions>>;

/// See the file's header.
#[derive(Default)]
pub(super) struct GroupPositions {
    places: HashMap<Slot, Place>,
}

/// One partition: where it ends, and what each group has committed of it.
struct Place {
    topic: &'static str,
    partition: u32,
    end: i64,
    committed: BTreeMap<String, i64>,
}

impl GroupPositions {
    /// Positions that the metrics export, from the slots and their ends.
    pub(super) fn exported(topics: &Topics, ends: &HashMap<i64, i64>) -> Shared {
        let places = topics.0.iter().flat_map(|topic| {
            topic.slots.iter().zip(0..).map(|(slot, partition)| {
                let end = ends.get(&slot.0).copied().unwrap_or_default();
                (*slot, Place { topic: topic.name, partition, end, committed: BTreeMap::new() })
            })
        });
        let shared = Arc::new(Mutex::new(Self { places: places.collect() }));
        export(&shared);
        shared
    }

    /// The slot's next record will get this offset.
    pub(super) fn ends(&mut self, slot: Slot, offset: i64) {
        if let Some(place) = self.places.get_mut(&slot) {
            place.end = offset;
        }
    }

    /// The group works on the slot, and everything below the offset is done.
    pub(super) fn commits(&mut self, group: String, slot: Slot, offset: i64) {
        if let Some(place) = self.places.get_mut(&slot) {
            place.committed.insert(group, offset);
        }
    }
}

impl Waiting for GroupPositions {
    fn each(&self, tell: &mut dyn FnMut(&str, &'static str, u32, i64)) {
        for place in self.places.values() {
            for (group, committed) in &place.committed {
                tell(group, place.topic, place.partition, place.end.saturating_sub(*committed).max(0));
            }
        }
    }
}
