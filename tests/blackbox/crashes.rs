//! The process dies at random moments; what it had said stays true.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rialto::runtime::Chance;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::node::{TestNode, order};

/// Waits made short, so that what a death left half done is found soon.
pub const FAST: &[(&str, &str)] = &[
    ("PSP__TIMEOUT_MS", "500"),
    ("RESOLVER__AFTER_MS", "1000"),
    ("RESOLVER__LADDER_MS", "[200, 400, 800, 1000, 1000]"),
    ("RESOLVER__POLL_MS", "100"),
    ("REQUESTS__GRACE_MS", "1000"),
    ("REQUESTS__POLL_MS", "100"),
];

/// What clients were told, by payment.
pub type Told = Mutex<HashMap<String, Vec<Value>>>;

/// Drives whole payments until told to stop. An answer that is lost with the process is not an answer.
pub async fn client(number: u64, url: &Mutex<String>, stop: &AtomicBool, told: &Told) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let post = async |path: String, body: Value| -> Option<Value> {
        let url = url.lock().await.clone();
        let response = http.post(format!("{url}{path}")).json(&body).send().await.ok()?;
        let is_done = response.status().as_u16() == 200;
        let answer: Value = response.json().await.ok()?;
        is_done.then_some(answer)
    };
    let merchant = format!("MERCHANT-{number}");
    while !stop.load(Ordering::Relaxed) {
        let body = order(&merchant, 1_000);
        let Some(authorized) = post("/payments/authorize".into(), body).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let id = authorized["paymentId"].as_str().unwrap().to_owned();
        told.lock().await.entry(id.clone()).or_default().push(authorized);
        for operation in ["capture", "refund"] {
            let body = json!({"merchantId": merchant, "idempotencyKey": operation});
            if let Some(answer) = post(format!("/payments/{operation}/{id}"), body).await {
                told.lock().await.entry(id.clone()).or_default().push(answer);
            }
        }
    }
}

/// Everything that clients were told is so, and booked once. To be asked once all has settled.
pub async fn holds(node: &TestNode, told: &HashMap<String, Vec<Value>>) {
    for (id, answers) in told {
        let found = node.get(&format!("/payments/{id}?expand=refunds,ledger")).await.expect(200).json();
        let said = |status: &str| answers.iter().any(|answer| answer["status"] == status);
        let refunds = found["refunds"].as_array().unwrap();
        if said("CAPTURE_REQUESTED") {
            assert_eq!(found["amounts"]["captured"], 1_000, "{id}: an acknowledged capture is made");
        }
        if said("REFUND_REQUESTED") {
            assert_eq!(found["amounts"]["refunded"], 1_000, "{id}: an acknowledged refund is made");
            assert_eq!(refunds.len(), 1, "{id}: once");
        }
        let captured = found["amounts"]["captured"].as_i64().unwrap();
        let expected = usize::from(captured > 0) + refunds.len();
        assert_eq!(found["ledger"].as_array().unwrap().len(), expected, "{id}: booked once each");
    }
}

/// Kills the process `kills` times under load, restarts it each time, and checks that everything that was said is so.
async fn survive(kills: u32, run_ms: u64) {
    let mut node = TestNode::start_with(FAST).await;
    let url = Mutex::new(node.url.clone());
    let (stop, told) = (AtomicBool::new(false), Told::default());
    let chance = Chance::from_entropy();
    let clients = futures_util::future::join_all((1..=16).map(|number| client(number, &url, &stop, &told)));
    let killer = async {
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(run_ms / 2 + chance.below(run_ms))).await;
            node.kill().await;
            node.restart().await;
            *url.lock().await = node.url.clone();
        }
        tokio::time::sleep(Duration::from_millis(run_ms / 2)).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(clients, killer);
    node.audit().await;

    let told = told.into_inner();
    assert!(told.len() > kills as usize, "there was load: {} payments", told.len());
    holds(&node, &told).await;
}

#[tokio::test]
async fn three_kills_under_load_lose_and_double_nothing() {
    survive(3, 1_000).await;
}

/// The long form: `cargo test --release --test blackbox -- --ignored twenty_kills`.
#[tokio::test]
#[ignore = "takes a minute; three kills run every time"]
async fn twenty_kills_under_load_lose_and_double_nothing() {
    survive(20, 2_000).await;
}

#[tokio::test]
async fn a_stop_drains_and_ends_well() {
    let mut node = TestNode::start_with(&[("PSP__SIMULATOR__LATENCY_MS", "300")]).await;
    let url = format!("{}/payments/authorize", node.url);
    let under_way: Vec<_> =
        (0..8).map(|_| tokio::spawn(node.http.post(&url).json(&order("MERCHANT-1", 1_000)).send())).collect();
    // The intents are durable, so the requests are under way.
    crate::node::eventually("eight intents", async || {
        let listed = node.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
        (listed["data"].as_array().unwrap().len() == 8).then_some(())
    })
    .await;
    let status = node.terminate().await;
    assert_eq!(status.code(), Some(0));
    for answer in under_way {
        assert_eq!(answer.await.unwrap().unwrap().status().as_u16(), 200, "what was under way is finished");
    }
    node.restart().await;
    node.audit().await;
}
