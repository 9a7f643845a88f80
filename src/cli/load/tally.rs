//! What one thread of a run has seen: latencies by step, errors by code, and the special counts of a scenario.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::duplicates::DuplicateCounts;

const LATENCY_US_MAX: u64 = 600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;
/// Of the latencies of one second: precise enough, and a tenth of the memory.
const SIGNIFICANT_DIGITS_OF_A_SECOND: u8 = 2;

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// `POST /payments/authorize`.
    Authorize,
    /// `POST /payments/capture/{paymentId}`.
    Capture,
    /// `GET /payments/{paymentId}`, repeated until a state is reached.
    Poll,
    /// `POST /payments/refund/{paymentId}`.
    Refund,
}

impl Step {
    /// All steps, in the order of a flow.
    pub const ALL: [Self; 4] = [Self::Authorize, Self::Capture, Self::Poll, Self::Refund];

    /// The name used in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Poll => "poll",
            Self::Refund => "refund",
        }
    }
}

/// Latencies in microseconds, two or three significant digits, up to ten minutes (longer counts as ten minutes).
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    fn new() -> Self {
        Self::with_digits(SIGNIFICANT_DIGITS)
    }

    fn with_digits(digits: u8) -> Self {
        // invariant: 1 <= low, 2 * low <= high and 2 or 3 digits are within what the crate allows, whatever is
        // measured.
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, digits).expect("constant bounds are valid"))
    }

    /// Adds one latency.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LATENCY_US_MAX));
    }

    /// Adds all latencies of `other`.
    pub fn merge(&mut self, other: &Self) {
        // invariant: both histograms have the same constant bounds, so every value of one fits into the other.
        self.0.add(&other.0).expect("equal bounds");
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that the share `quantile` (0 to 1) of all does not exceed, in microseconds.
    pub fn quantile_us(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }

    /// The longest, in microseconds.
    pub fn max_us(&self) -> u64 {
        self.0.max()
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of the requests of one step.
#[derive(Debug, Clone, Default)]
pub struct StepTally {
    /// From the instant a request was due to the end of its answer, of requests with the expected answer.
    pub succeeded: Latencies,
    /// The same of all others.
    pub failed: Latencies,
    /// Requests that finished before the run's duration was over: what the rate counts.
    pub finished_in_time: u64,
    /// Unexpected answers, by status and code or kind of failure.
    pub unexpected: BTreeMap<String, u64>,
}

impl StepTally {
    /// The latencies of all requests, failed ones included.
    pub fn latencies(&self) -> Latencies {
        let mut all = self.succeeded.clone();
        all.merge(&self.failed);
        all
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.succeeded.merge(&other.succeeded);
        self.failed.merge(&other.failed);
        self.finished_in_time += other.finished_in_time;
        for (label, count) in &other.unexpected {
            *self.unexpected.entry(label.clone()).or_default() += count;
        }
    }
}

/// One second of a run: the requests that finished in it, polls not counted.
#[derive(Debug, Clone)]
pub struct Second {
    /// Latencies of requests with the expected answer.
    pub succeeded: Latencies,
    /// How many others there were.
    pub unexpected: u64,
}

impl Default for Second {
    fn default() -> Self {
        Self { succeeded: Latencies::with_digits(SIGNIFICANT_DIGITS_OF_A_SECOND), unexpected: 0 }
    }
}

/// Everything one thread counted. Tallies of several threads add up with [`Tally::merge`].
#[derive(Debug, Clone)]
pub struct Tally {
    begins: Instant,
    ends: Instant,
    /// The run second by second; what finishes after its end is not in it.
    pub seconds: Vec<Second>,
    steps: [StepTally; Step::ALL.len()],
    /// From sending the capture to the answer that first says CAPTURED; never shorter than the truth.
    pub capture_to_captured: Latencies,
    /// Flows that were begun and flows that came to their end.
    pub flows_started: u64,
    /// See [`Self::flows_started`].
    pub flows_finished: u64,
    /// From the last refund's answer to the answer that first says REFUNDED.
    pub refund_drain: Option<Duration>,
    /// How long after its answer the last refund was in the ledger.
    pub ledger_drain: Option<Duration>,
    /// What the groups of identical requests were answered.
    pub duplicates: DuplicateCounts,
}

impl Tally {
    /// An empty tally of a run that takes from `begins` to `ends`.
    pub fn new(begins: Instant, ends: Instant) -> Self {
        Self {
            begins,
            ends,
            seconds: Vec::new(),
            steps: Default::default(),
            capture_to_captured: Latencies::new(),
            flows_started: 0,
            flows_finished: 0,
            refund_drain: None,
            ledger_drain: None,
            duplicates: DuplicateCounts::default(),
        }
    }

    /// The run ends at `at`, before its time.
    pub fn end_early(&mut self, at: Instant) {
        self.ends = self.ends.min(at);
    }

    /// The results of one step.
    pub fn step(&self, step: Step) -> &StepTally {
        &self.steps[step as usize]
    }

    /// Counts one finished request that was due at `due`; `outcome` is what was wrong with it, if anything.
    pub fn record(&mut self, step: Step, due: Instant, finished: Instant, outcome: Result<(), String>) {
        let in_time = finished <= self.ends;
        let tally = &mut self.steps[step as usize];
        let latency = finished.saturating_duration_since(due);
        tally.finished_in_time += u64::from(in_time);
        let is_hoped = outcome.is_ok();
        match outcome {
            Ok(()) => tally.succeeded.record(latency),
            Err(label) => {
                tally.failed.record(latency);
                *tally.unexpected.entry(label).or_default() += 1;
            }
        }
        if in_time && step != Step::Poll {
            let index = finished.saturating_duration_since(self.begins).as_secs() as usize;
            self.reach_second(index + 1);
            let second = &mut self.seconds[index];
            if is_hoped {
                second.succeeded.record(latency);
            } else {
                second.unexpected += 1;
            }
        }
    }

    /// Counts something wrong that is no request of its own, such as a capture that never became CAPTURED.
    pub fn record_unexpected(&mut self, step: Step, label: &str) {
        *self.steps[step as usize].unexpected.entry(label.to_owned()).or_default() += 1;
    }

    /// Has at least so many seconds.
    fn reach_second(&mut self, count: usize) {
        if self.seconds.len() < count {
            self.seconds.resize_with(count, Second::default);
        }
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            mine.merge(theirs);
        }
        self.reach_second(other.seconds.len());
        for (mine, theirs) in self.seconds.iter_mut().zip(&other.seconds) {
            mine.succeeded.merge(&theirs.succeeded);
            mine.unexpected += theirs.unexpected;
        }
        self.capture_to_captured.merge(&other.capture_to_captured);
        self.flows_started += other.flows_started;
        self.flows_finished += other.flows_finished;
        self.refund_drain = self.refund_drain.max(other.refund_drain);
        self.ledger_drain = self.ledger_drain.max(other.ledger_drain);
        self.duplicates.merge(&other.duplicates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_match_the_recorded_values() {
        let mut latencies = Latencies::new();
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        let within = |quantile: f64, expected_us: u64| {
            let found_us = latencies.quantile_us(quantile);
            assert!(
                found_us.abs_diff(expected_us) <= expected_us / 500,
                "{quantile}: {found_us} and not {expected_us}"
            );
        };
        within(0.50, 500_000);
        within(0.99, 990_000);
        within(0.999, 999_000);
        assert!(latencies.max_us() >= 1_000_000);
        latencies.record(Duration::from_secs(100_000));
        assert!(latencies.max_us() >= LATENCY_US_MAX, "what is too long is not lost");
        assert_eq!(latencies.count(), 1001);
    }

    #[test]
    fn latency_counts_from_the_due_instant_also_for_failures() {
        let due = Instant::now();
        let mut tally = Tally::new(due, due + Duration::from_secs(1));
        tally.record(Step::Authorize, due, due + Duration::from_millis(100), Ok(()));
        tally.record(Step::Authorize, due, due + Duration::from_secs(2), Err("timeout".to_owned()));
        let step = tally.step(Step::Authorize);
        assert_eq!((step.succeeded.count(), step.finished_in_time, step.latencies().count()), (1, 1, 2));
        assert_eq!(step.unexpected["timeout"], 1);
        assert!(step.latencies().max_us() >= 2_000_000);
    }

    #[test]
    fn tallies_add_up() {
        let start = Instant::now();
        let mut first = Tally::new(start, start + Duration::from_secs(3));
        let mut second = first.clone();
        first.record(Step::Refund, start, start, Err("503 overloaded".to_owned()));
        second.record(Step::Refund, start, start, Err("503 overloaded".to_owned()));
        second.record(Step::Refund, start, start + Duration::from_millis(2_500), Ok(()));
        second.record(Step::Poll, start, start + Duration::from_millis(2_500), Ok(()));
        second.record_unexpected(Step::Capture, "never captured");
        second.refund_drain = Some(Duration::from_millis(5));
        first.merge(&second);
        assert_eq!(first.step(Step::Refund).unexpected["503 overloaded"], 2);
        assert_eq!(first.step(Step::Capture).unexpected["never captured"], 1);
        let seconds = first.seconds.iter().map(|second| (second.succeeded.count(), second.unexpected));
        assert_eq!(seconds.collect::<Vec<_>>(), [(0, 2), (0, 0), (1, 0)]);
        assert_eq!(first.refund_drain, Some(Duration::from_millis(5)));
    }
}
