//! One key, one execution, one answer.

use actix_web::http::Method;
use serde_json::json;

use super::node::{TestNode, eventually, new_key, order};

#[actix_web::test]
async fn a_repeated_call_gets_the_first_answer_to_the_letter() {
    let node = TestNode::start().await;
    let body = order("MERCHANT-1", 1_000);
    let first = node.post("/payments/authorize", &body).await.expect(200);
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = node.post("/payments/authorize", &body).await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.text, first.text);
    node.audit().await;
}

#[actix_web::test]
async fn sixty_four_identical_calls_at_once_are_one_payment() {
    let node = TestNode::start().await;
    node.identical_calls_are_one_payment().await;
    assert_eq!(node.psp.count("authorize").await, (1, 1), "the psp was asked once");
}

#[actix_web::test]
async fn a_key_is_for_one_request_of_one_merchant() {
    let node = TestNode::start().await;
    let mut body = order("MERCHANT-1", 1_000);
    node.post("/payments/authorize", &body).await.expect(200);
    body["amount"] = json!(1_001);
    node.post("/payments/authorize", &body).await.expect_problem(422, "idempotency_key_reused");
    body["merchantId"] = json!("MERCHANT-3");
    node.post("/payments/authorize", &body).await.expect(200);
}

#[actix_web::test]
async fn the_key_may_come_in_the_header() {
    let node = TestNode::start().await;
    let key = new_key();
    let body = json!({"merchantId": "MERCHANT-1", "amount": 5, "currency": "KRW"});
    let request = || node.request(Method::POST, "/payments/authorize").header("Idempotency-Key", &key);
    let first = request().json(&body).send().await.expect(200);
    let again = request().json(&body).send().await.expect(200);
    assert_eq!(again.text, first.text);
    let mut with_body_key = body.clone();
    with_body_key["idempotencyKey"] = json!(key);
    let again = node.post("/payments/authorize", &with_body_key).await.expect(200);
    assert_eq!(again.text, first.text);
    with_body_key["idempotencyKey"] = json!("another");
    request().json(&with_body_key).send().await.expect_problem(400, "idempotency_key_invalid");
}

#[actix_web::test]
async fn changes_are_replayed_too_and_their_refusals() {
    let node = TestNode::start().await;
    let payment = node.authorize(1_000).await;
    let key = json!({"idempotencyKey": "capture-1"});
    let first = node.capture(&payment, key.clone()).await.expect(200);
    node.eventually(&payment, "CAPTURED").await;
    let again = node.capture(&payment, key).await.expect(200);
    assert_eq!(again.text, first.text, "the answer is that of then, not of now");

    let key = json!({"idempotencyKey": "refund-1", "amount": 2_000});
    let first = node.refund(&payment, key.clone()).await.expect_problem(422, "refund_exceeds_captured");
    let again = node.refund(&payment, key).await.expect_problem(422, "refund_exceeds_captured");
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text));

    let key = json!({"idempotencyKey": "refund-2", "amount": 400});
    let first = node.refund(&payment, key.clone()).await.expect(200);
    let again = node.refund(&payment, key).await.expect(200);
    assert_eq!(again.text, first.text);
    let refunded = node.eventually(&payment, "PARTIALLY_REFUNDED").await;
    assert_eq!(refunded["amounts"]["refunded"], 400);
    node.audit().await;
}

#[actix_web::test]
async fn a_declined_card_is_declined_again() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")]).await;
    let body = order("MERCHANT-1", 4_002);
    let first = node.post("/payments/authorize", &body).await.expect_problem(402, "payment_declined");
    assert_eq!(first.json()["payment"]["status"], "DECLINED");
    let again = node.post("/payments/authorize", &body).await.expect(402);
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text));
}

#[actix_web::test]
async fn a_running_call_is_in_progress_for_others() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__LATENCY_MS", "1500")]).await;
    let body = order("MERCHANT-1", 1_000);
    let first = node.post("/payments/authorize", &body);
    let second = async {
        eventually("the intent", async || {
            let listed = node.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
            (!listed["data"].as_array().unwrap().is_empty()).then_some(())
        })
        .await;
        node.post("/payments/authorize", &body).await
    };
    let (first, second) = tokio::join!(first, second);
    second.expect_problem(409, "idempotency_in_progress");
    first.expect(200);
}
