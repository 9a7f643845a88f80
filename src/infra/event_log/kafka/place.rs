//! One group's place in one partition, as far as this process knows: its present owner, and how far it has come.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::consumer::ConsumerContext;
use rdkafka::consumer::base_consumer::PartitionQueue;

use super::message::delivery;
use crate::infra::event_log::{Delivery, EventLogError};
use crate::infra::telemetry::repeats::is_first;

/// Counts the changes of a place that its reader did not make: the partition was given or taken, or another reader
/// came. What a reader knows from another epoch is void.
pub(super) type Epoch = u64;

/// The places of all partitions that a group may be given.
pub(super) type Places<C> = BTreeMap<(&'static str, u32), Mutex<Place<C>>>;

pub(super) struct Place<C: ConsumerContext + 'static> {
    epoch: Epoch,
    /// The partition's records; none while it is another process's.
    queue: Option<PartitionQueue<C>>,
    /// The offset from which another reader has to start: what this process committed, or where it began.
    restart: Option<i64>,
    /// The offset behind what was handed out; none before anything was.
    next: Option<i64>,
}

impl<C: ConsumerContext + 'static> Default for Place<C> {
    fn default() -> Self {
        Self { epoch: 0, queue: None, restart: None, next: None }
    }
}

impl<C: ConsumerContext + 'static> Place<C> {
    pub(super) fn is_ours_since(&self, epoch: Epoch) -> bool {
        self.queue.is_some() && self.epoch == epoch
    }

    pub(super) fn is_ours(&self) -> bool {
        self.queue.is_some()
    }

    /// The partition was given to this process, or, without a queue, taken from it.
    pub(super) fn reassign(&mut self, queue: Option<PartitionQueue<C>>) {
        *self = Self { epoch: self.epoch + 1, queue, ..Self::default() };
    }

    /// Begins an epoch for a new reader. Returns it, and where librdkafka has to go back to, if it has to.
    pub(super) fn reopen(&mut self) -> (Epoch, Option<i64>) {
        self.epoch += 1;
        (self.epoch, self.restart.filter(|restart| self.next != Some(*restart)))
    }

    /// Up to `max` records that are here already. Another epoch than the reader's is reported once.
    pub(super) fn fetch(
        &mut self,
        topic: &'static str,
        max: usize,
        seen: &mut Epoch,
    ) -> Result<Vec<Delivery>, EventLogError> {
        if *seen != self.epoch {
            *seen = self.epoch;
            return Err(EventLogError::Reassigned);
        }
        let mut found = Vec::new();
        let Some(queue) = &self.queue else { return Ok(found) };
        while found.len() < max {
            match queue.poll(Duration::ZERO) {
                Some(Ok(message)) => found.push(delivery(topic, &message)),
                // librdkafka continues by itself.
                Some(Err(error)) => {
                    if is_first(&format!("fetching of {topic} failed"), &error) {
                        tracing::warn!(topic, %error, "fetching failed");
                    }
                }
                None => break,
            }
        }
        if let (Some(first), Some(last)) = (found.first(), found.last()) {
            self.restart.get_or_insert(first.offset);
            self.next = Some(last.offset + 1);
        }
        Ok(found)
    }

    /// The offset was committed by the reader of that epoch.
    pub(super) fn committed(&mut self, offset: i64, seen: Epoch) {
        if self.is_ours_since(seen) {
            self.restart = Some(offset);
        }
    }

    /// What is handed out next is the record at `offset`.
    pub(super) fn moved(&mut self, offset: i64) {
        self.next = Some(offset);
    }
}
