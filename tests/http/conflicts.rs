//! Calls that exclude each other: exactly one of them wins, whatever their order.

use futures_util::future::join_all;
use serde_json::json;

use super::node::{Payment, TestNode, order};

#[actix_web::test]
async fn of_two_refunds_that_do_not_fit_together_one_succeeds() {
    TestNode::start().await.one_of_two_refunds_succeeds().await;
}

#[actix_web::test]
async fn of_capture_and_void_one_succeeds() {
    TestNode::start().await.capture_or_void_succeeds().await;
}

#[actix_web::test]
async fn many_captures_at_once_capture_once() {
    let node = TestNode::start().await;
    let payment = node.authorize(100).await;
    let answers = join_all((0..16).map(|_| node.capture(&payment, json!({})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.status == 409));
    let found = node.eventually(&payment, "CAPTURED").await;
    assert_eq!(found["amounts"]["captured"], 100);
    node.audit().await;
}

#[actix_web::test]
async fn partial_refunds_add_up_to_what_was_captured_and_no_more() {
    let node = TestNode::start().await;
    let payment = node.captured(100).await;
    let answers = join_all((0..12).map(|_| node.refund(&payment, json!({"amount": 10})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 10);
    let found = node.eventually(&payment, "REFUNDED").await;
    assert_eq!(found["amounts"]["refunded"], 100);
    node.ledger(&payment, 11).await;
    node.audit().await;
}

#[actix_web::test]
async fn a_partial_capture_releases_the_rest() {
    let node = TestNode::start().await;
    let payment = node.authorize(100).await;
    let over = node.capture(&payment, json!({"amount": 101})).await.expect_problem(422, "capture_exceeds_authorized");
    assert_eq!(over.json()["capturable"], 100);
    node.capture(&payment, json!({"amount": 70})).await.expect(200);
    let found = node.eventually(&payment, "CAPTURED").await;
    assert_eq!(found["amounts"]["captured"], 70);
    assert_eq!(found["amounts"]["capturable"], 0);
    node.audit().await;
}

#[actix_web::test]
async fn automatic_capture_needs_no_second_call() {
    let node = TestNode::start().await;
    let mut body = order("MERCHANT-1", 100);
    body["captureMode"] = json!("automatic");
    let authorized = node.post("/payments/authorize", &body).await.expect(200).json();
    let payment =
        Payment { id: authorized["paymentId"].as_str().unwrap().to_owned(), merchant: "MERCHANT-1".to_owned() };
    node.eventually(&payment, "CAPTURED").await;
    node.audit().await;
}

#[actix_web::test]
async fn a_state_that_forbids_a_call_is_named() {
    let node = TestNode::start().await;
    let payment = node.authorize(100).await;
    let early = node.refund(&payment, json!({})).await.expect_problem(409, "payment_state_conflict");
    assert_eq!(early.json()["paymentStatus"], "AUTHORIZED");
    node.void(&payment, json!({})).await.expect(200);
    for answer in [
        node.capture(&payment, json!({})).await,
        node.void(&payment, json!({})).await,
        node.refund(&payment, json!({})).await,
    ] {
        let problem = answer.expect_problem(409, "payment_state_conflict");
        assert_eq!(problem.json()["paymentStatus"], "VOIDED");
    }
    node.audit().await;
}
