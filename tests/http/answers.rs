//! A key's recorded answer is given whatever else is broken, and only what stays true is recorded.

use std::time::Duration;

use serde_json::json;

use super::node::{Payment, TestNode, eventually, new_key, order};

#[actix_web::test]
async fn an_open_breaker_hides_no_recorded_answer() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")]).await;
    let (paid, declined) = (order("MERCHANT-1", 1_000), order("MERCHANT-1", 4_002));
    let first = node.post("/payments/authorize", &paid).await.expect(200);
    let refused = node.post("/payments/authorize", &declined).await.expect(402);
    // A process whose cache is empty.
    node.restart().await;
    node.force_breaker("psp", Some("open")).await;
    for (body, before) in [(&paid, &first), (&declined, &refused)] {
        let again = node.post("/payments/authorize", body).await.expect(before.status);
        assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &before.text));
    }
    let mut other = paid.clone();
    other["amount"] = json!(1_001);
    node.post("/payments/authorize", &other).await.expect_problem(422, "idempotency_key_reused");
    let unknown = order("MERCHANT-1", 1_000);
    node.post("/payments/authorize", &unknown).await.expect_problem(503, "psp_unavailable");
    node.force_breaker("psp", None).await;
    let made = node.post("/payments/authorize", &unknown).await.expect(200);
    assert_eq!(made.header("idempotent-replayed"), None);
    node.audit().await;
}

#[actix_web::test]
async fn a_replay_takes_no_quota_and_is_given_when_there_is_none() {
    let node = TestNode::start_with(&[("LIMITS__AUTHORIZE_PER_MINUTE", "3")]).await;
    let body = order("MERCHANT-1", 1_000);
    let first = node.post("/payments/authorize", &body).await.expect(200);
    assert!(first.header("ratelimit").unwrap().contains("r=2;"), "{first:?}");
    for _ in 0..5 {
        let again = node.post("/payments/authorize", &body).await.expect(200);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert!(again.header("ratelimit").unwrap().contains("r=2;"), "{again:?}");
    }
    // From the cache, and from the database.
    for is_cached in [true, false] {
        if !is_cached {
            node.restart().await;
        }
        eventually("no quota is left", async || {
            let answer = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await;
            (answer.status == 429).then_some(())
        })
        .await;
        let again = node.post("/payments/authorize", &body).await.expect(200);
        assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text));
    }
    node.audit().await;
}

#[actix_web::test]
async fn a_refusal_that_passes_is_not_recorded() {
    let node = TestNode::start().await;
    let payment = node.authorize(1_000).await;
    let refund = json!({"amount": 400, "idempotencyKey": new_key()});
    node.refund(&payment, refund.clone()).await.expect_problem(409, "payment_state_conflict");
    node.capture(&payment, json!({})).await.expect(200);
    node.eventually(&payment, "CAPTURED").await;
    let made = node.refund(&payment, refund).await.expect(200);
    assert_eq!(made.header("idempotent-replayed"), None);
    // A void of what is captured never passes.
    let void = json!({"idempotencyKey": new_key()});
    let first = node.void(&payment, void.clone()).await.expect_problem(409, "payment_state_conflict");
    let again = node.void(&payment, void).await.expect(409);
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text));
    node.audit().await;
}

#[actix_web::test]
async fn an_unknown_payment_is_answered_afresh_each_time() {
    let node = TestNode::start().await;
    let payment = node.authorize(1_000).await;
    let nobodys = Payment { merchant: "MERCHANT-9".to_owned(), ..payment };
    let body = json!({"idempotencyKey": new_key()});
    for _ in 0..2 {
        let answer = node.void(&nobodys, body.clone()).await.expect_problem(404, "payment_not_found");
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
}

#[actix_web::test]
async fn a_cached_answer_ends_with_its_key() {
    let node = TestNode::start_with(&[("IDEMPOTENCY__KEPT_MS", "60000")]).await;
    let body = order("MERCHANT-1", 1_000);
    let first = node.post("/payments/authorize", &body).await.expect(200);
    assert_eq!(node.post("/payments/authorize", &body).await.expect(200).text, first.text);
    tokio::time::sleep(Duration::from_secs(61)).await;
    let later = node.post("/payments/authorize", &body).await.expect(200);
    assert_eq!(later.header("idempotent-replayed"), None);
    assert_ne!(later.json()["paymentId"], first.json()["paymentId"]);
}

#[actix_web::test]
async fn a_refund_without_a_key_is_of_all_that_is_left_and_once() {
    let node = TestNode::start().await;
    let payment = node.captured(1_000).await;
    let path = format!("/payments/refund/{}", payment.id);
    let part = json!({"merchantId": "MERCHANT-1", "amount": 400});
    for _ in 0..2 {
        node.post(&path, &part).await.expect_problem(400, "idempotency_key_missing");
    }
    let all = json!({"merchantId": "MERCHANT-1"});
    let (one, other) = tokio::join!(node.post(&path, &all), node.post(&path, &all));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert!([[200, 409], [200, 422]].contains(&statuses), "{one:?} {other:?}");
    node.eventually(&payment, "REFUNDED").await;
    node.post(&path, &all).await.expect_problem(409, "payment_state_conflict");
    let shown = node.get(&format!("/payments/{}?expand=refunds", payment.id)).await.json();
    assert_eq!(shown["refunds"].as_array().unwrap().len(), 1, "{shown:#}");
    node.audit().await;
}
