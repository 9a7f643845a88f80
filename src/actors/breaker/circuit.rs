//! When a dependency is called and when it is left alone: pure rules over monotonic milliseconds, after the pattern of
//! M. Nygard's "Release It!" (<https://martinfowler.com/bliki/CircuitBreaker.html>).
//!
//! Every change of state begins an epoch with an empty count; calls permitted in an earlier one count for nothing.

use std::mem;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::window::{Tally, Window, ms};

/// The figures of one breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How far back calls count, in whole seconds (rounded up, at least one). Default 10 s.
    pub window: Duration,
    /// With fewer calls than this in the window their rates say little: then only [`Self::streak_calls`] opens the
    /// breaker. Default 20.
    pub minimum_calls: u32,
    /// With few calls the breaker opens when so many in a row have failed, or were slow: in an outage all do. Default
    /// 5.
    pub streak_calls: u32,
    /// Failures in a hundred calls, 1 to 100, from which the breaker opens. Default 50.
    pub failure_rate_percent: u32,
    /// Slow calls in a hundred, 1 to 100, from which the breaker opens. Default 50.
    pub slow_rate_percent: u32,
    /// A call that takes longer is slow. Default 2 s.
    pub slow_call: Duration,
    /// How long an open breaker refuses, and how long the report of a trial call is waited for. Default 30 s.
    pub open: Duration,
    /// Calls permitted to find out whether the dependency is back, at least one. Default 3.
    pub trial_calls: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            minimum_calls: 20,
            streak_calls: 5,
            failure_rate_percent: 50,
            slow_rate_percent: 50,
            slow_call: Duration::from_secs(2),
            open: Duration::from_secs(30),
            trial_calls: 3,
        }
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls pass and are counted.
    Closed,
    /// Trial calls pass.
    HalfOpen,
    /// Nothing passes until the open time is over.
    Open,
    /// Nothing passes until an operator releases it.
    ForcedOpen,
    /// Calls pass and are counted, and nothing opens the breaker.
    ForcedClosed,
}

/// The state in which an operator can hold a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Forced {
    Open,
    Closed,
}

/// The right to one call, to be reported when the call has ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    epoch: u64,
    serial: u64,
}

/// No call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the breaker refuses")]
pub struct Refused {
    /// Open: the rest of the open time. Half-open: the time in which a healthy trial call has ended. Forced open: none,
    /// because nobody knows when the operator releases it.
    pub retry_after: Option<Duration>,
}

/// How a call ended, as far as the dependency's health goes. A decline is a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    Success,
    Failure,
    /// A failure of what has failed before: one operation that is tried over and over is one sign of illness, not many.
    /// It counts for a trial call alone.
    FailedAgain,
}

/// A change of state, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub from: BreakerState,
    pub to: BreakerState,
    pub why: String,
}

/// A breaker's state. Times are monotonic milliseconds from any origin.
#[derive(Debug)]
pub struct Circuit {
    settings: Settings,
    phase: Phase,
    epoch: u64,
    permitted: u64,
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Phase {
    Closed(Window, Streak),
    HalfOpen(Trials),
    Open { until_ms: u64 },
    ForcedOpen,
    ForcedClosed(Window),
}

impl Circuit {
    /// Closed and empty.
    pub fn new(settings: Settings) -> Self {
        let settings = Settings { trial_calls: settings.trial_calls.max(1), ..settings };
        let phase = Phase::closed(&settings);
        Self { settings, phase, epoch: 0, permitted: 0, changes: Vec::new() }
    }

    /// Asks for one call.
    pub fn permit(&mut self, now_ms: u64) -> Result<Permit, Refused> {
        self.peek(now_ms)?;
        self.permitted += 1;
        if let Phase::HalfOpen(trials) = &mut self.phase {
            trials.out.push(Trial { serial: self.permitted, until_ms: now_ms.saturating_add(ms(self.settings.open)) });
        }
        Ok(Permit { epoch: self.epoch, serial: self.permitted })
    }

    /// Whether a permit would be given now.
    pub fn peek(&mut self, now_ms: u64) -> Result<(), Refused> {
        self.advance(now_ms);
        let Settings { slow_call, trial_calls, .. } = self.settings;
        let retry_after = match &self.phase {
            Phase::Closed(..) | Phase::ForcedClosed(_) => return Ok(()),
            Phase::HalfOpen(trials) if trials.begun() < u64::from(trial_calls) => return Ok(()),
            Phase::HalfOpen(_) => Some(slow_call),
            Phase::Open { until_ms } => Some(Duration::from_millis(until_ms.saturating_sub(now_ms))),
            Phase::ForcedOpen => None,
        };
        Err(Refused { retry_after })
    }

    /// Counts a call that has ended.
    pub fn report(&mut self, permit: Permit, outcome: CallOutcome, took: Duration, now_ms: u64) {
        self.advance(now_ms);
        if permit.epoch != self.epoch {
            return;
        }
        let is_slow = took > self.settings.slow_call;
        let call = Tally { calls: 1, failures: (outcome != CallOutcome::Success).into(), slow_calls: is_slow.into() };
        match &mut self.phase {
            Phase::Closed(..) | Phase::ForcedClosed(_) if outcome == CallOutcome::FailedAgain => {}
            Phase::Closed(window, streak) => {
                let tally = window.count(call, now_ms);
                streak.add(call);
                if let Some(why) = self.settings.verdict_closed(tally, *streak) {
                    self.open(why, now_ms);
                }
            }
            Phase::ForcedClosed(window) => {
                window.count(call, now_ms);
            }
            Phase::HalfOpen(trials) => {
                if trials.end(permit.serial, call) && trials.tally.calls >= u64::from(self.settings.trial_calls) {
                    match self.settings.verdict(trials.tally) {
                        Some(why) => self.open(why, now_ms),
                        None => self.change(Phase::closed(&self.settings), "the trial calls went well"),
                    }
                }
            }
            Phase::Open { .. } | Phase::ForcedOpen => {}
        }
    }

