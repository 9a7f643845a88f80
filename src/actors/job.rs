//! Job: background work on a shard, done in bounded steps by the process that holds the shard's lease for it.
//! Receives: a tick or a nudge, heeded where it has the lease.   Sends: what its step sends.
//! Durable: nothing of its own; a step finds its work in the database.   In memory: what its step keeps.
//! A panic costs one step, which is found again. A step that fails is put off until the next tick: the outside's
//! failure is no reason to start afresh. Limit: one step at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use parking_lot::Mutex;

use super::lease_guard::{LeaseGuard, LeaseHolder};
use crate::domain::{ShardId, Timestamp};
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Context, DurationHistogram, Failure, Never, Wake};

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepDone {
    /// Rows, letters or payments that it has processed.
    pub count: u64,
    /// Whether there may be more to do at once.
    pub again: bool,
}

/// Background work, done in bounded parts.
pub trait Step: 'static {
    /// Does the next part.
    fn step(&mut self, ctx: &Context) -> impl Future<Output = Result<StepDone, Failure>>;

    /// Another process has the lease, so what is remembered may be outdated.
    fn yields(&mut self) {}
}

/// The status of one job.
#[derive(Debug, Clone, Default)]
pub struct JobRecord {
    /// When the last step began.
    pub last_run_at: Option<Timestamp>,
    /// How long it took.
    pub took: Duration,
    /// How many rows, letters or payments it processed.
    pub count: u64,
    /// The error and the time of the last step that failed. It stays until another step fails.
    pub last_error: Option<(Timestamp, String)>,
    /// When it runs next unless it is nudged earlier.
    pub next_run_at: Option<Timestamp>,
    /// Who has the lease; none before the first look.
    pub holder: Option<LeaseHolder>,
}

/// The jobs of this process, by name and shard. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct JobBoard(Arc<Mutex<BTreeMap<(&'static str, ShardId), JobRecord>>>);

impl JobBoard {
    /// All jobs, by name and shard.
    pub fn all(&self) -> Vec<(&'static str, ShardId, JobRecord)> {
        self.0.lock().iter().map(|((name, shard), record)| (*name, *shard, record.clone())).collect()
    }

    /// The place of one job, which is listed from here on.
    pub fn place(&self, name: &'static str, shard: ShardId, every: Duration) -> JobPlace {
        self.0.lock().entry((name, shard)).or_default();
        JobPlace { board: self.clone(), name, shard, every }
    }
}

/// Which job it is, and where its status is shown.
#[derive(Debug, Clone)]
pub struct JobPlace {
    board: JobBoard,
    name: &'static str,
    shard: ShardId,
    /// The time between two ticks.
    every: Duration,
}

impl JobPlace {
    fn change(&self, change: impl FnOnce(&mut JobRecord)) {
        if let Some(record) = self.board.0.lock().get_mut(&(self.name, self.shard)) {
            change(record);
        }
    }
}

/// See the file's header.
pub struct Job<S> {
    step: S,
    lease_guard: LeaseGuard,
    place: JobPlace,
    meter: JobMeter,
    /// Why the last step failed, if it did.
    failing: Option<String>,
}

impl<S: Step> Job<S> {
    /// Has `step` done while this process has the lease.
    pub fn new(step: S, lease_guard: LeaseGuard, place: JobPlace) -> Self {
        let meter = JobMeter::of(place.name, place.shard);
        Self { step, lease_guard, place, meter, failing: None }
    }
}

impl<S: Step> Actor for Job<S> {
    type Message = Never;

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        let holder = self.lease_guard.holder(ctx.clock().instant());
        let every = self.place.every;
        if !holder.is_to_work() {
            self.step.yields();
            let next = Timestamp(ctx.clock().now_ms()).after(every);
            self.place.change(|record| (record.holder, record.next_run_at) = (Some(holder), Some(next)));
            return Ok(Wake::Idle);
        }
        let (begun, began_at) = (ctx.clock().instant(), Timestamp(ctx.clock().now_ms()));
        let done = self.step.step(ctx).await;
        let took = ctx.clock().instant().saturating_duration_since(begun);
        let now = Timestamp(ctx.clock().now_ms());
        self.meter.ran(took, done.is_ok());
        self.place.change(|record| {
            record.holder = Some(holder);
            (record.last_run_at, record.took) = (Some(began_at), took);
            record.next_run_at =
                Some(if matches!(done, Ok(StepDone { again: true, .. })) { now } else { now.after(every) });
            match &done {
                Ok(done) => record.count = done.count,
                Err(error) => (record.count, record.last_error) = (0, Some((now, error.to_string()))),
            }
        });
        let failing = done.as_ref().err().map(ToString::to_string);
        // What lasts is told once, and shown as long as it does.
        if let Some(error) = failing.as_ref().filter(|_| failing != self.failing) {
            tracing::warn!(shard.id = self.place.shard.0, job.name = self.place.name, error, "job step postponed");
        }
        self.failing = failing;
        Ok(if matches!(done, Ok(StepDone { again: true, .. })) { Wake::Again } else { Wake::Idle })
    }
}

