//! Tests of a breaker under a supervisor.

use std::future::{Future, pending, ready};

use tokio::time::{advance, sleep};

use super::*;
use crate::actors::testing::{START_MS, story};
use crate::runtime::{Environment, Fault, Handle};

const OPEN: Duration = Duration::from_secs(30);

/// A breaker, seen by its callers.
struct Psp {
    breaker: Handle<Breaker>,
    environment: Environment,
    forces: Forces,
}

impl Psp {
    async fn call(&self, call: impl Future<Output = Result<(), &'static str>>) -> Result<(), BreakerError> {
        guarded(&self.breaker, &self.environment.clock, call, CallOutcome::of).await.map(drop)
    }

    async fn succeeds(&self) -> Result<(), BreakerError> {
        self.call(ready(Ok(()))).await
    }

    async fn fails(&self, times: u32) {
        for _ in 0..times {
            self.call(ready(Err("gone"))).await.unwrap();
        }
        // When the answer is there, the reports before it are counted.
        self.view().await;
    }

    async fn view(&self) -> BreakerView {
        self.breaker.ask(|reply| BreakerMessage::View { reply }).await.unwrap()
    }

    async fn force(&self, state: Option<Forced>) -> BreakerState {
        let order = ForceOrder {
            state,
            operator: "kim".to_owned(),
            source: "127.0.0.1".to_owned(),
            reason: "ticket 4711".to_owned(),
            at: Timestamp(START_MS),
        };
        self.forces.kept("psp", order);
        self.breaker.tell(BreakerMessage::Obey).unwrap();
        self.view().await.state
    }
}

async fn psp<F: Future>(tell: impl FnOnce(Psp) -> F) -> F::Output {
    let forces = Forces::default();
    let known = forces.clone();
    let factory = move || Breaker::new("psp", Settings::default(), known.clone());
    story(options("breaker_psp"), factory, |breaker, environment| tell(Psp { breaker, environment, forces })).await
}

#[tokio::test(start_paused = true)]
async fn breaker_opens_after_failures_and_closes_after_three_good_trials() {
    psp(async |psp: Psp| {
        psp.succeeds().await.unwrap();
        psp.fails(5).await;
        let refused = |retry_after| Err(BreakerError::Refused { retry_after: Some(retry_after) });
        assert_eq!(psp.succeeds().await, refused(OPEN));
        advance(Duration::from_secs(10)).await;
        assert_eq!(psp.succeeds().await, refused(Duration::from_secs(20)));
        assert_eq!(peek(&psp.breaker).await, refused(Duration::from_secs(20)));
        let view = psp.view().await;
        assert_eq!((view.state, view.refused_total, view.retry_after_ms), (BreakerState::Open, 2, Some(20_000)));
        assert_eq!(view.opened_at, Some(Timestamp(START_MS)));
        advance(Duration::from_secs(20)).await;
        assert_eq!(psp.view().await.state, BreakerState::HalfOpen);
        for _ in 0..3 {
            assert_eq!(peek(&psp.breaker).await, Ok(()));
            psp.succeeds().await.unwrap();
        }
        let view = psp.view().await;
        assert_eq!((view.state, view.calls, view.opened_at), (BreakerState::Closed, 0, None));
        let whys: Vec<_> = view.transitions.iter().map(|change| change.why.as_str()).collect();
        assert_eq!(whys, ["5 calls in a row failed", "the open time is over", "the trial calls went well"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn half_open_breaker_permits_three_trial_calls() {
    psp(async |psp: Psp| {
        psp.fails(5).await;
        advance(OPEN).await;
        let call = || {
            psp.call(async {
                sleep(Duration::from_secs(1)).await;
                Ok(())
            })
        };
        let (a, b, c, d) = tokio::join!(call(), call(), call(), call());
        assert_eq!((a, b, c), (Ok(()), Ok(()), Ok(())));
        assert_eq!(d, Err(BreakerError::Refused { retry_after: Some(Duration::from_secs(2)) }));
        assert_eq!(psp.view().await.state, BreakerState::Closed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancelled_call_counts_as_failure_and_long_call_as_slow() {
    psp(async |psp: Psp| {
        let cancelled = tokio::time::timeout(Duration::from_secs(3), psp.call(pending())).await;
        assert!(cancelled.is_err());
        let view = psp.view().await;
        assert_eq!((view.calls, view.failures, view.slow_calls), (1, 1, 1));
        assert_eq!((view.failure_rate_percent, view.slow_rate_percent), (100, 100));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn operator_forces_and_releases_the_breaker() {
    psp(async |psp: Psp| {
        assert_eq!(psp.force(Some(Forced::Closed)).await, BreakerState::ForcedClosed);
        psp.fails(20).await;
        assert_eq!(psp.force(Some(Forced::Open)).await, BreakerState::ForcedOpen);
        assert_eq!(psp.succeeds().await, Err(BreakerError::Refused { retry_after: None }));
        assert_eq!(psp.force(None).await, BreakerState::Closed);
        for state in [Forced::Open, Forced::Closed].into_iter().cycle().take(40) {
            psp.force(Some(state)).await;
        }
        let view = serde_json::to_value(psp.view().await).unwrap();
        assert_eq!(view["transitions"].as_array().unwrap().len(), TRANSITIONS_MAX);
        assert_eq!((&view["name"], &view["state"]), (&"psp".into(), &"forced_closed".into()));
        assert_eq!((&view["refusedTotal"], view.get("retryAfterMs")), (&1.into(), None));
        assert_eq!(view["transitions"][0]["at"], "2026-11-23T09:30:00.000Z");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn restarted_breaker_is_closed_and_empty() {
    psp(async |psp: Psp| {
        psp.fails(5).await;
        assert!(psp.succeeds().await.is_err());
        psp.environment.faults.enable();
        psp.environment.faults.inject("breaker_psp", None, Fault::Panic, 1).unwrap();
        assert!(matches!(psp.succeeds().await, Err(BreakerError::Ask(_))));
        assert_eq!(psp.succeeds().await, Ok(()));
        let view = psp.view().await;
        assert_eq!((view.state, view.calls), (BreakerState::Closed, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn restarted_breaker_stays_as_it_is_forced() {
    psp(async |psp: Psp| {
        assert_eq!(psp.force(Some(Forced::Open)).await, BreakerState::ForcedOpen);
        psp.environment.faults.enable();
        psp.environment.faults.inject("breaker_psp", None, Fault::Panic, 1).unwrap();
        assert!(matches!(psp.succeeds().await, Err(BreakerError::Ask(_))));
        assert_eq!(psp.succeeds().await, Err(BreakerError::Refused { retry_after: None }));
        let view = psp.view().await;
        assert_eq!(view.forced.unwrap().reason, "ticket 4711");
        assert!(view.transitions[0].why.contains("forced by kim since"), "{:?}", view.transitions);
    })
    .await;
}
