//! A clock that somebody sets, and sets back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::node::TestNode;

const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1_000;

async fn set_clock(node: &TestNode, ahead_ms: i64) {
    set_clock_at(node, &node.url, ahead_ms).await;
}

/// Of the node at `url`.
async fn set_clock_at(node: &TestNode, url: &str, ahead_ms: i64) {
    let clock = node.http.put(format!("{url}/admin/faults/clock")).json(&json!({"aheadMs": ahead_ms}));
    node.send(clock).await.expect(204);
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_step_of_ten_years_expires_nothing_and_leaves_no_trace() {
    let node = TestNode::start_embedded_with(&[("FAULTS__ENABLED", "true")]).await;
    let held = node.authorize(100).await;
    set_clock(&node, TEN_YEARS_MS).await;
    let during = node.authorize(200).await;
    // Some ticks of the resolver.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ready = node.get("/readyz").await.json();
    let reasons = ready["capabilities"]["settle"]["reasons"].to_string();
    assert!(reasons.contains("the clock was set"), "{ready:#}");
    assert_eq!(node.look_up(&held).await["status"], "AUTHORIZED");
    set_clock(&node, 0).await;
    let after = node.captured(300).await;
    node.ledger(&after, 1).await;
    let now = time(&json!(shop_time()));
    for payment in [&held, &during, &after] {
        let found = node.look_up(payment).await;
        let requested = time(&found["requestedAt"]);
        assert!((now - requested).abs() < chrono::Duration::minutes(5), "{found:#}");
        assert!(found["captureBefore"].as_str().is_none_or(|_| time(&found["captureBefore"]) > requested), "{found:#}");
    }
    let timeline = node.get(&format!("/payments/{}/timeline", after.id)).await.expect(200).json();
    let entries = timeline["entries"].as_array().unwrap();
    assert!(entries.windows(2).all(|pair| time(&pair[0]["at"]) <= time(&pair[1]["at"])), "{timeline:#}");
    assert_eq!(entries.last().unwrap()["what"], "ledger_entry");
    assert_eq!(node.get("/readyz").await.json()["status"], "up");
    node.capture(&held, json!({})).await.expect(200);
    node.audit().await;
}

#[tokio::test]
async fn two_nodes_whose_clocks_are_apart_tell_a_payment_in_its_order() {
    let node = TestNode::start_with_psp(&[("FAULTS__ENABLED", "true")]).await;
    if !node.is_on_servers() {
        println!("skipped: RIALTO_TEST_ON_SERVERS is not set");
        return;
    }
    let behind = node.join("all", 1).await;
    set_clock_at(&node, &behind.url, -300).await;
    for _ in 0..5 {
        let payment = node.authorize(100).await;
        let body = json!({"merchantId": payment.merchant, "idempotencyKey": "capture"});
        let capture = node.http.post(format!("{}/payments/capture/{}", behind.url, payment.id)).json(&body);
        node.send(capture).await.expect(200);
        node.eventually(&payment, "CAPTURED").await;
        node.refund(&payment, json!({"amount": 40})).await.expect(200);
        node.ledger(&payment, 2).await;

        let timeline = node.get(&format!("/payments/{}/timeline", payment.id)).await.expect(200).json();
        let entries = timeline["entries"].as_array().unwrap();
        let place = |what: &str, detail: &str| {
            let is_it = |entry: &Value| entry["what"] == what && entry["detail"].as_str().unwrap().contains(detail);
            entries.iter().position(is_it).unwrap_or_else(|| panic!("{what} {detail}: {timeline:#}"))
        };
        let story = [
            place("requested", "authorize"),
            place("decision", "AUTHORIZED"),
            place("event", "payment.authorized"),
            place("decision", "CAPTURE_REQUESTED"),
            place("decision", "CAPTURED"),
            place("event", "payment.captured"),
            place("decision", "REFUND_REQUESTED"),
            place("decision", "PARTIALLY_REFUNDED"),
            place("event", "payment.refunded"),
        ];
        assert!(story.is_sorted(), "{story:?}: {timeline:#}");
        for (place, entry) in entries.iter().enumerate().filter(|(_, entry)| entry["what"] == "ledger_entry") {
            let is_its = |before: &Value| before["what"] == "event" && before["eventId"] == entry["eventId"];
            assert!(entries[..place].iter().any(is_its), "{entry:#} before its event: {timeline:#}");
        }
    }
    node.audit().await;
}

/// The machine's own time.
fn shop_time() -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    DateTime::<Utc>::from(std::time::UNIX_EPOCH + now).to_rfc3339()
}