struct JobMeter {
    steps: Counter<u64>,
    done: [KeyValue; 3],
    failed: [KeyValue; 3],
    duration: DurationHistogram,
    labels: [KeyValue; 2],
}

impl JobMeter {
    fn of(name: &'static str, shard: ShardId) -> Self {
        let labels = [KeyValue::new("name", name), KeyValue::new("shard", i64::from(shard.0))];
        let [job, number] = labels.clone();
        let [done, failed] =
            ["done", "failed"].map(|outcome| [job.clone(), number.clone(), KeyValue::new("outcome", outcome)]);
        let steps = catalogue::JOB_STEPS.to_counter_from_zero([done.as_slice(), failed.as_slice()]);
        Self { steps, done, failed, duration: catalogue::JOB_STEP.to_duration_histogram(), labels }
    }

    fn ran(&self, took: Duration, is_done: bool) {
        self.steps.add(1, if is_done { &self.done } else { &self.failed });
        self.duration.record(took, &self.labels);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::actors::lease_guard::Lease;
    use crate::actors::testing::{START_MS, story};
    use crate::infra::lease::{Grant, LeaseAnswer};
    use crate::runtime::Options;

    const EVERY: Duration = Duration::from_secs(1);

    /// Fails in its second step, has more to do after the first, and counts how often another process had the lease.
    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<(u64, u64)>>);

    impl Step for Scripted {
        async fn step(&mut self, _: &Context) -> Result<StepDone, Failure> {
            let mut steps = self.0.lock();
            steps.0 += 1;
            match steps.0 {
                2 => Err(Failure::new("no disk")),
                number => Ok(StepDone { count: number * 10, again: number == 1 }),
            }
        }

        fn yields(&mut self) {
            self.0.lock().1 += 1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn job_works_under_its_lease_and_shows_its_status() {
        let (script, board) = (Scripted::default(), JobBoard::default());
        let start = Instant::now();
        let lease = Lease::new("prune:shard-1", start);
        let (step, guard, place) = (script.clone(), lease.lease_guard(), board.place("prune", ShardId(1), EVERY));
        lease.settle(LeaseAnswer::HeldBy("host 2".into()), start);
        let factory = move || Job::new(step.clone(), guard.clone(), place.clone());
        story(Options::new("prune").tick(EVERY), factory, async |_, environment| {
            let now = || environment.clock.instant();
            let shown = || board.all().remove(0).2;
            tokio::time::sleep(EVERY * 3 / 2).await;
            assert_eq!(*script.0.lock(), (0, 1));
            assert_eq!(shown().holder, Some(LeaseHolder::Other("host 2".into())));
            assert!(shown().last_run_at.is_none());

            // At once after the first, postponed after the second, and once more after a tick.
            lease.settle(LeaseAnswer::Granted(Grant { token: 1 }), now());
            tokio::time::sleep(EVERY).await;
            assert_eq!(script.0.lock().0, 2);
            let record = shown();
            assert_eq!((record.holder, record.count), (Some(LeaseHolder::This), 0));
            let (failed_at, why) = record.last_error.unwrap();
            assert!(why.contains("no disk") && failed_at.0 >= START_MS + 2_000, "{why} at {failed_at:?}");
            lease.settle(LeaseAnswer::Granted(Grant { token: 1 }), now());
            tokio::time::sleep(EVERY).await;
            let record = shown();
            assert_eq!((script.0.lock().0, record.count), (3, 30));
            assert!(record.last_error.is_some() && record.next_run_at > record.last_run_at);
        })
        .await;
    }
}
