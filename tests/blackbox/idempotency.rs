//! One key, one execution, one answer.

use rialto::infra::psp::simulator::books::Books;

use crate::node::{TestNode, order};

#[tokio::test]
async fn answers_outlive_the_cache_and_the_process() {
    let mut node = TestNode::start().await;
    let body = order("MERCHANT-1", 1_000);
    let first = node.post("/payments/authorize", &body).await.expect(200);
    node.kill().await;
    node.restart().await;
    let again = node.post("/payments/authorize", &body).await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.text, first.text);
}

#[tokio::test]
async fn sixty_four_identical_calls_at_once_are_one_payment() {
    let node = TestNode::start().await;
    node.identical_calls_are_one_payment().await;
    let books = Books::open_read_only(&node.books()).await.unwrap();
    assert_eq!(books.count("authorize").await.unwrap(), (1, 1), "the psp was asked once");
}
