//! The PSP in a process of its own, which dies and comes back.

use rialto::infra::psp::simulator::books::Books;
use serde_json::json;

use crate::node::{TestNode, order};

#[tokio::test]
async fn what_waits_for_a_psp_that_died_is_done_once_when_it_is_back() {
    let mut node = TestNode::start_with_psp(&[("REQUESTS__RETRY_CAP_MS", "500")]).await;
    let payment = node.authorize(1_000).await;
    node.psp().kill().await;
    // Nothing is sent, so nothing is in doubt.
    let not_sent = order("MERCHANT-1", 2_000);
    node.post("/payments/authorize", &not_sent).await.expect_problem(503, "psp_not_reached");
    node.capture(&payment, json!({})).await.expect(200);
    node.psp().restart().await;
    node.eventually(&payment, "CAPTURED").await;
    node.refund(&payment, json!({})).await.expect(200);
    node.eventually(&payment, "REFUNDED").await;
    // The key is free, and the same call is made now.
    let made = node.post("/payments/authorize", &not_sent).await.expect(200);
    assert_eq!(made.header("idempotent-replayed"), None);
    node.audit().await;
    let books = Books::open_read_only(&node.books()).await.unwrap();
    for (kind, times) in [("authorize", 2), ("capture", 1), ("refund", 1)] {
        assert_eq!(books.count(kind).await.unwrap().0, times, "{kind}");
    }
}

#[tokio::test]
async fn a_psp_that_dies_under_load_leaves_nothing_in_doubt() {
    let fast = [
        ("RESOLVER__AFTER_MS", "5100"),
        ("RESOLVER__LADDER_MS", "[200, 400, 800, 1000, 1000]"),
        ("REQUESTS__RETRY_CAP_MS", "500"),
        ("REQUESTS__TRIES_MAX", "100"),
        ("BREAKER__OPEN_MS", "200"),
    ];
    let mut node = TestNode::start_with_psp(&fast).await;
    for _ in 0..3 {
        let url = format!("{}/payments/authorize", node.url);
        let calls = (1..=60).map(|number| {
            let request = node.http.post(&url).json(&order(&format!("MERCHANT-{}", number % 8), 1_000));
            tokio::spawn(request.send())
        });
        let calls: Vec<_> = calls.collect();
        node.psp().kill().await;
        for call in calls {
            let status = call.await.unwrap().unwrap().status().as_u16();
            assert!([200, 202, 503].contains(&status), "{status}");
        }
        node.psp().restart().await;
    }
    let payment = crate::node::eventually("the breaker closes", async || {
        let answer = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await;
        (answer.status == 200).then(|| answer.json()["paymentId"].as_str().unwrap().to_owned())
    })
    .await;
    assert!(payment.starts_with("pay_"));
    node.audit().await;
}

#[tokio::test]
async fn no_page_in_a_browser_reaches_the_books() {
    let mut node = TestNode::start_with_psp(&[]).await;
    let url = node.psp().url.clone();
    let asked = |name: &'static str, value: &'static str| node.http.get(format!("{url}/healthz")).header(name, value);
    for (name, value) in [("Host", "evil.example"), ("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")]
    {
        assert_eq!(asked(name, value).send().await.unwrap().status(), 421, "{name}");
    }
    assert_eq!(asked("Host", "localhost:8090").send().await.unwrap().status(), 200);
}
