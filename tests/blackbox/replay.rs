//! `rialto replay`: a consumer group set back, and nothing doubled.

use serde_json::json;

use crate::node::{Payment, TestNode};

/// What the command says, and whether it succeeds.
async fn replay(node: &TestNode, args: &[&str]) -> (bool, String) {
    let output = node.command("replay", args).await;
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Payments that are captured, half of them refunded in part, and booked.
async fn settled(node: &TestNode) -> Vec<Payment> {
    let mut payments = Vec::new();
    for number in 0..6 {
        let payment = node.captured(1_000).await;
        if number % 2 == 0 {
            node.refund(&payment, json!({"amount": 400})).await.expect(200);
            node.eventually(&payment, "PARTIALLY_REFUNDED").await;
        }
        payments.push(payment);
    }
    node.audit().await;
    payments
}

/// With a log of its own and a PSP that is not, nobody could bring the group on again.
#[tokio::test]
async fn what_could_not_be_done_to_its_end_is_not_begun() {
    let mut node = TestNode::start().await;
    if !node.is_on_servers() {
        println!("skipped: RIALTO_TEST_ON_SERVERS is not set");
        return;
    }
    settled(&node).await;
    assert!(node.terminate().await.success());
    let (_, before) = replay(&node, &["--topic", "payment.captured", "--from-offset", "0"]).await;
    // Where they are if the PSP is in the process.
    std::fs::copy(node.books(), node.data_dir().join("psp.db")).unwrap();
    let mut command = tokio::process::Command::new(crate::node::PROGRAM);
    command.args(["replay", "--data-dir"]).arg(node.data_dir());
    command.args(["--topic", "payment.captured", "--from-offset", "0", "--yes"]);
    let refused = command.envs(node.settings()).env("RIALTO__PSP__URL", "").output().await.unwrap();
    let said = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
    assert!(!refused.status.success() && said.contains("psp.url"), "{said}");
    let (_, after) = replay(&node, &["--topic", "payment.captured", "--from-offset", "0"]).await;
    assert_eq!(after, before, "the group is where it was");
}

#[tokio::test]
async fn events_of_before_come_again_and_nothing_doubles() {
    let mut node = TestNode::start().await;
    let payments = settled(&node).await;
    let (is_done, said) = replay(&node, &["--topic", "payment.captured", "--from-offset", "0", "--yes"]).await;
    assert!(!is_done && (said.contains("stop it first") || said.contains("stop them first")), "{said}");

    assert!(node.terminate().await.success());
    let (is_done, said) = replay(&node, &["--topic", "payment.captured", "--from-offset", "0"]).await;
    assert!(is_done && said.contains("dry run"), "{said}");
    for (topic, records) in [
        ("payment.captured", 6),
        ("payment.refunded", 3),
        ("payment.capture-requested", 6),
        ("payment.refund-requested", 3),
    ] {
        let (is_done, said) = replay(&node, &["--topic", topic, "--from-offset", "0", "--yes"]).await;
        let counted = format!("{records} records delivered again: {records} of them had been applied before, 0 were");
        assert!(is_done && said.contains(&counted), "{topic}: {said}");
        assert!(said.contains("audit: clean, 6 payments"), "{topic}: {said}");
    }

    node.restart().await;
    for (number, payment) in payments.iter().enumerate() {
        let is_refunded = number % 2 == 0;
        assert_eq!(node.ledger(payment, 1).await.len(), if is_refunded { 2 } else { 1 });
        let refunded = &node.look_up(payment).await["amounts"]["refunded"];
        assert_eq!(refunded, &json!(if is_refunded { 400 } else { 0 }));
    }
    let trail = node.get("/admin/actions").await.expect(200).json();
    assert_eq!(trail["data"].as_array().unwrap().len(), 4, "{trail:#}");
    assert_eq!(trail["data"][3]["target"], "payment.captured", "{trail:#}");
    node.audit().await;
}

#[tokio::test]
async fn a_time_stands_for_the_first_event_since() {
    let mut node = TestNode::start().await;
    settled(&node).await;
    let since = node.captured(7_000).await;
    node.ledger(&since, 1).await;
    let time = node.look_up(&since).await["requestedAt"].as_str().unwrap().to_owned();
    assert!(node.terminate().await.success());
    let (is_done, said) = replay(&node, &["--topic", "payment.captured", "--from-time", &time, "--yes"]).await;
    assert!(is_done && said.contains("1 records delivered again: 1 of them had been applied before"), "{said}");
    let (is_done, said) = replay(&node, &["--topic", "payment.captured", "--from-time", "2099-01-01T00:00:00Z"]).await;
    assert!(is_done && said.contains("nothing to replay"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused() {
    let node = TestNode::start().await;
    for (args, says) in [
        (["--topic", "payment.failed", "--from-offset", "0"], "no topic with a consumer"),
        (["--topic", "payment.captured", "--from-time", "yesterday"], "--from-time"),
        (["--topic", "payment.captured", "--partition", "0"], "--from-offset or --from-time"),
    ] {
        let (is_done, said) = replay(&node, &args).await;
        assert!(!is_done && said.contains(says), "{said}");
    }
}
