//! What is measured of every actor, without code of its own.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter as OtelMeter};
use parking_lot::Mutex;
use serde::Serialize;

use super::metric::{DurationHistogram, MICROSECONDS_UP, Metric, meter};
use super::{Clock, Options};

/// Where a supervised child is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// Not started yet, or stopped with its supervisor to be started again.
    Waiting = 0,
    /// `started` is running.
    Starting = 1,
    /// At work.
    Running = 2,
    /// Dead; a fresh one follows after the backoff.
    Restarting = 3,
    /// Stopped for good.
    Stopped = 4,
}

impl State {
    pub(super) fn from_u8(value: u8) -> Self {
        match value {
            1 => State::Starting,
            2 => State::Running,
            3 => State::Restarting,
            4 => State::Stopped,
            _ => State::Waiting,
        }
    }
}

/// One actor's measurements at one moment. Counters count since the tree was built and survive restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorSnapshot {
    /// The actor's name.
    pub actor: &'static str,
    /// Its shard.
    pub shard: Option<u32>,
    /// Where it is in its life.
    pub state: State,
    /// Messages that wait.
    pub depth: u64,
    /// Messages that may wait.
    pub capacity: u64,
    /// Messages whose batch ended well.
    pub handled: u64,
    /// Messages that were not taken: overloaded, quarantined or stopped.
    pub refused: u64,
    /// Messages not started because their deadline had passed or their asker had left.
    pub expired: u64,
    /// Messages that were in hand, unanswered, at a death.
    pub lost: u64,
    /// How often a fresh actor took over.
    pub restarts: u64,
    /// The mean time a message waited, in microseconds.
    pub wait_mean_us: u64,
    /// The mean time a batch took, in microseconds.
    pub handling_mean_us: u64,
    /// When the present incarnation started, in UTC epoch milliseconds.
    pub started_at_ms: Option<i64>,
    /// How long ago that was, in milliseconds.
    pub since_restart_ms: Option<i64>,
}

/// The smallest and the largest `retry_after`.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(10);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// The assumed cost of one message before any has been handled.
const HANDLING_GUESS_NANOS: u64 = 1_000_000;
/// The value of `started_at_ms` that means "never started".
const NEVER: i64 = i64::MIN;

/// The measurements of one actor, written by its mailbox, its loop and its supervisor.
pub(super) struct Meter {
    name: &'static str,
    shard: Option<u32>,
    capacity: u64,
    clock: Clock,
    attributes: Vec<KeyValue>,
    /// An added actor shares the histograms of its name: OpenTelemetry keeps a histogram's series for the life of the
    /// process, so a series for each shard would outlive the actor.
    histogram_attributes: Vec<KeyValue>,
    histograms: OnceLock<Histograms>,
    state: AtomicU8,
    started_at_ms: AtomicI64,
    depth: AtomicU64,
    handled: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
    lost: AtomicU64,
    restarts: AtomicU64,
    waits: AtomicU64,
    wait_nanos: AtomicU64,
    batches: AtomicU64,
    handling_nanos: AtomicU64,
    /// Moving average of the handling time of one message.
    recent_nanos: AtomicU64,
}

#[derive(Clone)]
struct Histograms {
    wait: DurationHistogram,
    handling: DurationHistogram,
}

impl Meter {
    pub(super) fn new(options: &Options, clock: Clock) -> Self {
        let mut attributes = vec![KeyValue::new("actor", options.name)];
        attributes.extend(options.shard.map(|shard| KeyValue::new("shard", i64::from(shard))));
        Self {
            name: options.name,
            shard: options.shard,
            capacity: to_u64(options.capacity),
            clock,
            histogram_attributes: attributes.clone(),
            attributes,
            histograms: OnceLock::new(),
            state: AtomicU8::new(State::Waiting as u8),
            started_at_ms: AtomicI64::new(NEVER),
            depth: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            wait_nanos: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            handling_nanos: AtomicU64::new(0),
            recent_nanos: AtomicU64::new(HANDLING_GUESS_NANOS),
        }
    }

