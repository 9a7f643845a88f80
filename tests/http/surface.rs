//! Captures, refunds, balances and entries as merchants look at them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::node::{Payment, TestNode, new_key};

async fn page(node: &TestNode, path: &str) -> Value {
    node.get(path).await.expect(200).json()
}

fn ids(page: &Value, name: &str) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
}

/// All ids of a list, by pages of two: forwards, and then backwards from the last one.
async fn walked(node: &TestNode, path: &str, name: &str) -> Vec<String> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let (mut seen, mut cursor): (Vec<String>, String) = (Vec::new(), String::new());
    loop {
        let found = page(node, &format!("{path}{separator}limit=2{cursor}")).await;
        seen.extend(ids(&found, name));
        if found["hasMore"] == false {
            break;
        }
        cursor = format!("&startingAfter={}", seen.last().unwrap());
    }
    let last = seen.last().unwrap().clone();
    let (mut back, mut cursor) = (vec![last.clone()], last);
    loop {
        let found = page(node, &format!("{path}{separator}limit=2&endingBefore={cursor}")).await;
        back.splice(0..0, ids(&found, name));
        if found["hasMore"] == false {
            break;
        }
        cursor = back[0].clone();
    }
    assert_eq!(back, seen, "{path}");
    seen
}

#[actix_web::test]
async fn capture_has_an_id_and_shows_what_is_pending() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")]).await;
    let (payment, failing) = (node.authorize(1_000).await, node.authorize(5_003).await);
    assert_eq!(node.look_up(&payment).await["capture"], Value::Null);
    node.force_breaker("psp", Some("open")).await;
    let asked = node.capture(&payment, json!({"amount": 600})).await.expect(200).json();
    let capture = asked["capture"].clone();
    let id = capture["captureId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("cap_") && capture["requestedAt"].is_string());
    assert_eq!((&capture["amount"], &capture["status"]), (&json!(600), &json!("REQUESTED")));
    assert_eq!(node.look_up(&payment).await["capture"], capture);
    let failed = node.capture(&failing, json!({})).await.expect(200).json();
    node.force_breaker("psp", None).await;
    let captured = node.eventually(&payment, "CAPTURED").await;
    assert_eq!((&captured["capture"]["captureId"], &captured["capture"]["status"]), (&json!(id), &json!("CAPTURED")));
    let now = node.eventually(&failing, "CAPTURE_FAILED").await;
    assert_eq!(
        (&now["capture"]["captureId"], &now["capture"]["status"]),
        (&failed["capture"]["captureId"], &json!("FAILED"))
    );
    // Another try is another capture.
    let again = node.capture(&failing, json!({"amount": 10})).await.expect(200).json();
    assert_ne!(again["capture"]["captureId"], failed["capture"]["captureId"]);
    let told: Vec<String> = node.store.shards[0]
        .lock()
        .outbox
        .iter()
        .filter(|event| event.payload.contains(&format!("\"captureId\":\"{id}\"")))
        .map(|event| event.topic.clone())
        .collect();
    assert_eq!(told, ["payment.capture-requested", "payment.captured"]);
    node.audit().await;
}

#[actix_web::test]
async fn refunds_are_looked_up_and_listed_also_while_they_wait() {
    let settings = [("REQUESTS__GRACE_MS", "500"), ("REQUESTS__POLL_MS", "50")];
    let node = TestNode::start_with(&settings).await;
    let (payment, later) = (node.captured(1_000).await, node.authorize(500).await);
    node.refund(&node.captured_for("MERCHANT-1025").await, json!({})).await.expect(200);
    let mut made = Vec::new();
    for amount in [10, 20, 30] {
        let answer = node.refund(&payment, json!({"amount": amount})).await.expect(200).json();
        made.push(answer["refundId"].as_str().unwrap().to_owned());
    }
    node.eventually(&payment, "PARTIALLY_REFUNDED").await;
    node.force_breaker("psp", Some("open")).await;
    node.capture(&later, json!({})).await.expect(200);
    for amount in [40, 50] {
        let answer = node.refund(&later, json!({"amount": amount})).await.expect(200).json();
        made.push(answer["refundId"].as_str().unwrap().to_owned());
    }
    made.reverse();
    let shown = page(&node, &format!("/refunds/{}?merchantId=MERCHANT-1", made[0])).await;
    assert_eq!(
        (&shown["paymentId"], &shown["amount"], &shown["status"]),
        (&json!(later.id), &json!(50), &json!("REQUESTED"))
    );
    assert_eq!(walked(&node, "/refunds?merchantId=MERCHANT-1", "refundId").await, made);
    let waiting = page(&node, "/refunds?merchantId=MERCHANT-1&status=REQUESTED").await;
    assert_eq!(ids(&waiting, "refundId"), made[..2]);
    let done = page(&node, "/refunds?merchantId=MERCHANT-1&status=REFUNDED,FAILED").await;
    assert_eq!(ids(&done, "refundId"), made[2..]);
    node.force_breaker("psp", None).await;
    node.eventually(&later, "PARTIALLY_REFUNDED").await;
    assert_eq!(walked(&node, "/refunds?merchantId=MERCHANT-1&status=REFUNDED", "refundId").await, made);
    let shown = page(&node, &format!("/api/refunds/{}", made[0])).await;
    assert_eq!((&shown["merchantId"], &shown["status"]), (&json!("MERCHANT-1"), &json!("REFUNDED")));
    let (after, before) = ("createdAfter=2999-01-01T00:00:00Z", "createdBefore=1999-01-01T00:00:00Z");
    for bound in [after, before] {
        let none = page(&node, &format!("/refunds?merchantId=MERCHANT-1&{bound}")).await;
        assert_eq!(none, json!({"data": [], "hasMore": false}));
    }
    node.audit().await;
}

