//! Merchants' limits, and the node's own.

use futures_util::future::join_all;
use serde_json::json;

use super::node::{Payment, TestNode, eventually, order};

#[actix_web::test]
async fn a_merchant_over_the_limit_is_refused_alone() {
    let node = TestNode::start_with(&[("LIMITS__AUTHORIZE_PER_MINUTE", "5"), ("LIMITS__REFUND_PER_MINUTE", "1")]).await;
    let mut first = None;
    for left in (0..5).rev() {
        let answer = node.post("/payments/authorize", &order("MERCHANT-1", 100)).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"authorize\";q=5;w=60"));
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"authorize\";r={left};t=")), "{answer:?}");
        first.get_or_insert(answer);
    }
    let refused = node.post("/payments/authorize", &order("MERCHANT-1", 100)).await.expect_problem(429, "rate_limited");
    let retry_after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&retry_after), "{retry_after}");
    assert!(refused.header("ratelimit").unwrap().starts_with("\"authorize\";r=0;t="));
    assert_eq!(refused.json()["retryable"], true);
    // Others, and other actions, have their own.
    let id = first.unwrap().json()["paymentId"].as_str().unwrap().to_owned();
    let captured = node.capture(&Payment { id, merchant: "MERCHANT-1".to_owned() }, json!({})).await.expect(200);
    assert_eq!(captured.header("ratelimit-policy"), Some("\"capture\";q=48000;w=60"));
    let other = node.authorize_for("MERCHANT-2", 100).await;
    node.capture(&other, json!({})).await.expect(200);
    node.eventually(&other, "CAPTURED").await;
    node.refund(&other, json!({"amount": 10})).await.expect(200);
    node.refund(&other, json!({"amount": 10})).await.expect_problem(429, "rate_limited");
}

#[actix_web::test]
async fn a_full_mailbox_is_an_honest_503_and_passes() {
    let node = TestNode::start_with(&[
        ("FAULTS__ENABLED", "true"),
        ("SHARD__MAILBOX_CAPACITY", "1"),
        ("SHARD__MAX_BATCH", "1"),
    ])
    .await;
    let slow = json!({"actor": "shard_writer", "shard": 1, "fault": {"delay": 200}, "times": 10});
    node.inject(slow).await;
    let bodies: Vec<_> = (0..32).map(|_| order("MERCHANT-1", 100)).collect();
    let answers = join_all(bodies.iter().map(|body| node.post("/payments/authorize", body))).await;
    let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty());
    for answer in refused {
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        answer.expect_problem(503, "overloaded");
    }
    eventually("the shard takes payments again", async || {
        let answer = node.post("/payments/authorize", &order("MERCHANT-1", 100)).await;
        (answer.status == 200).then_some(())
    })
    .await;
}
