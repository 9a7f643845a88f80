//! Merchants' limits, and the node's own.

use futures_util::future::join_all;
use serde_json::json;

use crate::node::{TestNode, order};
use crate::scrape::Scrape;

#[tokio::test]
async fn a_shard_that_cannot_keep_up_takes_on_no_more_and_recovers() {
    let node =
        TestNode::start_with(&[("FAULTS__ENABLED", "true"), ("SHARD__SHED_ABOVE", "2"), ("SHARD__SHED_AFTER_MS", "1")])
            .await;
    let slow = json!({"actor": "shard_writer", "shard": 1, "fault": {"delay": 200}, "times": 10});
    node.inject(slow).await;
    // The mailbox has room for all of them, so it is not what refuses.
    let bodies: Vec<_> = (0..64).map(|number| order(&format!("MERCHANT-{number}"), 100)).collect();
    let answers = join_all(bodies.iter().map(|body| node.post("/payments/authorize", body))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!taken.is_empty() && !refused.is_empty(), "{} taken, {} refused", taken.len(), refused.len());
    for answer in refused {
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        answer.expect_problem(503, "overloaded");
    }
    assert!(Scrape::of(&node).await.value("rialto_shard_shed_total", &[]) >= Some(1.0));
    crate::node::eventually("all is let in again", async || {
        let answers = join_all(bodies.iter().take(4).map(|body| node.post("/payments/authorize", body))).await;
        answers.iter().all(|answer| answer.status == 200).then_some(())
    })
    .await;
    node.audit().await;
}
