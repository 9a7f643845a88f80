//! Admission: new work is refused at once while the node cannot keep up, so that admitted work is answered soon.
//!
//! Batches are made of queues that come and go; a standing queue only makes every call late. So a shard may fill until
//! its calls take longer than [`ShedLimits::shed_after`]. From then on, as long as there is more to refuse, it admits
//! only as much as is done within [`ShedLimits::shed_target`] (the idea is that of adaptive CoDel: Maurer, "Fail at
//! Scale", ACM Queue 13(8), 2015; Little's law gives the time). Admitted work is never refused here, above all not the
//! recording of PSP outcomes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use tokio::time::Instant;

use super::shard_writer::WriteError;
use super::shards::{Shard, Shards};
use crate::domain::Bucket;
use crate::infra::telemetry::catalogue;
use crate::runtime::{Backlog, Clock};

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A new payment. It is refused first.
    New,
    /// A change of an existing payment: refusing it would waste the work already spent on the payment (the idea is
    /// criticality: Beyer et al., "Site Reliability Engineering", 2016, chapter 21).
    Ongoing,
}

impl Priority {
    /// How many times [`ShedLimits::shed_target`] an overloaded shard may hold before it refuses such work. With a
    /// larger share, settlement and the ledger would fall behind.
    fn share(self) -> u32 {
        match self {
            Self::New => 1,
            Self::Ongoing => 2,
        }
    }
}

/// When a shard counts as overloaded, and what it still takes on then.
#[derive(Debug, Clone, Copy)]
pub struct ShedLimits {
    /// Up to so many calls in flight a shard is not overloaded, however long they take.
    pub shed_above: u64,
    /// How long more calls than those may take before the shard is overloaded.
    pub shed_after: Duration,
    /// How long the calls in flight for an overloaded shard may take.
    pub shed_target: Duration,
}

/// Overload ends when nothing showed it for so long. That calls were refused meanwhile shows nothing: those who repeat
/// at once would hold the gate closed for ever, with room for all of them.
const CALM_AFTER: Duration = Duration::from_millis(250);
/// Up to so many times [`Priority::share`] (or [`ShedLimits::shed_above`], if that is fewer) are admitted however long
/// they take: with fewer calls in flight latency cannot be estimated, and batches get too small.
const LET_IN_MIN: u64 = 16;

/// The overload gates of a node.
pub struct Admission {
    shards: Shards,
    limits: ShedLimits,
    clock: Clock,
    begun: Instant,
    /// The gate of the threads that read requests. They share the processors with everything, so while they are late
    /// every shard's queue must be short too.
    threads: OverloadGate,
    /// Each shard's own gate: a shard whose database hangs does not overload the others.
    in_flight: Box<[Arc<InFlight>]>,
    refused: Counter<u64>,
}

/// A shard and its calls.
struct InFlight {
    shard: Shard,
    gate: OverloadGate,
    /// Calls in flight that wait for nobody outside, from admission to their last commit.
    inside: AtomicU64,
}

impl Admission {
    pub fn new(shards: Shards, limits: ShedLimits, clock: Clock) -> Self {
        let series: Vec<_> = shards.all().iter().map(|shard| [label(shard)]).collect();
        let refused = catalogue::SHARD_SHED.to_counter_from_zero(series.iter().map(<[_; 1]>::as_slice));
        let in_flight =
            |shard: &Shard| InFlight { shard: shard.clone(), gate: OverloadGate::default(), inside: AtomicU64::new(0) };
        let in_flight = shards.all().iter().map(|shard| Arc::new(in_flight(shard))).collect();
        Self { shards, limits, begun: clock.instant(), clock, threads: OverloadGate::default(), in_flight, refused }
    }

