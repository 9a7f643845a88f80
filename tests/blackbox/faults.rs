//! Actors that panic, hang, or lose what they hold, while money moves.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::node::{TestNode, eventually, order};

const FAULTS: (&str, &str) = ("FAULTS__ENABLED", "true");
/// The default deadline of an ask, with room for a busy machine.
const DEADLINE: Duration = Duration::from_secs(8);

/// Runs whole payments while each incarnation of `actor` panics once, and checks that nothing acknowledged is lost.
async fn panics_under_load(actor: &str) {
    let node = TestNode::start_with(&[FAULTS, ("RESOLVER__AFTER_MS", "5100"), ("REQUESTS__GRACE_MS", "500")]).await;
    let told = async |number: usize| {
        let mut told = Vec::new();
        for _ in 0..15 {
            let body = order(&format!("MERCHANT-{number}"), 1_000);
            let begun = Instant::now();
            let answer = node.post("/payments/authorize", &body).await;
            assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
            match answer.status {
                200 => {
                    let id = answer.json()["paymentId"].as_str().unwrap().to_owned();
                    let body = json!({"merchantId": format!("MERCHANT-{number}"), "idempotencyKey": "capture"});
                    let path = format!("/payments/capture/{id}");
                    // A call that was interrupted is repeated with its key, as clients do.
                    let captured = eventually("captured", async || {
                        let answer = node.post(&path, &body).await;
                        (answer.status == 200).then_some(())
                    });
                    captured.await;
                    told.push(id);
                }
                503 => assert!(
                    ["overloaded", "psp_unavailable", "outcome_unknown"].contains(&answer.code().as_str()),
                    "{}",
                    answer.text
                ),
                other => panic!("{other}: {}", answer.text),
            }
        }
        told
    };
    let panics = async {
        for _ in 0..2 {
            let before = node.restarts(actor).await;
            let last_alive = Cell::new(Instant::now());
            node.inject(json!({"actor": actor, "fault": "panic", "times": 1})).await;
            // One without work dies of its next tick. That wait is not the restart's: its time begins when the tree was
            // last asked and knew of no death.
            eventually("the death", async || {
                let asked = Instant::now();
                let is_dead = node.restarts(actor).await > before;
                if !is_dead {
                    last_alive.set(asked);
                }
                is_dead.then_some(())
            })
            .await;
            eventually("all running", async || {
                node.actors(actor).await.iter().all(|actor| actor["state"] == "running").then_some(())
            })
            .await;
            let down = last_alive.get().elapsed();
            assert!(down < Duration::from_secs(1), "{actor} was down for {down:?}");
            // What was in hand has its second turn before the next panic: a message that dies twice is not tried again.
            for merchant in ["MERCHANT-1", "MERCHANT-2"] {
                eventually("both shards at work", async || {
                    let answer = node.post("/payments/authorize", &order(merchant, 1_000)).await;
                    (answer.status == 200).then_some(())
                })
                .await;
            }
        }
    };
    let (told, ()) = tokio::join!(join_all((1..=8).map(told)), panics);
    for id in told.into_iter().flatten() {
        eventually(&format!("{id} captured"), async || {
            let found = node.get(&format!("/payments/{id}")).await.expect(200).json();
            (found["status"] == "CAPTURED").then_some(())
        })
        .await;
    }
    node.audit().await;
}

macro_rules! panics {
    ($($test:ident $actor:literal;)*) => {$(
        #[tokio::test]
        async fn $test() {
            panics_under_load($actor).await;
        }
    )*};
}

panics! {
    a_shard_writer_panics_under_load "shard_writer";
    a_rate_limiter_panics_under_load "rate_limiter";
    an_idempotency_cache_panics_under_load "idempotency_cache";
    the_psp_breaker_panics_under_load "breaker_psp";
    the_event_log_breaker_panics_under_load "breaker_event_log";
    an_outbox_publisher_panics_under_load "outbox_publisher";
    a_settlement_retrier_panics_under_load "settlement_retrier";
    a_refund_retrier_panics_under_load "refund_retrier";
    a_resolver_panics_under_load "resolver";
}

/// Six of a kind share one supervisor: one panic each is more than its intensity, so the supervisor itself is
/// restarted.
#[tokio::test]
async fn workers_of_all_partitions_panic_under_load() {
    let node = TestNode::start_with(&[FAULTS]).await;
    for actor in ["settlement", "ledger_writer", "refund"] {
        node.inject(json!({"actor": actor, "fault": "panic", "times": 1})).await;
    }
    for _ in 0..10 {
        let payment = node.captured(1_000).await;
        node.refund(&payment, json!({})).await.expect(200);
        node.eventually(&payment, "REFUNDED").await;
        node.ledger(&payment, 2).await;
    }
    node.audit().await;
}

#[tokio::test]
async fn a_writer_that_hangs_is_replaced() {
    let node =
        TestNode::start_with(&[FAULTS, ("SHARD__ASK_DEADLINE_MS", "1000"), ("SUPERVISION__HANG_AFTER_MS", "1500")])
            .await;
    node.inject(json!({"actor": "shard_writer", "shard": 1, "fault": "hang", "times": 1})).await;
    let begun = Instant::now();
    let answer = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await;
    assert!(begun.elapsed() < DEADLINE);
    answer.expect_problem(503, "outcome_unknown");
    // The other shard notices nothing.
    node.authorize_for("MERCHANT-2", 1_000).await;
    eventually("the shard is back", async || {
        let answer = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await;
        (answer.status == 200).then_some(())
    })
    .await;
    node.audit().await;
}

#[tokio::test]
async fn more_panics_than_the_intensity_allows_end_the_process() {
    let mut node = TestNode::start_with(&[FAULTS, ("SUPERVISION__RESTARTS_MAX", "2")]).await;
    node.inject(json!({"actor": "resolver", "fault": "panic", "times": 1000})).await;
    let status = node.ended().await;
    assert!(!status.success(), "{status}");
    node.restart().await;
    node.authorize(1_000).await;
    node.audit().await;
}

#[tokio::test]
async fn a_job_step_that_fails_is_counted() {
    let node = TestNode::start_embedded_with(&[FAULTS, ("OUTBOX__POLL_MS", "50")]).await;
    let put = node.http.put(format!("{}/admin/breakers/event_log", node.url));
    node.send(put.json(&json!({"state": "open", "reason": "a test"}))).await.expect(200);
    node.authorize_for("MERCHANT-1", 1_000).await;
    eventually("the failed step", async || {
        let metrics = node.get("/metrics").await.text;
        metrics.contains("rialto_job_steps_total{name=\"publish\",outcome=\"failed\",shard=\"1\"}").then_some(())
    })
    .await;
}
