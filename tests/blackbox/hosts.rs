//! Several processes of one system on real servers: by roles, and side by side.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, join3};
use serde_json::{Value, json};

use crate::node::{Neighbour, Payment, TestNode, eventually, new_key, once_taken_on, order};

#[tokio::test]
async fn each_role_does_its_part_in_a_process_of_its_own() {
    let Some(node) = TestNode::start_role("ingest", &[("NODE__ID", "1")]).await else { return };
    let payment = node.authorize(1_000).await;
    node.capture(&payment, json!({})).await.expect(200);
    let mut others = Vec::new();
    for (place, roles) in ["publisher,resolver", "settlement", "refund", "ledger"].into_iter().enumerate() {
        others.push(node.join(roles, 2 + place as u8).await);
    }
    node.eventually(&payment, "CAPTURED").await;
    node.refund(&payment, json!({})).await.expect(200);
    node.eventually(&payment, "REFUNDED").await;
    node.ledger(&payment, 2).await;
    node.audit().await;

    // Operators may come to any of them.
    let capabilities: [&[&str]; 4] =
        [&["operate", "publish"], &["operate", "settle"], &["operate", "refund"], &["operate"]];
    for (other, capabilities) in others.iter().zip(capabilities) {
        let get = |path: &str| node.send(node.http.get(format!("{}{path}", other.url)));
        get(&format!("/payments/{}", payment.id)).await.expect_problem(404, "not_found");
        let ready = get("/readyz").await.expect(200).json();
        let known: Vec<_> = ready["capabilities"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(known, capabilities, "{ready}");
        get("/healthz").await.expect(200);
        assert!(get("/metrics").await.expect(200).text.contains("rialto_"));
    }
    let ready = node.get("/readyz").await.expect(200).json();
    assert_eq!(ready["capabilities"].as_object().unwrap().keys().collect::<Vec<_>>(), ["authorize", "operate"]);
}

/// How many of the leases the process holds.
async fn held(node: &TestNode, process: &Neighbour) -> usize {
    let metrics = node.send(node.http.get(format!("{}/metrics", process.url))).await.expect(200).text;
    let is_held = |line: &&str| line.starts_with("rialto_lease_held{") && line.ends_with(" 1");
    metrics.lines().filter(is_held).count()
}

#[tokio::test]
async fn a_host_that_dies_is_followed_within_five_seconds() {
    let Some(node) = TestNode::start_role("ingest,settlement,refund,ledger", &[("NODE__ID", "1")]).await else {
        return;
    };
    let mut first = node.join("publisher", 2).await;
    eventually("both shards' leases", async || (held(&node, &first).await == 2).then_some(())).await;
    let second = node.join("publisher", 3).await;
    node.captured(1_000).await;
    assert_eq!(held(&node, &second).await, 0, "one host at work");
    first.kill().await;
    let begun = Instant::now();
    let payment = node.authorize(1_000).await;
    node.capture(&payment, json!({})).await.expect(200);
    eventually("the leases of the dead", async || (held(&node, &second).await == 2).then_some(())).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    node.eventually(&payment, "CAPTURED").await;
    node.audit().await;
}

/// What was answered, by operation and status.
type Tally = BTreeMap<(&'static str, u16), u32>;

/// One client that sends the calls about each payment to both hosts at once, so that they meet in the tables.
async fn collide(node: &TestNode, hosts: [&str; 2], merchant: String, until: Instant) -> Tally {
    let (mut tally, turn) = (Tally::new(), Cell::new(0));
    let post = async |path: String, body: Value| {
        let host = hosts[turn.replace(turn.get() + 1) % 2];
        once_taken_on(node.http.post(format!("{host}{path}")).json(&body)).await
    };
    while Instant::now() < until {
        let answer = post("/payments/authorize".into(), order(&merchant, 100)).await;
        *tally.entry(("authorize", answer.status)).or_default() += 1;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let id = answer.json()["paymentId"].as_str().unwrap().to_owned();
        let change = async |operation: &'static str, more: Value| {
            let mut body = json!({"merchantId": merchant});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let answer = post(format!("/payments/{operation}/{id}"), body).await;
            assert!([200, 409, 422].contains(&answer.status), "{operation}: {}", answer.text);
            (operation, answer.status)
        };
        let (capture, void, again) =
            join3(change("capture", json!({})), change("void", json!({})), change("capture", json!({}))).await;
        let wins = [capture, void, again].iter().filter(|(_, status)| *status == 200).count();
        assert_eq!(wins, 1, "of captures and a void of {id}");
        [capture, void, again].into_iter().for_each(|said| *tally.entry(said).or_default() += 1);
        if void.1 == 200 {
            continue;
        }
        let payment = Payment { id: id.clone(), merchant: merchant.clone() };
        node.eventually(&payment, "CAPTURED").await;
        let refunds =
            join_all((0..3).map(|_| change("refund", json!({"amount": 40, "idempotencyKey": new_key()})))).await;
        assert_eq!(refunds.iter().filter(|(_, status)| *status == 200).count(), 2, "of three refunds of {id}");
        refunds.into_iter().for_each(|said| *tally.entry(said).or_default() += 1);
    }
    tally
}

#[tokio::test]
async fn two_ingest_hosts_write_the_same_merchants_for_a_minute() {
    let Some(node) = TestNode::start_role("all", &[("NODE__ID", "1")]).await else { return };
    let other = node.join("ingest", 2).await;
    let hosts = [node.url.as_str(), other.url.as_str()];
    let until = Instant::now() + Duration::from_secs(60);
    let clients = (0..16).map(|client| collide(&node, hosts, format!("MERCHANT-{}", client % 4), until));
    let mut all = Tally::new();
    for tally in join_all(clients).await {
        tally.into_iter().for_each(|(said, count)| *all.entry(said).or_default() += count);
    }
    println!("{all:?}");
    for said in [("capture", 200), ("capture", 409), ("void", 200), ("void", 409), ("refund", 200), ("refund", 422)] {
        assert!(all.contains_key(&said), "no {said:?} in {all:?}");
    }
    node.audit().await;
}
