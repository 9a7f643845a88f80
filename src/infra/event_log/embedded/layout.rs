//! How the log lies in its file: the tables, and the numbers that name a record.

use std::fmt::Display;

use crate::infra::event_log::EventLogError;

pub(super) const FORMAT: i64 = 1;

/// A record's `position` is its slot and its offset in one number, so that a partition's records are one range of one
/// table's rowids: appending is SQLite's fastest insert, reading on is a scan.
pub(super) const TABLES: &str = "
CREATE TABLE slot (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    number INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    UNIQUE (topic, number)
) STRICT;
CREATE TABLE record (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    subject TEXT NOT NULL,
    traceparent TEXT,
    payload TEXT NOT NULL
) STRICT;
CREATE TABLE consumer_offset (
    consumer_group TEXT NOT NULL,
    slot INTEGER NOT NULL REFERENCES slot (id),
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, slot)
) STRICT, WITHOUT ROWID";

/// Asks whether anything was ever appended.
pub(super) const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM slot WHERE next_offset > 0)";

/// Bits of a position that hold the offset: 10^12 records a partition.
const OFFSET_BITS: u32 = 40;

/// One partition of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Slot(pub(super) i64);

impl Slot {
    pub(super) fn position(self, offset: i64) -> i64 {
        self.0 << OFFSET_BITS | offset
    }

    /// Above every position of this slot.
    pub(super) fn end(self) -> i64 {
        (self.0 + 1) << OFFSET_BITS
    }
}

pub(super) fn offset_of_position(position: i64) -> i64 {
    position & ((1 << OFFSET_BITS) - 1)
}

/// A topic and its partitions' slots, in order.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) slots: Vec<Slot>,
}

impl Topic {
    pub(super) fn partitions(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn slot(&self, partition: u32) -> Result<Slot, EventLogError> {
        let slot = usize::try_from(partition).ok().and_then(|partition| self.slots.get(partition)).copied();
        slot.ok_or_else(|| EventLogError::UnknownPartition { topic: self.name.to_owned(), partition })
    }
}

/// The topics that this process knows.
#[derive(Debug, Clone)]
pub(super) struct Topics(pub(super) Vec<Topic>);

impl Topics {
    pub(super) fn find(&self, name: &str) -> Result<&Topic, EventLogError> {
        self.0.iter().find(|topic| topic.name == name).ok_or_else(|| EventLogError::UnknownTopic(name.to_owned()))
    }
}

pub(super) fn unavailable(error: impl Display) -> EventLogError {
    EventLogError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_slots_apart() {
        let (one, two) = (Slot(1), Slot(2));
        let last = one.position((1 << OFFSET_BITS) - 1);
        assert!(last < one.end());
        assert_eq!(one.end(), two.position(0));
        assert_eq!(offset_of_position(two.position(5)), 5);
    }
}
