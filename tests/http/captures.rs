//! Captures that fail, that come late, and refunds that come before them.

use serde_json::{Value, json};

use super::node::{Payment, TestNode, eventually, new_key, order};
use crate::infra::psp::Action;

const MAGIC: (&str, &str) = ("PSP__SIMULATOR__MAGIC_AMOUNTS", "true");

/// A payment of 5003, whose capture the PSP has declined.
async fn declined_capture(node: &TestNode) -> Payment {
    let payment = node.authorize(5_003).await;
    node.capture(&payment, json!({})).await.expect(200);
    let failed = node.eventually(&payment, "CAPTURE_FAILED").await;
    assert_eq!(failed["amounts"]["capturable"], 5_003);
    payment
}

async fn refunds(node: &TestNode, payment: &Payment) -> Vec<Value> {
    let shown = node.get(&format!("/payments/{}?expand=refunds", payment.id)).await.expect(200).json();
    shown["refunds"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_capture_that_failed_can_be_made_again_or_given_up() {
    let node = TestNode::start_with(&[MAGIC]).await;
    let (again, voided) = (declined_capture(&node).await, declined_capture(&node).await);
    // The same amount is declined again, under a key of its own; another one is not.
    node.capture(&again, json!({})).await.expect(200);
    node.eventually(&again, "CAPTURE_FAILED").await;
    node.capture(&again, json!({"amount": 4_000})).await.expect(200);
    let captured = node.eventually(&again, "CAPTURED").await;
    assert_eq!(
        (&captured["amounts"]["captured"], &captured["message"]),
        (&json!(4_000), &json!("The payment is captured."))
    );
    node.ledger(&again, 1).await;
    node.void(&voided, json!({})).await.expect(200);
    node.eventually(&voided, "VOIDED").await;
    eventually("the hold is released", async || {
        let decided = node.psp.decided().await;
        let mut voids = decided.values().filter(|(operation, _)| matches!(operation.action, Action::Void { .. }));
        voids.any(|(operation, _)| operation.payment_id.to_string() == voided.id).then_some(())
    })
    .await;
    assert_eq!(node.psp.count("capture").await, (4, 4));
    node.audit().await;
}

#[actix_web::test]
async fn a_capture_that_failed_is_released_when_its_time_has_passed() {
    let node =
        TestNode::start_with(&[MAGIC, ("PAYMENT__CAPTURE_WINDOW_MS", "3000"), ("RESOLVER__POLL_MS", "100")]).await;
    let payment = declined_capture(&node).await;
    node.eventually(&payment, "VOIDED").await;
    let late = node.capture(&payment, json!({})).await.expect_problem(409, "payment_state_conflict");
    assert_eq!(late.json()["paymentStatus"], "VOIDED");
    node.audit().await;
}

#[actix_web::test]
async fn nothing_is_captured_after_its_time_though_nobody_has_looked() {
    // The resolver has other things to do.
    let settings = [("PAYMENT__CAPTURE_WINDOW_MS", "1000"), ("RESOLVER__POLL_MS", "60000")];
    let node = TestNode::start_with(&settings).await;
    let payment = node.authorize(1_000).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(node.look_up(&payment).await["status"], "AUTHORIZED");
    let late = node.capture(&payment, json!({})).await.expect_problem(409, "payment_state_conflict");
    assert_eq!(late.json()["paymentStatus"], "EXPIRED");
    node.void(&payment, json!({})).await.expect(200);
}

#[actix_web::test]
async fn a_refund_of_a_capture_under_way_waits_for_it() {
    let node = TestNode::start_with(&[MAGIC, ("REQUESTS__GRACE_MS", "500"), ("REQUESTS__POLL_MS", "50")]).await;
    let (kept, failing) = (node.authorize(1_000).await, node.authorize(5_003).await);
    // Captures are under way as long as the PSP is not asked.
    node.force_breaker("psp", Some("open")).await;
    let refund = json!({"amount": 400, "reason": "torn", "idempotencyKey": new_key()});
    for payment in [&kept, &failing] {
        node.capture(payment, json!({})).await.expect(200);
        let asked = node.refund(payment, refund.clone()).await.expect(200);
        assert_eq!(asked.json()["status"], "CAPTURE_REQUESTED");
        let again = node.refund(payment, refund.clone()).await.expect(200);
        assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &asked.text));
        let waiting = refunds(&node, payment).await;
        assert_eq!((waiting.len(), &waiting[0]["status"]), (1, &json!("REQUESTED")));
        assert_eq!(waiting[0]["refundId"], asked.json()["refundId"]);
        // What waits is not there for another one.
        let more = node.refund(payment, json!({"amount": 4_999})).await.expect_problem(422, "refund_exceeds_captured");
        let left = node.look_up(payment).await["amounts"]["refundable"].clone();
        assert_eq!(more.json()["refundable"], left);
    }
    node.force_breaker("psp", None).await;
    let refunded = node.eventually(&kept, "PARTIALLY_REFUNDED").await;
    assert_eq!(refunded["amounts"]["refunded"], 400);
    let done = refunds(&node, &kept).await;
    assert_eq!((&done[0]["status"], &done[0]["reason"]), (&json!("REFUNDED"), &json!("torn")));
    node.eventually(&failing, "CAPTURE_FAILED").await;
    let failed = refunds(&node, &failing).await;
    assert_eq!((&failed[0]["status"], &failed[0]["failure"]["code"]), (&json!("FAILED"), &json!("capture_failed")));
    node.audit().await;
}

#[actix_web::test]
async fn what_cannot_be_looked_up_holds_up_nobody_behind_it() {
    let node = TestNode::start_with(&[
        MAGIC,
        ("PSP__TIMEOUT_MS", "300"),
        ("RESOLVER__AFTER_MS", "1000"),
        ("RESOLVER__LADDER_MS", "[100, 100, 100, 100, 100]"),
        ("RESOLVER__POLL_MS", "50"),
        ("REQUESTS__BATCH_MAX", "1"),
        ("PAYMENT__CAPTURE_WINDOW_MS", "1000"),
        ("BREAKER__MINIMUM_CALLS", "1000000"),
        ("BREAKER__STREAK_CALLS", "1000000"),
    ])
    .await;
    node.force_breaker("psp_lookup", Some("open")).await;
    let mut unknown = Vec::new();
    for _ in 0..3 {
        let answer = node.post("/payments/authorize", &order("MERCHANT-1", 4_003)).await.expect(202).json();
        let id = answer["paymentId"].as_str().unwrap().to_owned();
        unknown.push(Payment { id, merchant: "MERCHANT-1".to_owned() });
    }
    let payment = node.authorize(1_000).await;
    node.eventually(&payment, "EXPIRED").await;
    for payment in &unknown {
        assert_eq!(node.look_up(payment).await["status"], "UNKNOWN");
    }
    node.force_breaker("psp_lookup", None).await;
    for payment in &unknown {
        node.eventually(payment, "EXPIRED").await;
    }
    node.audit().await;
}