    /// Admits a call for a bucket's shard, if the shard can take on such work.
    ///
    /// # Errors
    /// [`WriteError::Overloaded`].
    pub fn admit(&self, bucket: Bucket, work: Priority) -> Result<AdmissionPermit, WriteError> {
        let in_flight = &self.in_flight[self.shards.index_of(bucket)];
        let inside = in_flight.inside.load(Relaxed);
        let backlog = Backlog { waiting: inside, ..in_flight.shard.writer.backlog() };
        let is_long = inside > self.limits.shed_above && backlog.takes() > self.limits.shed_after;
        let share = work.share();
        let is_short = inside <= (LET_IN_MIN * u64::from(share)).min(self.limits.shed_above)
            || backlog.takes() <= self.limits.shed_target * share;
        let now = self.now();
        if in_flight.gate.lets_in(is_long, is_short, self.threads.is_overloaded(now), now) {
            return Ok(AdmissionPermit::enter(in_flight.clone()));
        }
        self.refused.add(1, &[label(&in_flight.shard)]);
        Err(WriteError::Overloaded { retry_after: backlog.retry_after() })
    }

    /// Whether a thread that reads requests admits work. One that is late does not, while the node has much in flight.
    /// With few calls in flight others took the processors, or refusals did: to refuse more would not help.
    pub fn thread_lets_in(&self, is_late: bool) -> bool {
        let is_overloaded = is_late && self.in_flight() > self.limits.shed_above;
        if is_overloaded {
            self.threads.close(self.now());
        }
        !is_overloaded
    }

    /// Calls in flight for all shards.
    fn in_flight(&self) -> u64 {
        self.in_flight.iter().fold(0, |sum: u64, shard| sum.saturating_add(shard.inside.load(Relaxed)))
    }

    fn now(&self) -> Duration {
        self.clock.instant().duration_since(self.begun)
    }
}

fn label(shard: &Shard) -> KeyValue {
    KeyValue::new("shard", i64::from(shard.database.id.0))
}

/// An admitted call; it counts as in flight until this is dropped.
pub struct AdmissionPermit(Arc<InFlight>);

impl AdmissionPermit {
    fn enter(in_flight: Arc<InFlight>) -> Self {
        in_flight.inside.fetch_add(1, Relaxed);
        Self(in_flight)
    }

    pub fn shard(&self) -> &Shard {
        &self.0.shard
    }

    /// The call waits for somebody outside, and uses nothing here meanwhile.
    pub fn leave(self) -> PausedPermit {
        PausedPermit(self.0.clone())
    }
}

impl Drop for AdmissionPermit {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Relaxed);
    }
}

/// An admitted call that waits outside.
pub struct PausedPermit(Arc<InFlight>);

impl PausedPermit {
    /// Its outcome is not new work, so it is counted again without a check for room.
    pub fn come_back(self) -> AdmissionPermit {
        AdmissionPermit::enter(self.0)
    }
}

/// Remembers until when, in milliseconds, its shard or threads count as overloaded.
#[derive(Default)]
struct OverloadGate {
    overloaded_until_ms: AtomicU64,
}

impl OverloadGate {
    fn lets_in(&self, is_long: bool, is_short: bool, is_strict: bool, now: Duration) -> bool {
        if is_long {
            self.close(now);
        }
        is_short || !(is_strict || self.is_overloaded(now))
    }

