//! What a run found, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::args::{LoadArgs, Scenario};
use super::duplicates::DuplicateCounts;
use super::tally::{Latencies, Second, Step, StepTally, Tally};

/// The result of a run. Latencies are in milliseconds, rates per second.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where requests went.
    pub url: String,
    /// What was sent.
    pub scenario: Scenario,
    /// Closed loop: how many connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Open loop: how many starts a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// How long things were started.
    pub duration_ms: u64,
    /// The signal that ended the run before its time; `duration_ms` is how long it had taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted_by: Option<&'static str>,
    /// Seed of merchants and amounts.
    pub seed: u64,
    /// What stands in front of this run's idempotency keys.
    pub run_id: String,
    /// Whether something succeeded and nothing unexpected happened.
    pub clean: bool,
    /// Requests with the expected answer, polls included.
    pub succeeded: u64,
    /// Everything unexpected, over all steps.
    pub unexpected: u64,
    /// All requests but polls, which would flatter the percentiles of a full flow.
    pub overall: StepSummary,
    /// The run second by second, polls left out.
    pub seconds: Vec<SecondSummary>,
    /// By step, those without a request left out, in the order of a flow.
    pub steps: Vec<StepSummary>,
    /// full-flow: what became of whole flows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<FlowSummary>,
    /// duplicates: what the groups of identical requests were answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<DuplicateCounts>,
}

/// The requests that finished in one second of the run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecondSummary {
    /// Requests with the expected answer.
    pub succeeded: u64,
    /// All others.
    pub unexpected: u64,
    /// Latencies of requests with the expected answer, in milliseconds: half, and 99 %, are no longer.
    pub p50_ms: f64,
    /// See [`Self::p50_ms`].
    pub p99_ms: f64,
}

/// One step's requests.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSummary {
    /// The step's name.
    pub name: String,
    /// Requests that finished, well or not.
    pub requests: u64,
    /// Requests a second that finished within the duration.
    pub rate_per_s: f64,
    /// From when a request was due to the end of its answer.
    pub latency_ms: Percentiles,
    /// The same, of requests with the expected answer.
    pub succeeded_ms: Percentiles,
    /// The same of all others.
    pub failed_ms: Percentiles,
    /// What was unexpected, by status and code or kind of failure.
    pub unexpected: BTreeMap<String, u64>,
}

/// Whole flows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowSummary {
    /// Flows that were begun.
    pub started: u64,
    /// Flows whose refund was accepted.
    pub finished: u64,
    /// From sending a capture to the poll that first says CAPTURED.
    pub capture_to_captured_ms: Percentiles,
    /// From the last refund's answer to the poll that first says REFUNDED.
    pub refund_drain_ms: Option<f64>,
    /// From the last refund's answer to the poll that first sees its ledger entry: how far the ledger was behind.
    pub ledger_drain_ms: Option<f64>,
}

/// Percentiles of a latency, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Percentiles {
    /// How many latencies these are of.
    pub count: u64,
    /// Half are no longer than this.
    pub p50: f64,
    /// 90 % are no longer than this.
    pub p90: f64,
    /// 95 % are no longer than this.
    pub p95: f64,
    /// 99 % are no longer than this.
    pub p99: f64,
    /// 99.9 % are no longer than this.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// The longest.
    pub max: f64,
}

