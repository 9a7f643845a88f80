//! The life of payments, as a merchant sees it.

use serde_json::json;

use super::node::{TestNode, order};

#[actix_web::test]
async fn a_payment_is_authorized_captured_and_refunded() {
    TestNode::start().await.payment_is_authorized_captured_and_refunded().await;
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
