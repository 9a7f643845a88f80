//! The life of payments, as a merchant sees it.

use std::collections::BTreeSet;

use serde_json::json;

use super::node::{TestNode, order};

#[actix_web::test]
async fn a_payment_is_authorized_captured_and_refunded() {
    let node = TestNode::start().await;
    let payment = node.authorize(50_000).await;
    let captured = node.capture(&payment, json!({})).await.expect(200).json();
    assert_eq!(captured["status"], "CAPTURE_REQUESTED");
    let captured = node.eventually(&payment, "CAPTURED").await;
    assert_eq!(captured["amounts"]["captured"], 50_000);
    let refunded = node.refund(&payment, json!({"reason": "torn"})).await.expect(200).json();
    assert_eq!(refunded["status"], "REFUND_REQUESTED");
    assert!(refunded["refundId"].as_str().unwrap().starts_with("ref_"));
    let refunded = node.eventually(&payment, "REFUNDED").await;
    assert_eq!(refunded["amounts"]["refunded"], 50_000);
    assert_eq!(refunded["amounts"]["refundable"], 0);

    let entries = node.ledger(&payment, 2).await;
    // Captures and refunds are topics of their own: which of the two is booked first is not promised.
    let booked: BTreeSet<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["debitAccount"].as_str().unwrap(),
                entry["creditAccount"].as_str().unwrap(),
                entry["amount"].as_i64(),
            )
        })
        .collect();
    let amount = Some(50_000);
    let both = [("merchant_receivable", "customer_funds", amount), ("customer_funds", "merchant_receivable", amount)];
    assert_eq!((entries.len(), booked), (2, both.into()));
    let timeline = node.get(&format!("/payments/{}/timeline", payment.id)).await.expect(200).json();
    let entries = timeline["entries"].as_array().unwrap();
    for (what, detail) in [
        ("requested", "authorize 50000 KRW"),
        ("psp_call", "authorize approved"),
        ("event", "payment.authorized"),
        ("event", "payment.capture-requested"),
        ("psp_call", "capture approved"),
        ("event", "payment.captured"),
        ("ledger_entry", "debit merchant_receivable credit customer_funds 50000 KRW"),
        ("event", "payment.refund-requested"),
        ("psp_call", "refund approved"),
        ("event", "payment.refunded"),
        ("ledger_entry", "debit customer_funds credit merchant_receivable 50000 KRW"),
    ] {
        let told =
            entries.iter().any(|entry| entry["what"] == what && entry["detail"].as_str().unwrap().starts_with(detail));
        assert!(told, "{what} {detail}: {timeline:#}");
    }
    node.audit().await;
}

#[actix_web::test]
async fn the_seeds_paths_and_fields_still_work() {
    let node = TestNode::start().await;
    let authorized = node.post("/api/payments/authorize", &order("MERCHANT-2", 1_000)).await.expect(200).json();
    for member in ["paymentId", "status", "amount", "currency", "message"] {
        assert!(!authorized[member].is_null(), "{member}: {authorized}");
    }
    let id = authorized["paymentId"].as_str().unwrap();
    node.post(&format!("/api/payments/capture/{id}"), &json!({"merchantId": "MERCHANT-2"})).await.expect(200);
}

#[actix_web::test]
async fn refunds_end_at_their_limit() {
    let node = TestNode::start_with(&[("PAYMENT__REFUNDS_MAX", "2")]).await;
    let payment = node.captured(1_000).await;
    for _ in 0..2 {
        node.refund(&payment, json!({"amount": 1})).await.expect(200);
    }
    let refused = node.refund(&payment, json!({"amount": 1})).await.expect_problem(422, "refund_limit_reached");
    assert_eq!(refused.json()["limit"], 2);
    node.eventually(&payment, "PARTIALLY_REFUNDED").await;
    node.audit().await;
}