    fn close(&self, now: Duration) {
        self.overloaded_until_ms.store(ms(now.saturating_add(CALM_AFTER)), Relaxed);
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
    use crate::actors::testing;
    use crate::domain::{ShardId, ShardMap};
    use crate::infra::database::ShardDatabase;
    use crate::infra::database::memory::Memory;
    use crate::infra::testing::NoFaults;
    use crate::runtime::{Environment, Intensity, Strategy, Supervisor};

    fn admission(limits: ShedLimits) -> Admission {
        let environment = Environment::service();
        let mut root = Supervisor::new("test", Strategy::OneForOne, Intensity::default(), &environment);
        let memory = Memory::new(Arc::default(), Arc::new(NoFaults));
        let database = ShardDatabase::in_memory(ShardId(1), memory);
        // Never started, because no message is sent to it.
        let shard = testing::shard(&mut root, database, Arc::default());
        let shards = Shards::new(ShardMap::dealt(1.try_into().unwrap()), vec![shard]);
        Admission::new(shards, limits, environment.clock.clone())
    }

    #[test]
    fn call_counts_while_it_is_in_flight() {
        let limits = ShedLimits { shed_above: 2, shed_after: Duration::ZERO, shed_target: Duration::ZERO };
        let admission = admission(limits);
        let bucket = Bucket::of_merchant("MERCHANT-1");
        let inside = || admission.in_flight[0].inside.load(Relaxed);
        let mut calls: Vec<AdmissionPermit> = (0..3).map(|_| admission.admit(bucket, Priority::New).unwrap()).collect();
        assert!(matches!(admission.admit(bucket, Priority::New), Err(WriteError::Overloaded { .. })));
        assert_eq!(inside(), 3, "who is refused does not count");
        let away = calls.pop().unwrap().leave();
        assert_eq!(inside(), 2);
        calls.push(admission.admit(bucket, Priority::New).unwrap());
        calls.push(away.come_back());
        assert_eq!(inside(), 4, "who was in comes back");
        assert!(admission.admit(bucket, Priority::New).is_err());
        drop(calls);
        assert_eq!(inside(), 0);
    }

    #[test]
    fn overloaded_shard_admits_more_ongoing_work_than_new_work() {
        let limits = ShedLimits { shed_above: 100, shed_after: Duration::from_secs(1), shed_target: Duration::ZERO };
        let admission = admission(limits);
        let bucket = Bucket::of_merchant("MERCHANT-1");
        admission.in_flight[0].gate.overloaded_until_ms.store(u64::MAX, Relaxed);
        let admit_all = |work| std::iter::from_fn(|| admission.admit(bucket, work).ok()).collect::<Vec<_>>();
        let begun = admit_all(Priority::New);
        let gone_on = admit_all(Priority::Ongoing);
        assert_eq!((begun.len(), gone_on.len()), (17, 16));
        assert!(admit_all(Priority::New).is_empty());
    }

    #[test]
    fn late_thread_refuses_only_while_much_is_in_flight() {
        let limits = ShedLimits { shed_above: 20, shed_after: Duration::MAX, shed_target: Duration::ZERO };
        let admission = admission(limits);
        let bucket = Bucket::of_merchant("MERCHANT-1");
        let admit = || admission.admit(bucket, Priority::New).ok();
        let mut calls: Vec<_> = (0..20).filter_map(|_| admit()).collect();
        assert!(admission.thread_lets_in(true), "a call more than is few comes in");
        calls.extend(admit());
        assert_eq!(calls.len(), 21);
        assert!(admission.thread_lets_in(false) && !admission.thread_lets_in(true));
        assert!(admit().is_none(), "every shard's queue must be short now");
        calls.truncate(16);
        assert!(admission.thread_lets_in(true), "few are in flight again, however late the thread is");
        calls.extend(admit());
        assert_eq!(calls.len(), 17);
    }

    /// The gate's decision for a queue of this length: above 100 is long, up to 50 is short.
    fn lets_in(gate: &OverloadGate, waiting: u64, at_ms: u64) -> bool {
        gate.lets_in(waiting > 100, waiting <= 50, false, Duration::from_millis(at_ms))
    }

    #[test]
    fn queue_may_be_long_until_overload_and_must_then_be_short() {
        let gate = OverloadGate::default();
        assert!(lets_in(&gate, 100, 0), "not overloaded");
        assert!(!lets_in(&gate, 101, 1));
        assert!(!lets_in(&gate, 100, 2));
        assert!(!lets_in(&gate, 51, 3));
        assert!(lets_in(&gate, 50, 4));
    }

    #[test]
    fn queue_must_be_short_while_request_threads_are_late() {
        let gate = OverloadGate::default();
        let strictly = |waiting: u64| gate.lets_in(waiting > 100, waiting <= 50, true, Duration::ZERO);
        assert!(strictly(50));
        assert!(!strictly(51));
    }

    #[test]
    fn refusals_do_not_hold_a_gate_closed() {
        let gate = OverloadGate::default();
        assert!(!lets_in(&gate, 101, 1_000));
        for at_ms in 1_001..1_250 {
            assert!(!lets_in(&gate, 80, at_ms), "closed at {at_ms} ms");
        }
        assert!(lets_in(&gate, 80, 1_250), "nothing was long for a quarter of a second");
        assert!(!lets_in(&gate, 101, 1_251));
        assert!(!lets_in(&gate, 101, 1_400), "long again: the calm begins anew");
        assert!(!lets_in(&gate, 80, 1_649));
        assert!(lets_in(&gate, 80, 1_650));
    }
}
