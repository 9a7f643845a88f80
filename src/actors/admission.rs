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

/// When a shard counts as overloaded, and what it still takes on then.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Commands that wait for the shard, beyond which it is overloaded.
    pub shed_above: u64,
    /// How long what waits for an overloaded shard may take.
    pub shed_target: Duration,
}

/// Overload is over when nothing had to be refused for so long.
const CALM_AFTER: Duration = Duration::from_millis(250);

/// The doors for new work of a whole node.
pub struct Admission {
    shards: Shards,
    limits: Limits,
    clock: Clock,
    begun: Instant,
    /// Of the threads that read requests: they share the processors with everything, so while they are late, every
    /// shard's queue is kept short too.
    threads: Door,
    /// Each shard's own: one whose database hangs is nobody else's overload.
    doors: Box<[Door]>,
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
        let doors = shards.all().iter().map(|_| Door::default()).collect();
        Self { shards, limits, begun: clock.instant(), clock, threads: Door::default(), doors, coming, refused }
    }

    /// The shard of a bucket, if it can take on new work.
    ///
    /// # Errors
    /// [`WriteError::Overloaded`].
    pub fn admit(&self, bucket: Bucket) -> Result<Admitted<'_>, WriteError> {
        let index = self.shards.index_of(bucket);
        let (shard, coming) = (&self.shards.all()[index], &self.coming[index]);
        let backlog = shard.writer.backlog().and(coming.load(Relaxed));
        let (is_long, is_short) =
            (backlog.waiting > self.limits.shed_above, backlog.takes() <= self.limits.shed_target);
        let now = self.now();
        if self.doors[index].lets_in(is_long, is_short, self.threads.is_overloaded(now), now) {
            coming.fetch_add(1, Relaxed);
            return Ok(Admitted { shard, coming });
        }
        self.refused.add(1, &[KeyValue::new("shard", i64::from(shard.database.id.0))]);
        Err(WriteError::Overloaded { retry_after: backlog.retry_after() })
    }

    /// Whether a thread that reads requests lets new work in, by whether it is late (which makes it overloaded), and
    /// whether it is in time (which an overloaded one has to be).
    pub fn thread_lets_in(&self, is_late: bool, is_in_time: bool) -> bool {
        self.threads.lets_in(is_late, is_in_time, false, self.now())
    }

    fn now(&self) -> Duration {
        self.clock.instant().duration_since(self.begun)
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

/// Remembers until when, in milliseconds, what is behind it counts as overloaded.
#[derive(Default)]
struct Door {
    overloaded_until_ms: AtomicU64,
}

impl Door {
    fn lets_in(&self, is_long: bool, is_short: bool, is_strict: bool, now: Duration) -> bool {
        let lets_in = if is_strict || self.is_overloaded(now) { is_short } else { !is_long };
        if !lets_in {
            self.overloaded_until_ms.store(ms(now.saturating_add(CALM_AFTER)), Relaxed);
        }
        lets_in
    }

    fn is_overloaded(&self, now: Duration) -> bool {
        ms(now) < self.overloaded_until_ms.load(Relaxed)
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a queue of this length is answered: above 100 is long, up to 50 is short.
    fn lets_in(door: &Door, waiting: u64, at_ms: u64) -> bool {
        door.lets_in(waiting > 100, waiting <= 50, false, Duration::from_millis(at_ms))
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
    fn while_others_are_overloaded_a_queue_must_be_short() {
        let door = Door::default();
        let strictly = |waiting: u64| door.lets_in(waiting > 100, waiting <= 50, true, Duration::ZERO);
        assert!(strictly(50));
        assert!(!strictly(51));
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
