//! Breaker: leaves one dependency (the PSP, the event log) alone while it is ill.
//! Receives: a permit asked for before each call, a report after it, operators' orders.   Sends: nothing.
//! Durable: nothing; operators' orders are in the control store.   In memory: a count of the calls of the last seconds,
//! the last changes of state.
//! A panic costs the count: a fresh breaker starts closed and empty, or as it is forced; further failures open it
//! again.
//! Limit: `TRANSITIONS_MAX` changes are kept, one bucket for each second of the window; mailbox and batch as in
//! [`options`].

mod circuit;
mod force;
mod guard;
mod window;

use std::collections::VecDeque;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge};
use serde::Serialize;
use tokio::time::Instant;

use crate::domain::Timestamp;
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Context, Failure, Message, Options, RatioGauge, Reply, Wake};

pub use circuit::{BreakerState, CallOutcome, Forced, Permit, Refused, Settings};
use circuit::{Change, Circuit};
pub use force::{ForceOrder, ForcedBy, Forces, PendingOrder, Scope};
pub use guard::{BreakerError, guarded, peek};
use window::{Tally, ms};

/// How often metrics are updated when nobody asks: the window moves on, and the open time ends.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// Changes of state that are kept for operators.
const TRANSITIONS_MAX: usize = 20;

/// What a breaker can be sent. Callers use [`guarded`], which does not forget the report.
pub enum BreakerMessage {
    /// Asks for one call.
    Permit { reply: Reply<Result<Permit, Refused>> },
    /// A call has ended.
    Report { permit: Permit, outcome: CallOutcome, took: Duration },
    /// Asks whether a permit would be given now, without taking it.
    Peek { reply: Reply<Result<(), Refused>> },
    /// An operator's order in [`Forces`] has changed: the breaker is held in a state, or released.
    Obey,
    /// Asks for the view.
    View { reply: Reply<BreakerView> },
}

impl Message for BreakerMessage {
    fn kind(&self) -> &'static str {
        match self {
            Self::Permit { .. } => "permit",
            Self::Report { .. } => "report",
            Self::Peek { .. } => "peek",
            Self::Obey => "obey",
            Self::View { .. } => "view",
        }
    }
}

/// A breaker as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerView {
    /// The dependency.
    #[schema(example = "psp")]
    pub name: &'static str,
    pub state: BreakerState,
    /// Calls that count at this moment: those of the window, or the trial calls that have ended.
    pub calls: u64,
    pub failures: u64,
    pub slow_calls: u64,
    pub failure_rate_percent: u64,
    pub slow_rate_percent: u64,
    /// Calls refused since the breaker (re)started.
    pub refused_total: u64,
    /// Since when it has not let all calls pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// Who holds it in its state, and why; not there if nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<ForcedBy>,
    /// How long a caller refused now is to wait; not there if it is forced open, which ends when somebody ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The last changes of state, the oldest first.
    pub transitions: Vec<BreakerTransition>,
}

/// A change of a breaker's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerTransition {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub from: BreakerState,
    pub to: BreakerState,
    /// One sentence for people.
    #[schema(example = "16 of 32 calls failed")]
    pub why: String,
}

/// See the file's header.
pub struct Breaker {
    name: &'static str,
    circuit: Circuit,
    /// The zero of the circuit's time.
    origin: Option<Instant>,
    opened_at: Option<Timestamp>,
    forces: Forces,
    refused_total: u64,
    transitions: VecDeque<BreakerTransition>,
    meter: BreakerMeter,
}

/// How a breaker runs, under a name such as `breaker_psp`: its messages are quick, and every payment asks it.
pub fn options(name: &'static str) -> Options {
    Options::new(name).capacity(8_192).max_batch(256).tick(MEASURE_EVERY)
}

impl Breaker {
    /// A breaker that guards the dependency `name`: closed, unless it is forced.
    pub fn new(name: &'static str, settings: Settings, forces: Forces) -> Self {
        Self {
            name,
            circuit: Circuit::new(settings),
            origin: None,
            opened_at: None,
            forces,
            refused_total: 0,
            transitions: VecDeque::new(),
            meter: BreakerMeter::new(name),
        }
    }
}

impl Actor for Breaker {
    type Message = BreakerMessage;

    async fn started(&mut self, ctx: &Context) -> Result<(), Failure> {
        self.origin = Some(ctx.clock().instant());
        self.obey(0);
        self.note_changes(ctx);
        self.meter.state.record(gauge_value(self.circuit.state()), &self.meter.labels);
        Ok(())
    }

    async fn handle(&mut self, batch: Vec<BreakerMessage>, ctx: &Context) -> Result<(), Failure> {
        // One reading of the clock: a batch takes microseconds.
        let now_ms = self.now_ms(ctx);
        for message in batch {
            match message {
                BreakerMessage::Permit { reply } => self.permit(reply, now_ms),
                BreakerMessage::Report { permit, outcome, took } => {
                    self.circuit.report(permit, outcome, took, now_ms);
                    self.meter.ended(outcome);
                }
                BreakerMessage::Peek { reply } => reply.send(self.circuit.peek(now_ms)),
                BreakerMessage::Obey => self.obey(now_ms),
                BreakerMessage::View { reply } => {
                    // Whoever has given an order sees it obeyed, and looking can end the open time.
                    self.obey(now_ms);
                    self.circuit.advance(now_ms);
                    self.note_changes(ctx);
                    reply.send(self.view(now_ms));
                }
            }
        }
        self.note_changes(ctx);
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        let now_ms = self.now_ms(ctx);
        // Whoever gave the order may not have reached it.
        self.obey(now_ms);
        let tally = self.circuit.tally(now_ms);
        self.note_changes(ctx);
        self.meter.rates(tally);
        let forced = self.forces.of(self.name);
        let held = forced.map(|forced| Timestamp(ctx.clock().now_ms()).since(forced.since)).unwrap_or_default();
        self.meter.forced.record(held.as_secs(), &self.meter.labels);
        Ok(Wake::Idle)
    }
}

