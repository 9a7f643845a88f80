//! The event log: topics divided into partitions, records that keep their order within one, and groups of consumers
//! that each remember how far they have come. Its interface fits Apache Kafka as well as a file.

pub mod embedded;
pub mod fault_switch;
pub mod kafka;
mod lag;
pub mod measured;
#[cfg(test)]
pub mod memory;
mod partitioner;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

/// `ce_source` of what Rialto tells.
pub const OUR_SOURCE: &str = "/rialto/payments";

/// One event: the attributes of CloudEvents 1.0 (<https://github.com/cloudevents/spec>) and its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: &'static str,
    /// Chooses the partition; records with one key keep their order. Rialto's is the payment's id.
    pub key: String,
    /// `ce_id`: unique over all topics, by which a record that comes again is known.
    pub id: String,
    /// `ce_type`.
    pub kind: Cow<'static, str>,
    /// `ce_source`.
    pub source: Cow<'static, str>,
    /// `ce_time`, in milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// `ce_subject`.
    pub subject: String,
    /// W3C trace context of the request that caused the event.
    pub traceparent: Option<String>,
    /// The data, JSON.
    pub payload: String,
}

/// A record and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub partition: u32,
    /// Counts the partition's records from 0, without gaps.
    pub offset: i64,
    pub record: Record,
}

/// How far a group has come in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupProgress {
    pub partition: u32,
    /// The first offset that the group has not committed.
    pub committed: i64,
    /// The offset that the next record will get.
    pub end: i64,
}

impl GroupProgress {
    /// Records that wait for the group.
    pub fn lag(&self) -> i64 {
        self.end.saturating_sub(self.committed).max(0)
    }
}

/// Why a call to the log failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventLogError {
    #[error("no topic {0}")]
    UnknownTopic(String),
    #[error("topic {topic} has no partition {partition}")]
    UnknownPartition { topic: String, partition: u32 },
    #[error("no consumer group {0}")]
    UnknownGroup(String),
    #[error("offset {offset} is outside 0..={end}")]
    OffsetOutOfRange { offset: i64, end: i64 },
    /// The log cannot be reached or written. An append may or may not have happened; appending the same records again
    /// is safe.
    #[error("event log unavailable: {0}")]
    Unavailable(String),
    /// The partition has changed hands since the reader last looked: it was taken from this process or given to it.
    /// Said once; what the reader knew of it is void, and its place is at the committed offset again.
    #[error("the partition was assigned anew")]
    Reassigned,
}

/// The result for the records of an append that the log has answered. All that are not named here are durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records that the log refuses for a reason of their own or their topic's, and why, by their places among the
    /// records given. That says nothing about the log's health: others are taken.
    pub refused: BTreeMap<usize, String>,
    /// The places of those that were not tried, because an earlier record of their key was refused.
    pub held_back: BTreeSet<usize>,
}

impl Appended {
    /// Whether the record at this place is durable.
    pub fn has(&self, place: usize) -> bool {
        !self.refused.contains_key(&place) && !self.held_back.contains(&place)
    }
}

/// Called after records were appended; it must be quick and must not block.
pub type Nudge = Arc<dyn Fn() + Send + Sync>;

/// A durable log of events.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Its name as a messaging system in OpenTelemetry.
    fn system(&self) -> &'static str {
        "rialto"
    }

    /// Appends the records, in order; they are durable when this returns, but for those that it names. An append of
    /// unknown outcome can be repeated with the same records: the log may then hold some twice, which consumers know by
    /// their ids, but their first arrivals are in order.
    ///
    /// A record that is refused lets no later one of its key pass in its topic; records of other topics that were
    /// already on their way may be stored.
    async fn append(&self, records: Vec<Record>) -> Result<Appended, EventLogError>;

    /// The group's reader of one partition, standing at the group's committed offset, or at 0 for a new group. A group
    /// has at most one reader of a partition at a time; one that replaces another starts again from what was committed.
    /// Where groups are spread over processes, the reader of a partition that is another's now delivers nothing.
    async fn consumer(&self, group: &str, topic: &str, partition: u32) -> Result<Box<dyn Consumer>, EventLogError>;

    /// Has `nudge` called whenever records were appended to the partition, after they are durable. A nudge carries no
    /// data and may be lost with the process, so consumers poll too. It stays for the log's lifetime: register a handle
    /// that outlives restarts, once.
    fn on_append(&self, topic: &str, partition: u32, nudge: Nudge) -> Result<(), EventLogError>;
}

/// A log for callers that only read it: no group moves, nothing is written.
#[async_trait]
pub trait EventReader: Send + Sync {
    /// Whether the log itself stores a record only once, however often it is appended.
    fn holds_each_record_once(&self) -> bool;

    /// How many partitions a topic has.
    fn partitions(&self, topic: &str) -> Result<u32, EventLogError>;

    /// How far a group has come in every partition of a topic.
    async fn progress(&self, group: &str, topic: &str) -> Result<Vec<GroupProgress>, EventLogError>;

    /// Up to `max` records of a partition from offset `from` on, or from the first that is still kept.
    async fn read(&self, topic: &str, partition: u32, from: i64, max: usize) -> Result<Vec<Delivery>, EventLogError>;
}

/// One group's place in one partition. The place belongs to this object; what outlives it is what was committed.
#[async_trait]
pub trait Consumer: Send {
    /// Up to `max` records from the place on, moving it behind them; none if there are none, without waiting.
    /// [`EventLogError::Reassigned`] if what is known of the place is void.
    async fn fetch(&mut self, max: usize) -> Result<Vec<Delivery>, EventLogError>;

    /// Records, durably, that everything below `next_offset` is done. The place does not move. Does nothing when the
    /// partition is another's by now.
    async fn commit(&self, next_offset: i64) -> Result<(), EventLogError>;

    /// Moves the place and what is committed to `offset`, back or forth: from there on all is delivered again.
    async fn seek(&mut self, offset: i64) -> Result<(), EventLogError>;
}
