//! Faults on purpose, and what operators see of them.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::node::{TestNode, eventually, order};

const FAULTS: (&str, &str) = ("FAULTS__ENABLED", "true");

#[actix_web::test]
async fn faults_are_refused_unless_enabled() {
    let node = TestNode::start().await;
    let fault = json!({"actor": "shard_writer", "fault": "panic", "times": 1});
    node.post("/admin/faults", &fault).await.expect_problem(403, "faults_disabled");
}

#[actix_web::test]
async fn a_payment_reader_panics_and_the_look_up_is_answered() {
    let node = TestNode::start_with(&[FAULTS]).await;
    let payment = node.authorize(1_000).await;
    node.inject(json!({"actor": "payment_reader", "fault": "panic", "times": 1})).await;
    let found = node.get(&format!("/payments/{}", payment.id)).await.expect(200).json();
    assert_eq!(found["status"], "AUTHORIZED");
    assert_eq!(node.restarts("payment_reader").await, 1);
}

#[actix_web::test]
async fn a_panic_is_kept_with_its_trace() {
    let node = TestNode::start_with(&[FAULTS]).await;
    node.inject(json!({"actor": "shard_writer", "shard": 1, "fault": "panic", "times": 1})).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = node.request(Method::POST, "/payments/authorize");
    let request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    request.json(&order("MERCHANT-1", 1_000)).send().await.expect_problem(503, "outcome_unknown");
    let letter = eventually("the dead letter", async || {
        let letters = node.get("/admin/actors/dead-letters").await.expect(200).json();
        Some(letters["data"][0].clone()).filter(Value::is_object)
    })
    .await;
    assert_eq!(
        (&letter["actor"], &letter["shard"], &letter["kind"]),
        (&json!("shard_writer"), &json!(1), &json!("authorize"))
    );
    assert_eq!(letter["traceId"], trace, "{letter:#}");
    node.authorize(1_000).await;
}

#[actix_web::test]
async fn an_operator_is_not_kept_waiting_by_shards_that_hang_and_the_action_is_noted_later() {
    let node = TestNode::start_with(&[FAULTS]).await;
    node.inject(json!({"actor": "shard_writer", "fault": "hang", "times": 1})).await;
    let (call, clear) = (order("MERCHANT-1", 1_000), node.request(Method::DELETE, "/admin/faults"));
    let (hung, cleared) = tokio::join!(node.post("/payments/authorize", &call), async {
        // In virtual time: the writer has begun its batch, and hangs.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let begun = tokio::time::Instant::now();
        clear.send().await.expect(204);
        begun.elapsed()
    });
    hung.expect_problem(503, "outcome_unknown");
    assert!(cleared.as_millis() <= 1_500, "{cleared:?}");
    eventually("the action", async || {
        // In virtual time: the writer is replaced after many seconds.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let actions = node.get("/admin/actions").await.expect(200).json();
        actions["data"].as_array().unwrap().iter().any(|action| action["action"] == "fault.clear").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn an_authorization_that_took_too_long_to_be_taken_on_is_not_sent() {
    let settings = [FAULTS, ("PSP__TIMEOUT_MS", "1000"), ("RESOLVER__AFTER_MS", "2000")];
    let node = TestNode::start_with(&settings).await;
    // Longer than half of what the resolver waits, and shorter than all of it.
    node.inject(json!({"actor": "shard_writer", "fault": {"delay": 1300}, "times": 1})).await;
    let body = order("MERCHANT-1", 1_000);
    let refused = node.post("/payments/authorize", &body).await.expect_problem(503, "psp_not_reached");
    assert_eq!(refused.json()["retryable"], true);
    let answer = node.post("/payments/authorize", &body).await.expect(200);
    assert_eq!(answer.json()["status"], "AUTHORIZED");
    node.audit().await;
}

#[actix_web::test]
async fn jobs_show_when_they_ran_and_what_went_wrong() {
    let node = TestNode::start_with(&[FAULTS, ("OUTBOX__POLL_MS", "50")]).await;
    let payment = node.captured(1_000).await;
    node.ledger(&payment, 1).await;
    let jobs = async || node.get("/admin/jobs").await.expect(200).json()["data"].as_array().unwrap().clone();
    let all = eventually("every job has run", async || {
        let all = jobs().await;
        all.iter().all(|job| job["lastRunAt"].is_string()).then_some(all)
    })
    .await;
    let names: std::collections::BTreeSet<_> = all.iter().map(|job| job["job"].as_str().unwrap()).collect();
    let expected = [
        "move_actions",
        "prune",
        "publish",
        "redrive_ledger",
        "redrive_refunds",
        "redrive_settlements",
        "resolve",
        "retry_refunds",
        "retry_settlements",
    ];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(all.len(), 2 * expected.len(), "for each shard");
    for job in &all {
        assert!(job["nextRunAt"].is_string() && job["tookMs"].is_u64() && job["count"].is_u64(), "{job:#}");
        // Who works alone asks nobody for a lease.
        assert!(job["lease"] == "alone" || job["lease"] == "held", "{job:#}");
    }
    node.force_breaker("event_log", Some("open")).await;
    node.authorize_for("MERCHANT-1", 1_000).await;
    eventually("the publisher says why not", async || {
        let publish = jobs().await.into_iter().find(|job| job["job"] == "publish" && job["shard"] == 1)?;
        publish["lastError"]["message"].as_str()?.contains("breaker").then_some(())
    })
    .await;
}
