//! Every call once, end to end, on whatever the suite is run on: each way to the storage is gone over HTTP. What all
//! the calls answer is in `tests/http`.

use serde_json::{Value, json};

use crate::node::{TestNode, eventually, order};
use crate::scrape::Scrape;

const QUICK: &[(&str, &str)] = &[
    ("PSP__SIMULATOR__MAGIC_AMOUNTS", "true"),
    ("PSP__TIMEOUT_MS", "300"),
    ("RESOLVER__AFTER_MS", "1000"),
    ("RESOLVER__LADDER_MS", "[100, 200, 300, 400, 500]"),
    ("RESOLVER__POLL_MS", "50"),
    ("REQUESTS__RETRY_BASE_MS", "20"),
    ("REQUESTS__RETRY_CAP_MS", "100"),
    ("REQUESTS__POLL_MS", "50"),
    ("REQUESTS__TRIES_MAX", "3"),
    ("DEAD_LETTERS__POLL_MS", "50"),
];

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|payment| payment["paymentId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn payments_are_listed_by_page_status_and_time() {
    let node = TestNode::start().await;
    let (first, voided, last) = (node.authorize(1).await, node.authorize(2).await, node.authorize(3).await);
    node.authorize_for("MERCHANT-1025", 4).await;
    node.void(&voided, json!({})).await.expect(200);
    let list =
        async |query: String| node.get(&format!("/payments?merchantId=MERCHANT-1&{query}")).await.expect(200).json();
    let all = list(String::new()).await;
    assert_eq!(
        (ids(&all), &all["hasMore"]),
        (vec![last.id.clone(), voided.id.clone(), first.id.clone()], &json!(false))
    );
    let older = list(format!("limit=1&startingAfter={}", last.id)).await;
    assert_eq!((ids(&older), &older["hasMore"]), (vec![voided.id.clone()], &json!(true)));
    let newer = list(format!("limit=1&endingBefore={}", voided.id)).await;
    assert_eq!((ids(&newer), &newer["hasMore"]), (vec![last.id.clone()], &json!(false)));
    assert_eq!(ids(&list("status=VOIDED".to_owned()).await), [voided.id.as_str()]);
    let at = node.look_up(&last).await["requestedAt"].as_str().unwrap().to_owned();
    assert_eq!(ids(&list(format!("createdAfter={at}")).await), Vec::<String>::new());
    let before = ids(&list(format!("createdBefore={at}")).await);
    assert!(before.contains(&first.id) && !before.contains(&last.id), "{before:?}");
}

#[tokio::test]
async fn declined_unknown_and_refused_outcomes_are_kept() {
    let node = TestNode::start_with(QUICK).await;
    let body = order("MERCHANT-1", 4_002);
    let declined = node.post("/payments/authorize", &body).await.expect_problem(402, "payment_declined");
    let again = node.post("/payments/authorize", &body).await.expect(402);
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &declined.text));
    let body = order("MERCHANT-1", 4_005);
    node.post("/payments/authorize", &body).await.expect_problem(503, "psp_not_reached");
    // What was never sent is no decline.
    let declined = Scrape::of(&node).await.value("rialto_payment_changes_total", &[("status", "DECLINED")]);
    assert_eq!(declined, Some(1.0));
    let unknown = node.post("/payments/authorize", &order("MERCHANT-1", 4_003)).await.expect(202).json();
    let path = format!("/payments/{}", unknown["paymentId"].as_str().unwrap());
    eventually("the resolver has found it", async || {
        let found = node.get(&path).await.expect(200).json();
        (found["status"] == "AUTHORIZED").then_some(())
    })
    .await;
    let payment = node.captured(1_000).await;
    let key = json!({"idempotencyKey": "all", "amount": 2_000});
    let refused = node.refund(&payment, key.clone()).await.expect_problem(422, "refund_exceeds_captured");
    assert_eq!(node.refund(&payment, key).await.expect(422).text, refused.text);
    node.audit().await;
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_redriven_and_discarded() {
    let node = TestNode::start_with(QUICK).await;
    let payment = node.authorize(5_002).await;
    node.capture(&payment, json!({})).await.expect(200);
    node.eventually(&payment, "CAPTURE_FAILED").await;
    let letters = async |query: &str| {
        let found = node.get(&format!("/admin/dead-letters?{query}")).await.expect(200).json();
        found["data"].as_array().unwrap().clone()
    };
    let found = letters("topic=settlement.dlq&status=open&limit=1").await;
    assert_eq!((found.len(), &found[0]["eventKey"]), (1, &json!(payment.id)));
    let id = found[0]["id"].as_str().unwrap();
    node.get(&format!("/admin/dead-letters/{id}")).await.expect(200);
    assert_eq!(letters(&format!("startingAfter={id}")).await, Vec::<Value>::new());
    let outcome = async |path: &str, body: Value| {
        let done = node.post(&format!("/admin/dead-letters/{path}"), &body).await.expect(200).json();
        done["data"][0]["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(outcome("redrive", json!({"ids": [id], "dryRun": false})).await, "told_as_failed");
    assert_eq!(outcome("discard", json!({"all": true, "reason": "by hand", "dryRun": false})).await, "discarded");
    assert_eq!(letters("status=discarded").await[0]["note"], "by hand");
    let trail = node.get("/admin/actions?limit=1").await.expect(200).json();
    assert_eq!(trail["data"][0]["action"], "dead_letter.discard", "{trail:#}");
    node.audit().await;
}

#[tokio::test]
async fn a_refund_waits_for_its_capture() {
    let node = TestNode::start_with(QUICK).await;
    let payment = node.authorize(1_000).await;
    // The capture is under way as long as the PSP is not asked.
    node.force_breaker("psp", Some("open")).await;
    node.capture(&payment, json!({})).await.expect(200);
    let asked = node.refund(&payment, json!({"amount": 400, "reason": "torn"})).await.expect(200).json();
    assert_eq!(asked["status"], "CAPTURE_REQUESTED");
    node.force_breaker("psp", None).await;
    node.eventually(&payment, "PARTIALLY_REFUNDED").await;
    let shown = node.get(&format!("/payments/{}?expand=refunds", payment.id)).await.expect(200).json();
    assert_eq!((&shown["refunds"][0]["status"], &shown["refunds"][0]["reason"]), (&json!("REFUNDED"), &json!("torn")));
    node.audit().await;
}

#[tokio::test]
async fn a_limit_is_counted_and_a_replay_is_not() {
    let node = TestNode::start_with(&[("LIMITS__AUTHORIZE_PER_MINUTE", "2")]).await;
    let body = order("MERCHANT-1", 100);
    for is_replay in [false, true] {
        let answer = node.post("/payments/authorize", &body).await.expect(200);
        assert_eq!(answer.header("idempotent-replayed").is_some(), is_replay);
        assert!(answer.header("ratelimit").unwrap().starts_with("\"authorize\";r=1;"), "{answer:?}");
    }
    node.authorize(100).await;
    let refused = node.post("/payments/authorize", &order("MERCHANT-1", 100)).await.expect_problem(429, "rate_limited");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    node.authorize_for("MERCHANT-2", 100).await;
}
