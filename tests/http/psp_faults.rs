//! A PSP that declines, is away, is slow, lies, or acts without telling.

use serde_json::json;

use super::node::{Payment, TestNode, eventually, order};

/// Magic amounts, and everything that waits made short.
const FAST: &[(&str, &str)] = &[
    ("PSP__SIMULATOR__MAGIC_AMOUNTS", "true"),
    ("PSP__TIMEOUT_MS", "300"),
    ("RESOLVER__AFTER_MS", "1000"),
    ("RESOLVER__LADDER_MS", "[100, 200, 300, 400, 500]"),
    ("RESOLVER__POLL_MS", "50"),
    ("REQUESTS__RETRY_BASE_MS", "20"),
    ("REQUESTS__RETRY_CAP_MS", "100"),
    ("REQUESTS__GRACE_MS", "500"),
    ("REQUESTS__POLL_MS", "50"),
    // Breakers are not what these tests are about.
    ("BREAKER__MINIMUM_CALLS", "1000000"),
    ("BREAKER__STREAK_CALLS", "1000000"),
];

async fn unknown(node: &TestNode, amount: i64) -> Payment {
    let body = order("MERCHANT-1", amount);
    let answer = node.post("/payments/authorize", &body).await.expect(202).json();
    assert_eq!(answer["status"], "UNKNOWN");
    let again = node.post("/payments/authorize", &body).await.expect(202);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    Payment { id: answer["paymentId"].as_str().unwrap().to_owned(), merchant: "MERCHANT-1".to_owned() }
}

#[actix_web::test]
async fn an_effect_without_an_answer_is_found_by_the_resolver() {
    let node = TestNode::start_with(FAST).await;
    for amount in [4_003, 4_007] {
        let payment = unknown(&node, amount).await;
        let found = node.eventually(&payment, "AUTHORIZED").await;
        assert_eq!(found["amounts"]["authorized"], amount);
    }
    assert_eq!(node.psp.count("authorize").await, (2, 2), "no second authorize");
    node.audit().await;
}

#[actix_web::test]
async fn what_never_arrived_has_failed_in_the_end() {
    let node = TestNode::start_with(FAST).await;
    let payment = unknown(&node, 4_004).await;
    node.eventually(&payment, "FAILED").await;
    node.audit().await;
}

#[actix_web::test]
async fn a_refused_connection_is_no_decline_and_leaves_the_key_free() {
    let node = TestNode::start_with(FAST).await;
    let mut body = order("MERCHANT-1", 4_005);
    for _ in 0..2 {
        let answer = node.post("/payments/authorize", &body).await.expect_problem(503, "psp_not_reached");
        assert_eq!((&answer.json()["retryable"], &answer.json()["payment"]), (&json!(true), &json!(null)));
        assert!(answer.header("retry-after").is_some() && answer.header("idempotent-replayed").is_none());
    }
    let listed = node.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
    assert_eq!(listed["data"], json!([]), "nothing was taken on");
    // Nothing is recorded, so the key may even be for another body.
    body["amount"] = json!(4_000);
    node.post("/payments/authorize", &body).await.expect(200);
    node.audit().await;
}

#[actix_web::test]
async fn another_amount_than_asked_is_held() {
    let node = TestNode::start_with(FAST).await;
    let payment = unknown(&node, 4_006).await;
    // The resolver asks again and again and never takes it.
    for _ in 0..3 {
        let before = node.look_up(&payment).await["updatedAt"].clone();
        eventually("another look", async || {
            let found = node.look_up(&payment).await;
            assert_eq!(found["status"], "UNKNOWN");
            (found["updatedAt"] != before).then_some(())
        })
        .await;
    }
}

#[actix_web::test]
async fn a_slow_answer_is_an_unknown_outcome() {
    let node = TestNode::start_with(FAST).await;
    let payment = unknown(&node, 4_008).await;
    node.eventually(&payment, "AUTHORIZED").await;
    node.audit().await;
}

#[actix_web::test]
async fn captures_are_tried_again_until_the_psp_is_back() {
    let node = TestNode::start_with(FAST).await;
    let payment = node.authorize(5_001).await;
    node.capture(&payment, json!({})).await.expect(200);
    node.eventually(&payment, "CAPTURED").await;
    let timeline = node.get(&format!("/payments/{}/timeline", payment.id)).await.json();
    let entries = timeline["entries"].as_array().unwrap();
    assert_eq!(entries.iter().filter(|entry| entry["what"] == "retry").count(), 3, "{timeline:#}");
    node.audit().await;
}

#[actix_web::test]
async fn a_capture_that_cannot_be_made_fails_into_the_dead_letters() {
    let node = TestNode::start_with(FAST).await;
    let payment = node.authorize(5_002).await;
    node.capture(&payment, json!({})).await.expect(200);
    let failed = node.eventually(&payment, "CAPTURE_FAILED").await;
    assert_eq!(failed["amounts"]["captured"], 0);
    let letters = node.get("/admin/dead-letters").await.expect(200).json();
    let letter = &letters["data"][0];
    assert_eq!(letter["topic"], "settlement.dlq");
    assert_eq!(letter["retryCount"], 10);
    assert_eq!(letter["eventKey"], payment.id);
    node.audit().await;
}

#[actix_web::test]
async fn a_refund_that_fails_gives_the_amount_back_to_refund() {
    let node = TestNode::start_with(FAST).await;
    let payment = node.captured(10_000).await;
    for (amount, retries) in [(5_002, true), (5_003, false)] {
        node.refund(&payment, json!({"amount": amount})).await.expect(200);
        let found = node.eventually(&payment, "CAPTURED").await;
        assert_eq!(found["amounts"]["refundable"], 10_000, "retries: {retries}");
    }
    node.refund(&payment, json!({"amount": 5_001})).await.expect(200);
    let found = node.eventually(&payment, "PARTIALLY_REFUNDED").await;
    assert_eq!(found["amounts"]["refunded"], 5_001);
    let shown = node.get(&format!("/payments/{}?expand=refunds", payment.id)).await.json();
    let refunds: Vec<_> = shown["refunds"].as_array().unwrap().iter().map(|refund| &refund["status"]).collect();
    assert_eq!(refunds, ["FAILED", "FAILED", "REFUNDED"]);
    node.audit().await;
}

#[actix_web::test]
async fn an_open_breaker_refuses_at_once_and_leaves_the_key_free() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true"), ("BREAKER__OPEN_MS", "2000")]).await;
    for _ in 0..5 {
        node.post("/payments/authorize", &order("MERCHANT-1", 4_005)).await.expect(503);
    }
    let body = order("MERCHANT-1", 1_000);
    let refused = node.post("/payments/authorize", &body).await.expect_problem(503, "psp_unavailable");
    let retry_after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&retry_after), "{retry_after}");
    let ready = node.get("/readyz").await.json();
    assert_eq!(ready["capabilities"]["authorize"]["status"], "down");
    // Half-open after two seconds: the same key is served, and three successes close the breaker.
    eventually("the breaker lets a trial through", async || {
        let answer = node.post("/payments/authorize", &body).await;
        (answer.status == 200).then_some(())
    })
    .await;
    node.authorize(1_000).await;
    node.authorize(1_000).await;
    let breakers = node.get("/admin/breakers").await.expect(200).json();
    assert_eq!(breakers["data"][0]["state"], "closed", "{breakers:#}");
    node.audit().await;
}

#[actix_web::test]
async fn declines_do_not_open_the_breaker() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")]).await;
    for _ in 0..20 {
        node.post("/payments/authorize", &order("MERCHANT-1", 4_002)).await.expect(402);
    }
    node.authorize(1_000).await;
}
