//! One key, one execution, one answer.

use futures_util::future::join_all;
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
    let body = order("MERCHANT-7", 1_000);
    let answers = join_all((0..64).map(|_| node.post("/payments/authorize", &body))).await;
    let mut fresh = Vec::new();
    let mut texts = std::collections::HashSet::new();
    for answer in &answers {
        match answer.status {
            200 => {
                texts.insert(answer.text.clone());
                if answer.header("idempotent-replayed").is_none() {
                    fresh.push(answer);
                }
            }
            409 => {
                assert_eq!(answer.code(), "idempotency_in_progress");
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert_eq!((fresh.len(), texts.len()), (1, 1), "one execution, one answer");
    let later = join_all((0..64).map(|_| node.post("/payments/authorize", &body))).await;
    for answer in later {
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, Some("true")));
        assert!(texts.contains(&answer.text));
    }
    let books = Books::open_read_only(&node.books()).await.unwrap();
    assert_eq!(books.count("authorize").await.unwrap(), (1, 1), "the psp was asked once");
}