#[actix_web::test]
async fn refund_of_nobody_or_of_another_merchant_is_not_found() {
    let node = TestNode::start().await;
    let payment = node.captured(1_000).await;
    let refund = node.refund(&payment, json!({})).await.expect(200).json();
    let id = refund["refundId"].as_str().unwrap();
    for path in [
        "/refunds/ref_0000000000001".to_owned(),
        "/refunds/1".to_owned(),
        format!("/refunds/{}", payment.id),
        format!("/refunds/{id}?merchantId=MERCHANT-1025"),
        format!("/refunds/{}", id.to_lowercase()),
    ] {
        node.get(&path).await.expect_problem(404, "refund_not_found");
    }
    for path in [
        format!("/refunds?merchantId=MERCHANT-1025&startingAfter={id}"),
        "/refunds?merchantId=MERCHANT-1&endingBefore=ref_0000000000001".to_owned(),
        "/merchants/MERCHANT-1/entries?startingAfter=ent_0000000000001".to_owned(),
    ] {
        node.get(&path).await.expect_problem(400, "cursor_invalid");
    }
    node.get("/merchants/MERCHANT%201/balances").await.expect_problem(400, "merchant_id_invalid");
    node.get("/merchants/a.b/entries").await.expect_problem(400, "merchant_id_invalid");
}

/// What the entries come to, by account: debits and credits.
fn sums(entries: &Value) -> BTreeMap<String, (i64, i64)> {
    let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for entry in entries["data"].as_array().unwrap() {
        let amount = entry["amount"].as_i64().unwrap();
        sums.entry(entry["debitAccount"].as_str().unwrap().to_owned()).or_default().0 += amount;
        sums.entry(entry["creditAccount"].as_str().unwrap().to_owned()).or_default().1 += amount;
    }
    sums
}

async fn balances(node: &TestNode, at: &str) -> BTreeMap<String, (i64, i64)> {
    let found = page(node, &format!("/merchants/MERCHANT-1/balances{at}")).await;
    assert_eq!(found["merchantId"], "MERCHANT-1");
    let rows = found["balances"].as_array().unwrap().iter().map(|row| {
        let (debits, credits) = (row["debits"].as_i64().unwrap(), row["credits"].as_i64().unwrap());
        assert_eq!((&row["currency"], row["balance"].as_i64().unwrap()), (&json!("KRW"), debits - credits));
        (row["account"].as_str().unwrap().to_owned(), (debits, credits))
    });
    rows.collect()
}

#[actix_web::test]
async fn balances_are_the_sum_of_the_entries_now_and_at_every_time() {
    let node = TestNode::start().await;
    for amount in [1_000, 2_000, 3_000] {
        let payment = node.captured(amount).await;
        node.ledger(&payment, 1).await;
        node.refund(&payment, json!({"amount": amount / 10})).await.expect(200);
        node.ledger(&payment, 2).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let entries = page(&node, "/merchants/MERCHANT-1/entries?limit=100").await;
    assert_eq!(entries["data"].as_array().unwrap().len(), 6);
    assert_eq!(walked(&node, "/merchants/MERCHANT-1/entries", "entryId").await, ids(&entries, "entryId"));
    let now = balances(&node, "").await;
    assert_eq!(now, sums(&entries));
    assert_eq!(now["merchant_receivable"], (6_000, 600));
    for entry in entries["data"].as_array().unwrap() {
        let at = format!("at={}", entry["bookedAt"].as_str().unwrap());
        let then = page(&node, &format!("/merchants/MERCHANT-1/entries?limit=100&{at}")).await;
        assert_eq!(balances(&node, &format!("?{at}")).await, sums(&then), "{at}");
        assert!(ids(&then, "entryId").contains(&entry["entryId"].as_str().unwrap().to_owned()));
    }
    assert_eq!(balances(&node, "?at=2020-01-01T00:00:00Z").await, BTreeMap::new());
    let nobodys = page(&node, "/merchants/MERCHANT-1025/balances").await;
    assert_eq!(nobodys, json!({"merchantId": "MERCHANT-1025", "balances": []}));
}

#[actix_web::test]
async fn payments_are_listed_by_several_statuses() {
    let node = TestNode::start().await;
    let (voided, captured, _authorized) = (node.authorize(1).await, node.captured(2).await, node.authorize(3).await);
    node.void(&voided, json!({})).await.expect(200);
    let found = page(&node, "/payments?merchantId=MERCHANT-1&status=VOIDED,CAPTURED").await;
    assert_eq!(ids(&found, "paymentId"), [captured.id, voided.id]);
    let twice = node.get("/payments?merchantId=MERCHANT-1&status=VOIDED&status=CAPTURED").await;
    twice.expect_problem(400, "unknown_parameter");
}

impl TestNode {
    async fn captured_for(&self, merchant: &str) -> Payment {
        let payment = self.authorize_for(merchant, 100).await;
        self.capture(&payment, json!({"idempotencyKey": new_key()})).await.expect(200);
        self.eventually(&payment, "CAPTURED").await;
        payment
    }
}