    /// For an actor that was added to a supervisor and may be removed.
    pub(super) fn of_added(options: &Options, clock: Clock) -> Self {
        let mut meter = Self::new(options, clock);
        meter.histogram_attributes.truncate(1);
        meter
    }

    pub(super) fn set_depth(&self, depth: usize) {
        self.depth.store(to_u64(depth), Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn expired(&self) {
        self.expired.fetch_add(1, Relaxed);
    }

    pub(super) fn lost(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    pub(super) fn waited(&self, wait: Duration) {
        self.waits.fetch_add(1, Relaxed);
        self.wait_nanos.fetch_add(nanos(wait), Relaxed);
        if let Some(histograms) = self.histograms.get() {
            histograms.wait.record(wait, &self.histogram_attributes);
        }
    }

    /// A batch of so many messages has ended well after so long.
    pub(super) fn handled(&self, messages: usize, took: Duration) {
        let messages = to_u64(messages).max(1);
        self.handled.fetch_add(messages, Relaxed);
        self.batches.fetch_add(1, Relaxed);
        self.handling_nanos.fetch_add(nanos(took), Relaxed);
        // Only one loop at a time writes it, so a load and a store are enough; an eighth of each batch's mean enters
        // the average.
        let recent = self.recent_nanos.load(Relaxed);
        self.recent_nanos.store(recent - recent / 8 + nanos(took) / messages / 8, Relaxed);
        if let Some(histograms) = self.histograms.get() {
            histograms.handling.record(took, &self.histogram_attributes);
        }
    }

    pub(super) fn backlog(&self) -> Backlog {
        let waiting = self.depth.load(Relaxed);
        Backlog { waiting, each: Duration::from_nanos(self.recent_nanos.load(Relaxed)) }
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Relaxed);
        if state == State::Running {
            self.started_at_ms.store(self.clock.now_ms(), Relaxed);
        }
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    pub(super) fn snapshot(&self) -> ActorSnapshot {
        let mean_us = |sum: &AtomicU64, count: &AtomicU64| {
            sum.load(Relaxed).checked_div(count.load(Relaxed)).unwrap_or(0) / 1_000
        };
        let started_at_ms = Some(self.started_at_ms.load(Relaxed)).filter(|at| *at != NEVER);
        ActorSnapshot {
            actor: self.name,
            shard: self.shard,
            state: State::from_u8(self.state.load(Relaxed)),
            depth: self.depth.load(Relaxed),
            capacity: self.capacity,
            handled: self.handled.load(Relaxed),
            refused: self.refused.load(Relaxed),
            expired: self.expired.load(Relaxed),
            lost: self.lost.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            wait_mean_us: mean_us(&self.wait_nanos, &self.waits),
            handling_mean_us: mean_us(&self.handling_nanos, &self.batches),
            started_at_ms,
            since_restart_ms: started_at_ms.map(|at| self.clock.now_ms().saturating_sub(at)),
        }
    }
}

/// What waits for an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Messages that wait; those in hand are not among them.
    pub waiting: u64,
    /// How long one of them takes, by the recent average.
    pub each: Duration,
}

impl Backlog {
    /// How long the waiting messages will take.
    pub fn takes(self) -> Duration {
        self.each.saturating_mul(u32::try_from(self.waiting).unwrap_or(u32::MAX))
    }

    /// When to try again: when the waiting messages are handled, 10 ms to 30 s.
    pub fn retry_after(self) -> Duration {
        self.takes().clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
    }
}

/// Every meter of a tree, as the observable instruments see them.
#[derive(Default)]
pub(super) struct Meters {
    list: Mutex<Vec<Arc<Meter>>>,
    /// Set by the export, for the meters that are added after it.
    histograms: OnceLock<Histograms>,
}

const LABELS: &[&str] = &["actor", "shard"];
const DEPTH: Metric = Metric::gauge("rialto_actor_depth", LABELS, "Messages that wait in the mailbox");
const CAPACITY: Metric = Metric::gauge("rialto_actor_capacity", LABELS, "Messages that may wait in the mailbox");
const STATE: Metric =
    Metric::gauge("rialto_actor_state", LABELS, "0 waiting, 1 starting, 2 running, 3 restarting, 4 stopped");
const SINCE_RESTART: Metric =
    Metric::gauge("rialto_actor_since_restart_seconds", LABELS, "Time since the present incarnation started").of("s");
const HANDLED: Metric = Metric::counter("rialto_actor_handled_total", LABELS, "Messages handled");
const REFUSED: Metric = Metric::counter(
    "rialto_actor_refused_total",
    LABELS,
    "Messages refused by the mailbox: full, quarantined or stopped",
);
const EXPIRED: Metric =
    Metric::counter("rialto_actor_expired_total", LABELS, "Messages not started: too late, or nobody waits any more");
const LOST: Metric = Metric::counter("rialto_actor_lost_total", LABELS, "Messages in hand when their actor died");
const RESTARTS: Metric = Metric::counter("rialto_actor_restarts_total", LABELS, "Fresh actors that took over");
const WAIT: Metric =
    Metric::histogram("rialto_actor_wait_seconds", MICROSECONDS_UP, LABELS, "How long messages wait in the mailbox")
        .of("s");
const HANDLING: Metric =
    Metric::histogram("rialto_actor_handling_seconds", MICROSECONDS_UP, LABELS, "How long batches take").of("s");

/// What is measured of every actor. Only actors with a shard have the label `shard`. For those of an event log it is
/// the partition.
pub const ACTOR_METRICS: [Metric; 11] =
    [DEPTH, CAPACITY, STATE, SINCE_RESTART, HANDLED, REFUSED, EXPIRED, LOST, RESTARTS, WAIT, HANDLING];

type Read = fn(&Meter) -> u64;

impl Meters {
    pub(super) fn add(&self, meter: Arc<Meter>) {
        self.push(&mut self.list.lock(), meter);
    }

    /// Adds a meter unless there is one of the same name and shard.
    pub(super) fn add_new(&self, meter: Arc<Meter>) -> bool {
        let mut list = self.list.lock();
        let is_new = !list.iter().any(|known| (known.name, known.shard) == (meter.name, meter.shard));
        if is_new {
            self.push(&mut list, meter);
        }
        is_new
    }

    fn push(&self, list: &mut Vec<Arc<Meter>>, meter: Arc<Meter>) {
        if let Some(histograms) = self.histograms.get() {
            meter.histograms.get_or_init(|| histograms.clone());
        }
        list.push(meter);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.lock().len()
    }

    /// Ends the series of counters and gauges.
    pub(super) fn remove(&self, meter: &Arc<Meter>) {
        self.list.lock().retain(|known| !Arc::ptr_eq(known, meter));
    }

    /// Registers the instruments with the global meter provider of this moment (a no-op without one). The callbacks
    /// hold the tree weakly: they end with it.
    pub(super) fn export(self: &Arc<Self>) {
        self.export_to(&meter());
    }

    pub(super) fn export_to(self: &Arc<Self>, otel: &OtelMeter) {
        {
            let list = self.list.lock();
            let histograms = self.histograms.get_or_init(|| Histograms {
                wait: WAIT.to_duration_histogram_of(otel),
                handling: HANDLING.to_duration_histogram_of(otel),
            });
            for meter in list.iter() {
                meter.histograms.get_or_init(|| histograms.clone());
            }
        }
        let counters: [(Metric, Read); 5] = [
            (HANDLED, |m| m.handled.load(Relaxed)),
            (REFUSED, |m| m.refused.load(Relaxed)),
            (EXPIRED, |m| m.expired.load(Relaxed)),
            (LOST, |m| m.lost.load(Relaxed)),
            (RESTARTS, |m| m.restarts.load(Relaxed)),
        ];
        for (metric, read) in counters {
            let meters = Arc::downgrade(self);
            let counter = otel.u64_observable_counter(metric.name).with_description(metric.about);
            counter.with_callback(move |observer| observe(&meters, observer, read)).build();
        }
        let gauges: [(Metric, Read); 4] = [
            (DEPTH, |m| m.depth.load(Relaxed)),
            (CAPACITY, |m| m.capacity),
            (STATE, |m| u64::from(m.state.load(Relaxed))),
            (SINCE_RESTART, |m| {
                let ms = m.snapshot().since_restart_ms.unwrap_or(0);
                u64::try_from(ms / 1_000).unwrap_or(0)
            }),
        ];
        for (metric, read) in gauges {
            let meters = Arc::downgrade(self);
            let gauge = otel.u64_observable_gauge(metric.name).with_description(metric.about).with_unit(metric.unit);
            gauge.with_callback(move |observer| observe(&meters, observer, read)).build();
        }
    }
}

fn observe(meters: &Weak<Meters>, observer: &dyn AsyncInstrument<u64>, read: Read) {
    if let Some(meters) = meters.upgrade() {
        for meter in meters.list.lock().iter() {
            observer.observe(read(meter), &meter.attributes);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::metrics::MeterProvider;
    use opentelemetry_sdk::metrics::SdkMeterProvider;

    fn meter() -> Meter {
        Meter::new(&Options::new("till").shard(2).capacity(8), Clock::system())
    }

    #[test]
    fn retry_after_is_depth_times_recent_handling_time() {
        let meter = meter();
        assert_eq!(meter.backlog().retry_after(), RETRY_AFTER_MIN);
        meter.set_depth(100);
        assert_eq!(meter.backlog().retry_after(), Duration::from_millis(100));
        (0..200).for_each(|_| meter.handled(10, Duration::from_millis(100)));
        let recent = meter.backlog().retry_after();
        assert!(recent > Duration::from_millis(990) && recent < Duration::from_millis(1_010), "{recent:?}");
        meter.set_depth(1_000_000);
        assert_eq!(meter.backlog().retry_after(), RETRY_AFTER_MAX);
    }

    #[test]
    fn a_snapshot_has_means_and_survives_json() {
        let meter = meter();
        assert_eq!(meter.snapshot().since_restart_ms, None);
        meter.set_state(State::Running);
        meter.waited(Duration::from_micros(10));
        meter.waited(Duration::from_micros(30));
        meter.handled(2, Duration::from_micros(50));
        let snapshot = meter.snapshot();
        assert_eq!((snapshot.wait_mean_us, snapshot.handling_mean_us, snapshot.handled), (20, 50, 2));
        let json = serde_json::to_value(snapshot).unwrap();
        assert_eq!((&json["state"], &json["shard"]), (&"running".into(), &2.into()));
    }

    #[test]
    fn prometheus_export_shows_every_actor() {
        let registry = prometheus::Registry::new();
        // The process exports names unchanged: they are complete already.
        let exporter = opentelemetry_prometheus::exporter().without_units().without_counter_suffixes();
        let reader = exporter.with_registry(registry.clone()).build().unwrap();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let meters = Arc::new(Meters::default());
        meters.add(Arc::new(meter()));
        meters.add(Arc::new(Meter::new(&Options::new("clerk"), Clock::system())));
        meters.export_to(&provider.meter("rialto"));
        {
            let meters = meters.list.lock();
            meters[0].set_depth(3);
            meters[0].waited(Duration::from_micros(7));
            meters[0].handled(2, Duration::from_millis(2));
            meters[1].refused();
        }
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let has = |name: &str, labels: &[&str], value: &str| {
            text.lines().any(|line| {
                line.starts_with(&format!("{name}{{"))
                    && labels.iter().all(|label| line.contains(label))
                    && line.ends_with(&format!(" {value}"))
            })
        };
        let till = [r#"actor="till""#, r#"shard="2""#];
        assert!(has("rialto_actor_depth", &till, "3"), "{text}");
        assert!(has("rialto_actor_capacity", &till, "8"), "{text}");
        assert!(has("rialto_actor_handled_total", &till, "2"), "{text}");
        assert!(has("rialto_actor_refused_total", &[r#"actor="clerk""#], "1"), "{text}");
        assert!(has("rialto_actor_wait_seconds_bucket", &[r#"le="0.00001""#], "1"), "{text}");
        assert!(has("rialto_actor_handling_seconds_bucket", &[r#"le="0.0025""#], "1"), "{text}");
    }

    #[test]
    fn export_works_without_a_provider() {
        let meters = Arc::new(Meters::default());
        meters.add(Arc::new(meter()));
        meters.export();
        meters.list.lock()[0].waited(Duration::from_micros(1));
    }
}
