//! Admission: new work is refused at once while the node cannot keep up, so that what is taken on is answered soon.
//!
//! A queue that comes and goes is what batches are made of; one that stands only makes everybody late. So a queue may grow
//! until it is longer than [`Limits::shed_above`]; from then on, as long as there is more to refuse, only as much is let in
//! as is done within [`Limits::shed_target`] (the idea is that of adaptive CoDel: Maurer, "Fail at Scale", ACM Queue
//! 13(8), 2015). What is under way, above all what the PSP has said, is never refused here.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use tokio::time::Instant;

use super::shard_writer::WriteError;
use super::shards::{Shard, Shards};
use crate::domain::Bucket;
use crate::runtime::Clock;

/// When a node counts as overloaded, and what it still takes on then.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Commands that wait for one shard, beyond which the node is overloaded.
    pub shed_above: u64,
    /// How long what waits for a shard of an overloaded node may take.
    pub shed_target: Duration,
}

/// A node is no longer overloaded when nothing had to be refused for so long.
const CALM_AFTER: Duration = Duration::from_millis(250);

/// The door for new work of a whole node.
pub struct Admission {
    shards: Shards,
    limits: Limits,
    clock: Clock,
    begun: Instant,
    door: Door,
    /// For each shard, what was let in and is not in its mailbox yet.
    coming: Box<[AtomicU64]>,
    refused: Counter<u64>,
}

impl Admission {
    pub fn new(shards: Shards, limits: Limits, clock: Clock) -> Self {
        let refused = opentelemetry::global::meter("rialto")
            .u64_counter("rialto_shard_shed")
            .with_description("New work refused because the shard is overloaded")
            .build();
        let coming = shards.all().iter().map(|_| AtomicU64::new(0)).collect();
        Self { shards, limits, begun: clock.instant(), clock, door: Door::default(), coming, refused }
    }

    /// The shard of a bucket, if it can take on new work.
    ///
    /// # Errors
    /// [`WriteError::Overloaded`].
    pub fn admit(&self, bucket: Bucket) -> Result<Admitted<'_>, WriteError> {
        let index = self.shards.index_of(bucket);
        let (shard, coming) = (&self.shards.all()[index], &self.coming[index]);
        let backlog = shard.writer.backlog().and(coming.load(Relaxed));
        if self.lets_in(backlog.waiting > self.limits.shed_above, backlog.takes() <= self.limits.shed_target) {
            coming.fetch_add(1, Relaxed);
            return Ok(Admitted { shard, coming });
        }
        self.refused.add(1, &[KeyValue::new("shard", i64::from(shard.database.id.0))]);
        Err(WriteError::Overloaded { retry_after: backlog.retry_after() })
    }

    /// Whether new work comes in, by whether a queue on its way is long (which makes the node overloaded), and whether it
    /// is short (which it has to be at an overloaded node). The queues share the processors: while one is long, the others
    /// are kept short too.
    pub fn lets_in(&self, is_long: bool, is_short: bool) -> bool {
        self.door.lets_in(is_long, is_short, self.clock.instant().duration_since(self.begun))
    }
}

/// New work that was let in and is on its way to its shard.
pub struct Admitted<'a> {
    shard: &'a Shard,
    coming: &'a AtomicU64,
}

impl<'a> Admitted<'a> {
    /// The shard; what is written there next is seen in its mailbox.
    pub fn arrive(self) -> &'a Shard {
        self.shard
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.coming.fetch_sub(1, Relaxed);
    }
}

/// Remembers until when, in milliseconds, the node counts as overloaded.
#[derive(Default)]
struct Door {
    overloaded_until_ms: AtomicU64,
}

impl Door {
    fn lets_in(&self, is_long: bool, is_short: bool, now: Duration) -> bool {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let is_overloaded = ms(now) < self.overloaded_until_ms.load(Relaxed);
        let lets_in = if is_overloaded { is_short } else { !is_long };
        if !lets_in {
            self.overloaded_until_ms.store(ms(now.saturating_add(CALM_AFTER)), Relaxed);
        }
        lets_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a queue of this length is answered: above 100 is long, up to 50 is short.
    fn lets_in(door: &Door, waiting: u64, at_ms: u64) -> bool {
        door.lets_in(waiting > 100, waiting <= 50, Duration::from_millis(at_ms))
    }

    #[test]
    fn a_queue_may_grow_until_it_is_long_and_then_must_be_short() {
        let door = Door::default();
        assert!(lets_in(&door, 100, 0), "not overloaded");
        assert!(!lets_in(&door, 101, 1));
        assert!(!lets_in(&door, 100, 2));
        assert!(!lets_in(&door, 51, 3));
        assert!(lets_in(&door, 50, 4));
    }

    #[test]
    fn as_long_as_there_is_more_to_refuse_it_stays_and_then_it_ends() {
        let door = Door::default();
        assert!(!lets_in(&door, 101, 1_000));
        assert!(!lets_in(&door, 80, 1_249), "refused again: the calm begins anew");
        assert!(!lets_in(&door, 80, 1_498));
        assert!(lets_in(&door, 80, 1_748), "nothing was refused for a quarter of a second");
        assert!(!lets_in(&door, 101, 1_749));
    }
}
