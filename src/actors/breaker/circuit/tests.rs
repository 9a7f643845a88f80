//! Tests of the circuit's rules.

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
        assert_eq!(circuit.permit(now_ms), Err(Refused { retry_after: Some(Duration::from_millis(rest_ms)) }));
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
        assert_eq!(circuit.permit(30_000), Err(Refused { retry_after: Some(Duration::from_secs(2)) }));
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
    circuit.force(None, String::new(), 0);
    circuit.force(Some(Forced::Closed), String::new(), 0);
    (0..9).for_each(|_| call(&mut circuit, Failure, SLOW, 0));
    assert_eq!(circuit.state(), BreakerState::ForcedClosed);
    assert_eq!(circuit.tally(0), Tally { calls: 9, failures: 9, slow_calls: 9 });
    (0..2).for_each(|_| circuit.force(Some(Forced::Open), String::new(), 0));
    assert_eq!(circuit.permit(999_999), Err(Refused { retry_after: None }));
    circuit.force(None, String::new(), 999_999);
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

/// A call that has ended: in which second, how, and whether it was slow.
type Ended = (u64, CallOutcome, bool);

/// Whether the share of failures or of slow calls is too high.
fn is_ill(calls: &[Ended], settings: &Settings) -> bool {
    let is_over = |bad: usize, percent: u32| bad * 100 >= percent as usize * calls.len();
    let failures = calls.iter().filter(|call| call.1 != Success).count();
    let slow = calls.iter().filter(|call| call.2).count();
    is_over(failures, settings.failure_rate_percent) || is_over(slow, settings.slow_rate_percent)
}

/// Whether the last calls all failed, or all were slow.
fn is_streak(calls: &[Ended], settings: &Settings) -> bool {
    let Some(first) = calls.len().checked_sub(settings.streak_calls as usize) else { return false };
    let last = &calls[first..];
    last.iter().all(|call| call.1 != Success) || last.iter().all(|call| call.2)
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
        let mut circuit = Circuit::new(settings.clone());
        let (mut now, mut epoch, mut opened_ms) = (0, 0, 0);
        let mut out: Vec<Out> = Vec::new();
        let mut ended: Vec<Ended> = Vec::new();
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
                        let rest = Some(Duration::from_millis(opened_ms + 30_000 - now));
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
                    let recent: Vec<_> = ended.iter().filter(|(second, ..)| in_window(*second)).copied().collect();
                    let calls = recent.len() as u32;
                    let is_ill = is_ill(&recent, &settings);
                    let opens = if calls >= minimum_calls { is_ill } else { is_streak(&recent, &settings) };
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
