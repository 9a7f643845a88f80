//! A clock that somebody sets, and sets back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::node::TestNode;

const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1_000;

async fn set_clock(shop: &TestNode, ahead_ms: i64) {
    let clock = shop.http.put(format!("{}/admin/faults/clock", shop.url)).json(&json!({"aheadMs": ahead_ms}));
    shop.send(clock).await.expect(204);
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_step_of_ten_years_expires_nothing_and_leaves_no_trace() {
    let shop = TestNode::start_embedded_with(&[("FAULTS__ENABLED", "true")]).await;
    let held = shop.authorize(100).await;
    set_clock(&shop, TEN_YEARS_MS).await;
    let during = shop.authorize(200).await;
    // Some ticks of the resolver.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ready = shop.get("/readyz").await.json();
    let reasons = ready["capabilities"]["settle"]["reasons"].to_string();
    assert!(reasons.contains("the clock was set"), "{ready:#}");
    assert_eq!(shop.look_up(&held).await["status"], "AUTHORIZED");
    set_clock(&shop, 0).await;
    let after = shop.captured(300).await;
    shop.ledger(&after, 1).await;
    let now = time(&json!(shop_time()));
    for payment in [&held, &during, &after] {
        let found = shop.look_up(payment).await;
        let requested = time(&found["requestedAt"]);
        assert!((now - requested).abs() < chrono::Duration::minutes(5), "{found:#}");
        assert!(found["captureBefore"].as_str().is_none_or(|_| time(&found["captureBefore"]) > requested), "{found:#}");
    }
    let timeline = shop.get(&format!("/payments/{}/timeline", after.id)).await.expect(200).json();
    let entries = timeline["entries"].as_array().unwrap();
    assert!(entries.windows(2).all(|pair| time(&pair[0]["at"]) <= time(&pair[1]["at"])), "{timeline:#}");
    assert_eq!(entries.last().unwrap()["what"], "ledger_entry");
    assert_eq!(shop.get("/readyz").await.json()["status"], "up");
    shop.capture(&held, json!({})).await.expect(200);
    shop.audit().await;
}

/// The machine's own time.
fn shop_time() -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    DateTime::<Utc>::from(std::time::UNIX_EPOCH + now).to_rfc3339()
}