impl Summary {
    /// Summarizes what all threads of a run counted together. One that was interrupted took the given time.
    pub fn new(args: &LoadArgs, run_id: String, tally: &Tally, interrupted: Option<(&'static str, Duration)>) -> Self {
        let duration = interrupted.map_or(args.duration, |(_, took)| took.min(args.duration));
        let seconds = duration.as_secs_f64().max(0.001);
        let mut overall = StepTally::default();
        let mut steps = Vec::new();
        let (mut succeeded, mut unexpected) = (0, 0);
        for step in Step::ALL {
            let found = tally.step(step);
            succeeded += found.succeeded.count();
            unexpected += found.unexpected.values().sum::<u64>();
            if step != Step::Poll {
                overall.merge(found);
            }
            if found.latencies().count() > 0 || !found.unexpected.is_empty() {
                steps.push(StepSummary::new(step.name(), seconds, found));
            }
        }
        let duplicates = (args.scenario == Scenario::Duplicates).then(|| tally.duplicates.clone());
        unexpected += tally.duplicates.groups_broken;
        let flows = (args.scenario == Scenario::FullFlow).then(|| FlowSummary {
            started: tally.flows_started,
            finished: tally.flows_finished,
            capture_to_captured_ms: Percentiles::new(&tally.capture_to_captured),
            refund_drain_ms: tally.refund_drain.map(|drain| drain.as_secs_f64() * 1e3),
            ledger_drain_ms: tally.ledger_drain.map(|drain| drain.as_secs_f64() * 1e3),
        });
        Self {
            url: args.url.clone(),
            scenario: args.scenario,
            connections: args.connections,
            rate: args.rate,
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            interrupted_by: interrupted.map(|(signal, _)| signal),
            seed: args.seed,
            run_id,
            clean: succeeded > 0 && unexpected == 0,
            succeeded,
            unexpected,
            overall: StepSummary::new("overall", seconds, &overall),
            seconds: tally.seconds.iter().map(SecondSummary::new).collect(),
            steps,
            flows,
            duplicates,
        }
    }

    /// 0 for a clean run, 1 when nothing succeeded or anything unexpected happened; of one that was interrupted, as
    /// shells have it, 128 and the signal's number.
    pub fn exit_code(&self) -> ExitCode {
        match self.interrupted_by {
            Some("SIGINT") => ExitCode::from(130),
            Some(_) => ExitCode::from(143),
            None if self.clean => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        }
    }
}

impl SecondSummary {
    fn new(second: &Second) -> Self {
        let at_ms = |quantile| second.succeeded.quantile_us(quantile) as f64 / 1e3;
        Self {
            succeeded: second.succeeded.count(),
            unexpected: second.unexpected,
            p50_ms: at_ms(0.5),
            p99_ms: at_ms(0.99),
        }
    }
}

impl StepSummary {
    fn new(name: &str, seconds: f64, tally: &StepTally) -> Self {
        let all = tally.latencies();
        Self {
            name: name.to_owned(),
            requests: all.count(),
            rate_per_s: tally.finished_in_time as f64 / seconds,
            latency_ms: Percentiles::new(&all),
            succeeded_ms: Percentiles::new(&tally.succeeded),
            failed_ms: Percentiles::new(&tally.failed),
            unexpected: tally.unexpected.clone(),
        }
    }
}

impl Percentiles {
    fn new(latencies: &Latencies) -> Self {
        let at = |quantile| latencies.quantile_us(quantile) as f64 / 1e3;
        Self {
            count: latencies.count(),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p99_9: at(0.999),
            max: latencies.max_us() as f64 / 1e3,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pace = match (self.connections, self.rate) {
            (Some(connections), _) => format!("closed loop, {connections} connections"),
            (None, Some(rate)) => format!("open loop, {rate} starts/s"),
            (None, None) => String::new(),
        };
        let seconds = self.duration_ms as f64 / 1e3;
        writeln!(out, "{} to {}: {pace}, {seconds} s, run {}", self.scenario.name(), self.url, self.run_id)?;
        writeln!(
            out,
            "\n{:<20} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "latency in ms", "requests", "/s", "p50", "p90", "p95", "p99", "p99.9", "max"
        )?;
        for step in &self.steps {
            write_row(out, &step.name, Some(step.rate_per_s), &step.latency_ms)?;
            if step.succeeded_ms.count > 0 && step.failed_ms.count > 0 {
                write_row(out, "  answered as hoped", None, &step.succeeded_ms)?;
                write_row(out, "  all others", None, &step.failed_ms)?;
            }
        }
        if self.steps.len() > 1 {
            write_row(out, "all but polls", Some(self.overall.rate_per_s), &self.overall.latency_ms)?;
        }
        if let Some(flows) = &self.flows {
            write_row(out, "capture to CAPTURED", None, &flows.capture_to_captured_ms)?;
            writeln!(out, "\nflows: {} started, {} finished", flows.started, flows.finished)?;
            if let Some(refund_drain_ms) = flows.refund_drain_ms {
                writeln!(out, "the last refund was REFUNDED {refund_drain_ms:.1} ms after it was accepted")?;
            }
            if let Some(ledger_drain_ms) = flows.ledger_drain_ms {
                writeln!(out, "and booked {ledger_drain_ms:.1} ms after it was accepted")?;
            }
        }
        if let Some(counts) = &self.duplicates {
            writeln!(
                out,
                "\ngroups: {} sent, {} broken; answers: {} fresh, {} replayed, {} in progress",
                counts.groups, counts.groups_broken, counts.fresh, counts.replayed, counts.in_progress
            )?;
        }
        for step in self.steps.iter().filter(|step| !step.unexpected.is_empty()) {
            writeln!(out, "\nunexpected at {}:", step.name)?;
            for (label, count) in &step.unexpected {
                writeln!(out, "{count:>12}  {label}")?;
            }
        }
        if let Some(signal) = self.interrupted_by {
            writeln!(out, "\ninterrupted by {signal} after {seconds} s")?;
        }
        let verdict = if self.clean { "clean" } else { "not clean" };
        write!(out, "\n{verdict}: {} succeeded, {} unexpected", self.succeeded, self.unexpected)
    }
}

fn write_row(out: &mut fmt::Formatter<'_>, name: &str, rate_per_s: Option<f64>, row: &Percentiles) -> fmt::Result {
    let rate = rate_per_s.map_or_else(String::new, |rate| format!("{rate:.1}"));
    let Percentiles { count, p50, p90, p95, p99, p99_9, max } = row;
    writeln!(out, "{name:<20} {count:>9} {rate:>9} {p50:>9.2} {p90:>9.2} {p95:>9.2} {p99:>9.2} {p99_9:>9.2} {max:>9.2}")
}
