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

use tokio::time::Instant;

use super::breaker::BreakerError;
use super::lease_guard::{LeaseGuard, LeaseHolder};
use crate::domain::{ShardId, Timestamp};
use crate::infra::telemetry::catalogue;
use crate::infra::telemetry::repeats::is_first;
use crate::runtime::{Actor, Context, DurationHistogram, Failure, Never, Wake};

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepDone {
    /// Rows, letters or payments that it has processed.
    pub count: u64,
    /// Whether there may be more to do at once.
    pub again: bool,
}

/// Why a step was not done.
#[derive(Debug)]
pub struct StepFailure {
    why: Failure,
    /// For how long another one would not be done either, as far as that is known.
    retry_after: Option<Duration>,
}

impl From<Failure> for StepFailure {
    fn from(why: Failure) -> Self {
        Self { why, retry_after: None }
    }
}

impl From<BreakerError> for StepFailure {
    fn from(error: BreakerError) -> Self {
        let retry_after = match error {
            BreakerError::Refused { retry_after } => retry_after,
            BreakerError::Ask(_) => None,
        };
        Self { why: Failure::new(error), retry_after }
    }
}

/// How long a job rests at most, however long its work cannot be done: what an operator has released goes on this soon.
const REST_MAX: Duration = Duration::from_secs(1);

/// Background work, done in bounded parts.
pub trait Step: 'static {
    /// Does the next part.
    fn step(&mut self, ctx: &Context) -> impl Future<Output = Result<StepDone, StepFailure>>;

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
    /// Until when no step is begun, because it could not be done.
    rests_until: Option<Instant>,
}

impl<S: Step> Job<S> {
    /// Has `step` done while this process has the lease.
    pub fn new(step: S, lease_guard: LeaseGuard, place: JobPlace) -> Self {
        let meter = JobMeter::of(place.name, place.shard);
        Self { step, lease_guard, place, meter, rests_until: None }
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
        if self.rests_until.is_some_and(|until| ctx.clock().instant() < until) {
            return Ok(Wake::Idle);
        }
        let (begun, began_at) = (ctx.clock().instant(), Timestamp(ctx.clock().now_ms()));
        let done = self.step.step(ctx).await;
        let took = ctx.clock().instant().saturating_duration_since(begun);
        let now = Timestamp(ctx.clock().now_ms());
        self.meter.ran(took, done.is_ok());
        let rest = done.as_ref().err().and_then(|failure| failure.retry_after).map(|rest| rest.min(REST_MAX));
        self.rests_until = rest.map(|rest| ctx.clock().instant() + rest);
        self.place.change(|record| {
            record.holder = Some(holder);
            (record.last_run_at, record.took) = (Some(began_at), took);
            record.next_run_at = Some(if matches!(done, Ok(StepDone { again: true, .. })) {
                now
            } else {
                now.after(rest.unwrap_or_default().max(every))
            });
            match &done {
                Ok(done) => record.count = done.count,
                Err(failure) => (record.count, record.last_error) = (0, Some((now, failure.why.to_string()))),
            }
        });
        if let Err(StepFailure { why, .. }) = &done {
            let (job, shard) = (self.place.name, self.place.shard.0);
            // Its texts differ while one thing is out, so the kind is the job.
            if is_first(&format!("job {job} of shard {shard} postponed"), why) {
                tracing::warn!(shard.id = shard, job.name = job, error = %why, "job step postponed");
            }
        }
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
    use super::*;
    use crate::actors::lease_guard::Lease;
    use crate::actors::testing::{START_MS, story};
    use crate::infra::lease::{Grant, LeaseAnswer};
    use crate::infra::telemetry::logs::testing::captured;
    use crate::runtime::Options;

    const EVERY: Duration = Duration::from_secs(1);

    /// Fails in its second step, has more to do after the first, and counts how often another process had the lease.
    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<(u64, u64)>>);

    impl Step for Scripted {
        async fn step(&mut self, _: &Context) -> Result<StepDone, StepFailure> {
            let mut steps = self.0.lock();
            steps.0 += 1;
            match steps.0 {
                2 => Err(Failure::new("no disk").into()),
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

    /// Its dependency is out for ever: refused with another rest each time, or failing with another text.
    #[derive(Clone, Default)]
    struct CutOff(Arc<Mutex<u64>>);

    impl Step for CutOff {
        async fn step(&mut self, _: &Context) -> Result<StepDone, StepFailure> {
            let mut steps = self.0.lock();
            *steps += 1;
            match *steps % 2 {
                0 => Err(Failure::new(format!("no answer, number {steps}")).into()),
                _ => Err(BreakerError::Refused { retry_after: Some(Duration::from_millis(13_491 - *steps)) }.into()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn job_that_is_refused_rests_and_says_so_once() {
        const POLL: Duration = Duration::from_millis(50);
        let (script, board, (lines, _logging)) = (CutOff::default(), JobBoard::default(), captured());
        let start = Instant::now();
        let lease = Lease::new("cut_off:shard-7", start);
        let (step, guard, place) = (script.clone(), lease.lease_guard(), board.place("cut_off", ShardId(7), POLL));
        lease.settle(LeaseAnswer::Granted(Grant { token: 1 }), start);
        let factory = move || Job::new(step.clone(), guard.clone(), place.clone());
        story(Options::new("cut_off").tick(POLL), factory, async |handle, environment| {
            for _ in 0..200 {
                lease.settle(LeaseAnswer::Granted(Grant { token: 1 }), environment.clock.instant());
                // Whatever is committed meanwhile does not have it try.
                handle.nudge();
                tokio::time::sleep(POLL).await;
            }
            // 10 s: each second one that is refused, and one that fails, which is tried again at the next nudge.
            let steps = *script.0.lock();
            assert!((16..=24).contains(&steps), "{steps}");
        })
        .await;
        let text = lines.text();
        let said: Vec<_> = text.lines().filter(|line| line.contains("postponed")).collect();
        assert_eq!(said.len(), 1, "{text}");
        assert!(said[0].contains("\"error\":\"the breaker refuses\""), "{text}");
    }
}