impl Breaker {
    /// The circuit's time.
    fn now_ms(&mut self, ctx: &Context) -> u64 {
        let now = ctx.clock().instant();
        ms(now.saturating_duration_since(*self.origin.get_or_insert(now)))
    }

    fn permit(&mut self, reply: Reply<Result<Permit, Refused>>, now_ms: u64) {
        // A permit that nobody receives would never be reported.
        if reply.is_abandoned() {
            return;
        }
        let permit = self.circuit.permit(now_ms);
        if permit.is_err() {
            self.refused_total += 1;
            self.meter.refused.add(1, &self.meter.labels);
        }
        reply.send(permit);
    }

    /// Goes into the state in which operators hold it, or out of it.
    fn obey(&mut self, now_ms: u64) {
        let forced = self.forces.of(self.name);
        let why =
            forced.as_ref().map_or("released by an operator".to_owned(), |forced| format!("forced {}", forced.said()));
        self.circuit.force(forced.map(|forced| forced.state), why, now_ms);
    }

    /// Logs, measures and keeps what changed.
    fn note_changes(&mut self, ctx: &Context) {
        for Change { from, to, why } in self.circuit.take_changes() {
            tracing::info!(breaker.name = self.name, breaker.from = ?from, breaker.to = ?to, %why, "breaker changed");
            self.meter.state.record(gauge_value(to), &self.meter.labels);
            let at = Timestamp(ctx.clock().now_ms());
            self.opened_at = match to {
                BreakerState::Closed | BreakerState::ForcedClosed => None,
                _ => self.opened_at.or(Some(at)),
            };
            if self.transitions.len() == TRANSITIONS_MAX {
                self.transitions.pop_front();
            }
            self.transitions.push_back(BreakerTransition { at, from, to, why });
        }
    }

    fn view(&mut self, now_ms: u64) -> BreakerView {
        let retry_after_ms = self.circuit.peek(now_ms).err().and_then(|refused| refused.retry_after).map(ms);
        let tally = self.circuit.tally(now_ms);
        BreakerView {
            name: self.name,
            state: self.circuit.state(),
            calls: tally.calls,
            failures: tally.failures,
            slow_calls: tally.slow_calls,
            failure_rate_percent: tally.failure_rate_percent(),
            slow_rate_percent: tally.slow_rate_percent(),
            refused_total: self.refused_total,
            opened_at: self.opened_at,
            forced: self.forces.of(self.name),
            retry_after_ms,
            transitions: self.transitions.iter().cloned().collect(),
        }
    }
}

fn gauge_value(state: BreakerState) -> u64 {
    match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open => 2,
        BreakerState::ForcedOpen => 3,
        BreakerState::ForcedClosed => 4,
    }
}

/// What is measured of a breaker.
struct BreakerMeter {
    labels: [KeyValue; 1],
    successes: [KeyValue; 2],
    failures: [KeyValue; 2],
    state: Gauge<u64>,
    forced: Gauge<u64>,
    failure_ratio: RatioGauge,
    slow_ratio: RatioGauge,
    calls: Counter<u64>,
    refused: Counter<u64>,
}

impl BreakerMeter {
    fn new(name: &'static str) -> Self {
        let label = KeyValue::new("breaker", name);
        let labels = [label.clone()];
        let successes = [label.clone(), KeyValue::new("outcome", "success")];
        let failures = [label, KeyValue::new("outcome", "failure")];
        Self {
            state: catalogue::BREAKER_STATE.to_gauge(),
            forced: catalogue::BREAKER_FORCED.to_gauge(),
            failure_ratio: catalogue::BREAKER_FAILURE_RATIO.to_ratio_gauge(),
            slow_ratio: catalogue::BREAKER_SLOW_RATIO.to_ratio_gauge(),
            calls: catalogue::BREAKER_CALLS.to_counter_from_zero([successes.as_slice(), failures.as_slice()]),
            refused: catalogue::BREAKER_REFUSED.to_counter_from_zero([labels.as_slice()]),
            labels,
            successes,
            failures,
        }
    }

    /// Shows the rates of what counts now.
    fn rates(&self, tally: Tally) {
        self.failure_ratio.record(tally.failures, tally.calls, &self.labels);
        self.slow_ratio.record(tally.slow_calls, tally.calls, &self.labels);
    }

    fn ended(&self, outcome: CallOutcome) {
        let labels = match outcome {
            CallOutcome::Success => &self.successes,
            CallOutcome::Failure | CallOutcome::FailedAgain => &self.failures,
        };
        self.calls.add(1, labels);
    }
}

#[cfg(test)]
mod tests;