    /// Holds the breaker in a state, or (`None`) releases it, from closed. `why` is for the list of changes.
    pub fn force(&mut self, forced: Option<Forced>, why: String, now_ms: u64) {
        self.advance(now_ms);
        match (forced, self.state()) {
            (Some(Forced::Open), BreakerState::ForcedOpen) | (Some(Forced::Closed), BreakerState::ForcedClosed) => {}
            (Some(Forced::Open), _) => self.change(Phase::ForcedOpen, why),
            (Some(Forced::Closed), _) => self.change(Phase::ForcedClosed(Window::new(self.settings.window)), why),
            (None, BreakerState::ForcedOpen | BreakerState::ForcedClosed) => {
                self.change(Phase::closed(&self.settings), why);
            }
            (None, _) => {}
        }
    }

    /// What counts now: the window's calls, or the trial calls that have ended; nothing while the breaker is open.
    pub fn tally(&mut self, now_ms: u64) -> Tally {
        self.advance(now_ms);
        match &mut self.phase {
            Phase::Closed(window, _) | Phase::ForcedClosed(window) => window.slide(now_ms),
            Phase::HalfOpen(trials) => trials.tally,
            Phase::Open { .. } | Phase::ForcedOpen => Tally::default(),
        }
    }

    /// The state when it was last given the time.
    pub fn state(&self) -> BreakerState {
        self.phase.state()
    }

    /// The changes since the last call, the oldest first.
    pub fn take_changes(&mut self) -> Vec<Change> {
        mem::take(&mut self.changes)
    }

    /// Applies the changes that time alone causes: every other method that is given the time does this first.
    pub fn advance(&mut self, now_ms: u64) {
        match &mut self.phase {
            Phase::Open { until_ms } if *until_ms <= now_ms => {
                self.change(Phase::HalfOpen(Trials::default()), "the open time is over");
            }
            Phase::HalfOpen(trials) => trials.out.retain(|trial| trial.until_ms > now_ms),
            _ => {}
        }
    }

    fn open(&mut self, why: String, now_ms: u64) {
        self.change(Phase::Open { until_ms: now_ms.saturating_add(ms(self.settings.open)) }, why);
    }

    fn change(&mut self, phase: Phase, why: impl Into<String>) {
        self.changes.push(Change { from: self.phase.state(), to: phase.state(), why: why.into() });
        self.phase = phase;
        self.epoch += 1;
    }
}

impl Phase {
    /// Closed and empty.
    fn closed(settings: &Settings) -> Self {
        Phase::Closed(Window::new(settings.window), Streak::default())
    }

    fn state(&self) -> BreakerState {
        match self {
            Phase::Closed(..) => BreakerState::Closed,
            Phase::HalfOpen(_) => BreakerState::HalfOpen,
            Phase::Open { .. } => BreakerState::Open,
            Phase::ForcedOpen => BreakerState::ForcedOpen,
            Phase::ForcedClosed(_) => BreakerState::ForcedClosed,
        }
    }
}

/// How many calls in a row have failed, and how many were slow.
#[derive(Debug, Clone, Copy, Default)]
struct Streak {
    failures: u64,
    slow_calls: u64,
}

impl Streak {
    fn add(&mut self, call: Tally) {
        self.failures = if call.failures > 0 { self.failures.saturating_add(1) } else { 0 };
        self.slow_calls = if call.slow_calls > 0 { self.slow_calls.saturating_add(1) } else { 0 };
    }
}

impl Settings {
    /// Why the window's calls, which end in this streak, open the breaker; `None` if they do not. The window holds the
    /// calls that ended last, so a streak that is no longer than it lies within it.
    fn verdict_closed(&self, tally: Tally, streak: Streak) -> Option<String> {
        if tally.calls >= u64::from(self.minimum_calls) {
            return self.verdict(tally);
        }
        let wanted = u64::from(self.streak_calls);
        if tally.calls < wanted {
            None
        } else if streak.failures >= wanted {
            Some(format!("{wanted} calls in a row failed"))
        } else if streak.slow_calls >= wanted {
            Some(format!("{wanted} calls in a row took longer than {:?}", self.slow_call))
        } else {
            None
        }
    }

    /// Why these calls open the breaker; `None` if they do not.
    fn verdict(&self, tally: Tally) -> Option<String> {
        let Tally { calls, failures, slow_calls } = tally;
        if tally.failure_rate_percent() >= u64::from(self.failure_rate_percent) {
            Some(format!("{failures} of {calls} calls failed"))
        } else if tally.slow_rate_percent() >= u64::from(self.slow_rate_percent) {
            Some(format!("{slow_calls} of {calls} calls took longer than {:?}", self.slow_call))
        } else {
            None
        }
    }
}

/// The trial calls of one half-open time.
#[derive(Debug, Default)]
struct Trials {
    out: Vec<Trial>,
    tally: Tally,
}

/// A trial call that has not ended. After `until_ms` it is given up, and another may go in its place.
#[derive(Debug)]
struct Trial {
    serial: u64,
    until_ms: u64,
}

impl Trials {
    fn begun(&self) -> u64 {
        self.tally.calls.saturating_add(self.out.len() as u64)
    }

    /// Whether the call's report was still awaited.
    fn end(&mut self, serial: u64, call: Tally) -> bool {
        let Some(place) = self.out.iter().position(|trial| trial.serial == serial) else { return false };
        self.out.swap_remove(place);
        self.tally.add(call);
        true
    }
}

#[cfg(test)]
mod tests;
