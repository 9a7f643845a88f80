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
    /// With few calls the breaker opens when so many in a row have failed, or were slow: in an outage all do. Default 5.
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
#[error("the breaker refuses, retry after {retry_after:?}")]
pub struct Refused {
    /// Open: the rest of the open time. Half-open: the time in which a healthy trial call has ended. Forced open: a
    /// whole open time, because it is unknown when the operator releases it.
    pub retry_after: Duration,
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
        self.refusal(now_ms).map_or(Ok(()), |retry_after| Err(Refused { retry_after }))
    }

    /// How long a caller that is refused now should wait; `None` if a permit would be given.
    pub fn refusal(&mut self, now_ms: u64) -> Option<Duration> {
        self.advance(now_ms);
        let Settings { open, slow_call, trial_calls, .. } = self.settings;
        match &self.phase {
            Phase::Closed(..) | Phase::ForcedClosed(_) => None,
            Phase::HalfOpen(trials) => (trials.begun() >= u64::from(trial_calls)).then_some(slow_call),
            Phase::Open { until_ms } => Some(Duration::from_millis(until_ms.saturating_sub(now_ms))),
            Phase::ForcedOpen => Some(open),
        }
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

    /// Holds the breaker in a state, or (`None`) releases it, from closed.
    pub fn force(&mut self, forced: Option<Forced>, now_ms: u64) {
        self.advance(now_ms);
        match (forced, self.state()) {
            (Some(Forced::Open), BreakerState::ForcedOpen) | (Some(Forced::Closed), BreakerState::ForcedClosed) => {}
            (Some(Forced::Open), _) => self.change(Phase::ForcedOpen, "forced by an operator"),
            (Some(Forced::Closed), _) => {
                self.change(Phase::ForcedClosed(Window::new(self.settings.window)), "forced by an operator")
            }
            (None, BreakerState::ForcedOpen | BreakerState::ForcedClosed) => {
                self.change(Phase::closed(&self.settings), "released by an operator");
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
mod tests {
    use proptest::prelude::*;

    use super::CallOutcome::{FailedAgain, Failure, Success};
    use super::*;

    const QUICK: Duration = Duration::from_millis(10);
    const SLOW: Duration = Duration::from_millis(2_001);

    fn call(circuit: &mut Circuit, outcome: CallOutcome, took: Duration, now_ms: u64) {
        let permit = circuit.permit(now_ms).unwrap();
        circuit.report(permit, outcome, took, now_ms);
    }

    fn opened(at_ms: u64) -> Circuit {
        let mut circuit = Circuit::new(Settings::default());
        (0..5).for_each(|_| call(&mut circuit, Failure, QUICK, at_ms));
        assert_eq!(circuit.state(), BreakerState::Open);
        circuit
    }

    #[test]
    fn circuit_opens_at_either_rate_or_streak_and_not_below() {
        let limit = Duration::from_millis(2_000);
        // (quick successes, quick failures, slow successes, why it opens)
        for (good, bad, slow, why) in [
            (5, 0, 0, None),
            (0, 4, 0, None),
            (3, 4, 0, None),
            (51, 50, 0, None),
            (3, 5, 0, Some("5 calls in a row failed")),
            (0, 5, 0, Some("5 calls in a row failed")),
            (16, 15, 0, None),
            (16, 16, 0, Some("16 of 32 calls failed")),
            (3, 0, 4, None),
            (2, 0, 5, Some("5 calls in a row took longer than 2s")),
            (16, 0, 16, Some("16 of 32 calls took longer than 2s")),
            (3, 4, 4, None),
        ] {
            let mut circuit = Circuit::new(Settings::default());
            (0..good).for_each(|_| call(&mut circuit, Success, limit, 0));
            (0..bad).for_each(|_| call(&mut circuit, Failure, QUICK, 0));
            (0..slow).for_each(|_| call(&mut circuit, Success, SLOW, 0));
            let changes = circuit.take_changes();
            let whys: Vec<_> = changes.iter().map(|change| change.why.as_str()).collect();
            assert_eq!(whys, Vec::from_iter(why), "{good} good, {bad} bad, {slow} slow");
        }
    }

    #[test]
    fn few_calls_open_the_circuit_only_if_all_of_the_last_ones_failed() {
        let mut circuit = Circuit::new(Settings::default());
        // Of 19 calls all but three have failed.
        for place in 0..19 {
            call(&mut circuit, if place % 5 == 4 { Success } else { Failure }, QUICK, 0);
        }
        assert_eq!((circuit.state(), circuit.tally(0).failures), (BreakerState::Closed, 16));
        call(&mut circuit, Failure, QUICK, 0);
        assert_eq!(circuit.state(), BreakerState::Open, "with twenty their rate counts");
    }

    #[test]
    fn one_operation_that_fails_over_and_over_opens_nothing_and_is_a_trial_like_any() {
        let mut circuit = Circuit::new(Settings::default());
        (0..4).for_each(|_| call(&mut circuit, Failure, QUICK, 0));
        (0..100).for_each(|_| call(&mut circuit, FailedAgain, SLOW, 0));
        assert_eq!((circuit.state(), circuit.tally(0).calls), (BreakerState::Closed, 4));
        let mut circuit = opened(0);
        (0..3).for_each(|_| call(&mut circuit, FailedAgain, QUICK, 30_000));
        assert_eq!(circuit.state(), BreakerState::Open);
    }

    #[test]
    fn failures_of_an_earlier_window_do_not_open_the_circuit() {
        let mut circuit = Circuit::new(Settings::default());
        (0..4).for_each(|_| call(&mut circuit, Failure, QUICK, 1_999));
        (0..4).for_each(|_| call(&mut circuit, Failure, QUICK, 11_000));
        assert_eq!((circuit.state(), circuit.tally(11_000).calls), (BreakerState::Closed, 4));
    }

    #[test]
    fn open_circuit_refuses_for_the_rest_of_the_open_time() {
        let mut circuit = opened(1_000);
        for (now_ms, rest_ms) in [(1_000, 30_000), (1_001, 29_999), (30_999, 1)] {
            assert_eq!(circuit.permit(now_ms), Err(Refused { retry_after: Duration::from_millis(rest_ms) }));
        }
        assert!(circuit.peek(31_000).is_ok());
        assert_eq!(circuit.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn trial_calls_decide_once_all_have_reported() {
        for (outcomes, took, state) in [
            ([Success, Success, Success], QUICK, BreakerState::Closed),
            ([Success, Failure, Success], QUICK, BreakerState::Closed),
            ([Failure, Success, Failure], QUICK, BreakerState::Open),
            ([Success, Success, Success], SLOW, BreakerState::Open),
        ] {
            let mut circuit = opened(0);
            let trials: Vec<_> = (0..3).map(|_| circuit.permit(30_000).unwrap()).collect();
            assert_eq!(circuit.permit(30_000), Err(Refused { retry_after: Duration::from_secs(2) }));
            for (trial, outcome) in trials.into_iter().zip(outcomes) {
                assert_eq!(circuit.state(), BreakerState::HalfOpen);
                circuit.report(trial, outcome, took, 31_000);
            }
            assert_eq!(circuit.state(), state, "{outcomes:?} {took:?}");
            assert_eq!(circuit.tally(31_000), Tally::default());
        }
    }

    #[test]
    fn trial_call_without_a_report_is_given_up() {
        let mut circuit = opened(0);
        let lost = circuit.permit(30_000).unwrap();
        (0..2).for_each(|_| call(&mut circuit, Success, QUICK, 30_000));
        assert!(circuit.permit(59_999).is_err());
        let another = circuit.permit(60_000).unwrap();
        assert!(circuit.permit(60_000).is_err());
        circuit.report(lost, Failure, QUICK, 60_000);
        assert_eq!(circuit.state(), BreakerState::HalfOpen);
        circuit.report(another, Success, QUICK, 60_000);
        assert_eq!(circuit.state(), BreakerState::Closed);
    }

    #[test]
    fn calls_permitted_before_a_state_change_are_not_counted() {
        let mut circuit = Circuit::new(Settings::default());
        let early: Vec<_> = (0..8).map(|_| circuit.permit(0).unwrap()).collect();
        (0..5).for_each(|_| call(&mut circuit, Failure, QUICK, 0));
        for (permit, now_ms) in early.into_iter().zip([1, 2, 30_000, 30_000, 30_000, 30_001, 30_001, 30_001]) {
            circuit.report(permit, Failure, QUICK, now_ms);
        }
        assert_eq!((circuit.state(), circuit.tally(30_001)), (BreakerState::HalfOpen, Tally::default()));
    }

    #[test]
    fn operator_forces_and_releases_the_circuit() {
        let mut circuit = Circuit::new(Settings::default());
        circuit.force(None, 0);
        circuit.force(Some(Forced::Closed), 0);
        (0..9).for_each(|_| call(&mut circuit, Failure, SLOW, 0));
        assert_eq!(circuit.state(), BreakerState::ForcedClosed);
        assert_eq!(circuit.tally(0), Tally { calls: 9, failures: 9, slow_calls: 9 });
        (0..2).for_each(|_| circuit.force(Some(Forced::Open), 0));
        assert_eq!(circuit.permit(999_999), Err(Refused { retry_after: Duration::from_secs(30) }));
        circuit.force(None, 999_999);
        assert_eq!((circuit.state(), circuit.tally(999_999)), (BreakerState::Closed, Tally::default()));
        let path: Vec<_> = circuit.take_changes().iter().map(|change| change.to).collect();
        assert_eq!(path, [BreakerState::ForcedClosed, BreakerState::ForcedOpen, BreakerState::Closed]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Pass {
            ms: u64,
        },
        Permit,
        /// Ends one of the calls in flight.
        Report {
            which: usize,
            outcome: CallOutcome,
            took: Duration,
        },
    }

    fn step() -> impl Strategy<Value = Step> {
        let outcome = prop_oneof![Just(Success), Just(Failure), Just(FailedAgain)];
        let took = prop_oneof![3 => Just(QUICK), 1 => Just(SLOW)];
        let report = (any::<usize>(), outcome, took);
        prop_oneof![
            2 => (0..3_000_u64).prop_map(|ms| Step::Pass { ms }),
            1 => (0..40_000_u64).prop_map(|ms| Step::Pass { ms }),
            6 => Just(Step::Permit),
            6 => report.prop_map(|(which, outcome, took)| Step::Report { which, outcome, took }),
        ]
    }

    /// A call in flight.
    struct Out {
        permit: Permit,
        epoch: usize,
        given_ms: u64,
    }

    proptest! {
        /// Against a model that keeps every call of the epoch in a list and counts it all again each time.
        #[test]
        fn circuit_agrees_with_a_naive_model(
            steps in prop::collection::vec(step(), 1..200),
            trial_calls in 1..5_u32,
            minimum_calls in 1..12_u32,
            streak_calls in 1..6_u32,
            rate in 1..=100_u32,
        ) {
            let settings = Settings {
                trial_calls,
                minimum_calls,
                streak_calls,
                failure_rate_percent: rate,
                slow_rate_percent: 101 - rate,
                ..Settings::default()
            };
            let mut circuit = Circuit::new(settings);
            let (mut now, mut epoch, mut opened_ms) = (0, 0, 0);
            let mut out: Vec<Out> = Vec::new();
            let mut ended: Vec<(u64, CallOutcome, bool)> = Vec::new();
            for step in steps {
                let before = circuit.state();
                let is_waited_for = |call: &Out| call.epoch == epoch && call.given_ms + 30_000 > now;
                match step {
                    Step::Pass { ms } => now += ms,
                    Step::Permit => {
                        let trials = out.iter().filter(|call| is_waited_for(call)).count() + ended.len();
                        let answer = circuit.permit(now);
                        let expected = match before {
                            BreakerState::Open => opened_ms + 30_000 <= now,
                            BreakerState::HalfOpen => trials < trial_calls as usize,
                            _ => true,
                        };
                        prop_assert_eq!(answer.is_ok(), expected);
                        if before == BreakerState::Open && !expected {
                            let rest = Duration::from_millis(opened_ms + 30_000 - now);
                            prop_assert_eq!(&answer, &Err(Refused { retry_after: rest }));
                        }
                        if circuit.state() != before {
                            prop_assert_eq!(circuit.state(), BreakerState::HalfOpen);
                            epoch += 1;
                            ended.clear();
                        }
                        out.extend(answer.ok().map(|permit| Out { permit, epoch, given_ms: now }));
                    }
                    Step::Report { which, outcome, took } if !out.is_empty() => {
                        let call = out.swap_remove(which % out.len());
                        let counts = match before {
                            BreakerState::Closed => call.epoch == epoch && outcome != FailedAgain,
                            BreakerState::HalfOpen => is_waited_for(&call),
                            _ => false,
                        };
                        circuit.report(call.permit, outcome, took, now);
                        if counts {
                            ended.push((now / 1_000, outcome, took == SLOW));
                        }
                        let in_window = |second: u64| before != BreakerState::Closed || second + 10 > now / 1_000;
                        let recent: Vec<_> = ended.iter().filter(|(second, ..)| in_window(*second)).collect();
                        let calls = recent.len() as u32;
                        let bad = recent.iter().filter(|(_, outcome, _)| *outcome != Success).count() as u32;
                        let slow = recent.iter().filter(|(.., is_slow)| *is_slow).count() as u32;
                        let is_ill = bad * 100 >= rate * calls || slow * 100 >= (101 - rate) * calls;
                        let last = &recent[recent.len().saturating_sub(streak_calls as usize)..];
                        let is_streak = last.len() == streak_calls as usize
                            && (last.iter().all(|call| call.1 != Success) || last.iter().all(|call| call.2));
                        let opens = if calls >= minimum_calls { is_ill } else { is_streak };
                        let expected = match before {
                            BreakerState::Closed if counts && opens => BreakerState::Open,
                            BreakerState::HalfOpen if counts && calls == trial_calls && is_ill => BreakerState::Open,
                            BreakerState::HalfOpen if counts && calls == trial_calls => BreakerState::Closed,
                            BreakerState::Open if opened_ms + 30_000 <= now => BreakerState::HalfOpen,
                            unchanged => unchanged,
                        };
                        prop_assert_eq!(circuit.state(), expected);
                        if expected != before {
                            epoch += 1;
                            ended.clear();
                            opened_ms = now;
                        }
                    }
                    Step::Report { .. } => {}
                }
            }
        }
    }
}
