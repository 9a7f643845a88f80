//! A key's recorded answer is given whatever else is broken, and only what stays true is recorded.

use rialto::infra::psp::simulator::books::Books;

use crate::node::{TestNode, eventually, order};

#[tokio::test]
async fn what_a_kill_left_in_the_middle_has_its_answer_behind_an_open_breaker() {
    let mut node = TestNode::start_with(&[
        ("PSP__SIMULATOR__LATENCY_MS", "3000"),
        ("RESOLVER__AFTER_MS", "6000"),
        ("RESOLVER__LADDER_MS", "[200, 200, 200, 200, 200]"),
        ("RESOLVER__POLL_MS", "50"),
    ])
    .await;
    let body = order("MERCHANT-1", 1_000);
    let url = format!("{}/payments/authorize", node.url);
    let call = tokio::spawn(node.http.post(url).json(&body).send());
    let at_psp = async || {
        let books = Books::open_read_only(&node.books()).await.ok()?;
        (books.count("authorize").await.ok()?.0 == 1).then_some(())
    };
    eventually("the psp has it", at_psp).await;
    node.kill().await;
    assert!(call.await.unwrap().is_err(), "nobody was told");
    node.restart().await;
    node.force_breaker("psp", Some("open")).await;
    let early = node.post("/payments/authorize", &body).await.expect_problem(409, "idempotency_in_progress");
    assert_eq!(early.header("retry-after"), Some("1"));
    // Look-ups have a breaker of their own, so the resolver concludes it.
    let answer = eventually("the answer", async || {
        let answer = node.post("/payments/authorize", &body).await;
        if answer.status == 409 {
            return None;
        }
        Some(answer.expect(200))
    })
    .await;
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    assert_eq!(answer.json()["status"], "AUTHORIZED");
    node.audit().await;
}
