//! Data that an older version has written: they open, say the same, and go on. `tests/data/make_fixture.py` makes them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::node::{TestNode, eventually, new_key};

fn fixture(place: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version-1").join(place)
}

/// What the older version answered about the data that it wrote.
fn answers(place: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(place).join("answers.json")).unwrap()).unwrap()
}

/// Holds a payment's failures to what was told of them before, and leaves that: of a payment its message alone, of a
/// refund one word.
fn tells_failures_as_before(payment: &mut Value) {
    let word = |failure: &Value| {
        assert!(failure["message"].is_string() && failure["retry"].is_string(), "{failure:#}");
        failure.get("pspCode").unwrap_or(&failure["code"]).as_str().unwrap().to_owned()
    };
    let failure = payment.as_object_mut().unwrap().remove("failure");
    assert_eq!(failure.is_some(), ["DECLINED", "CAPTURE_FAILED"].iter().any(|status| payment["status"] == *status));
    if let Some(failure) = failure {
        let message = payment["message"].as_str().unwrap();
        assert!(message.ends_with(&format!(": {}.", word(&failure))), "{message}");
    }
    for refund in payment["refunds"].as_array_mut().into_iter().flatten() {
        if let Some(failure) = refund.get_mut("failure") {
            *failure = word(failure).into();
        }
    }
}

/// Every payment, timeline, answer under a key, dead letter and action is as it was.
async fn says_the_same(node: &TestNode, answers: &Value) {
    for (id, payment) in answers["payments"].as_object().unwrap() {
        let mut shown = node.get(&format!("/payments/{id}?expand=refunds,ledger")).await.expect(200).json();
        tells_failures_as_before(&mut shown);
        assert_eq!(shown, *payment, "{id}");
        let timeline = node.get(&format!("/payments/{id}/timeline")).await.expect(200).json();
        assert_eq!(timeline, answers["timelines"][id], "{id}");
    }
    for replay in answers["replays"].as_array().unwrap() {
        let path = replay["path"].as_str().unwrap();
        let answer = node.post(path, &replay["body"]).await;
        // A problem says since then what was asked for.
        let text = answer.text.replacen(&format!(r#""instance":"{path}","#), "", 1);
        assert_eq!(text == answer.text, answer.status < 400, "{replay:#}");
        let status = u64::from(answer.status);
        assert_eq!(
            (Some(status), Some(text.as_str())),
            (replay["status"].as_u64(), replay["answer"].as_str()),
            "{replay:#}"
        );
        assert_eq!(answer.header("idempotent-replayed"), Some("true"), "{replay:#}");
    }
    for (path, listed) in answers["admin"].as_object().unwrap() {
        assert_eq!(node.get(path).await.expect(200).json(), *listed, "{path}");
    }
}

/// What was authorized before is captured and refunded now.
async fn goes_on(node: &TestNode, answers: &Value) {
    let payments = answers["payments"].as_object().unwrap();
    let (id, payment) = payments.iter().find(|(_, payment)| payment["status"] == "AUTHORIZED").unwrap();
    let merchant = &payment["merchantId"];
    let change = json!({"merchantId": merchant, "idempotencyKey": new_key()});
    node.post(&format!("/payments/capture/{id}"), &change).await.expect(200);
    let has = async |status: &str| node.get(&format!("/payments/{id}")).await.json()["status"] == status;
    eventually("the capture", async || has("CAPTURED").await.then_some(())).await;
    let change = json!({"merchantId": merchant, "idempotencyKey": new_key(), "reason": "after the upgrade"});
    node.post(&format!("/payments/refund/{id}"), &change).await.expect(200);
    eventually("the refund", async || has("REFUNDED").await.then_some(())).await;
    node.audit().await;
}

#[tokio::test]
async fn a_data_directory_of_the_version_before_opens_and_goes_on() {
    let mut node = TestNode::start_embedded().await;
    node.kill().await;
    let data_dir = node.data_dir().to_owned();
    for entry in std::fs::read_dir(&data_dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let archive = fixture("embedded").join("data.tar.gz");
    let mut unpack = Command::new("tar");
    unpack.arg("-xzf").arg(archive).args(["--strip-components=1", "--no-same-owner", "-C"]).arg(data_dir);
    assert!(unpack.status().await.unwrap().success());
    node.restart().await;
    let answers = answers("embedded");
    says_the_same(&node, &answers).await;
    goes_on(&node, &answers).await;
    // What was moved or rewritten on the way is still there after another start.
    node.kill().await;
    node.restart().await;
    for path in ["/admin/actions", "/admin/dead-letters"] {
        let listed = node.get(path).await.expect(200).json();
        let before = answers["admin"][path]["data"].as_array().unwrap().last().unwrap().clone();
        assert!(listed["data"].as_array().unwrap().contains(&before), "{path}: {listed:#}");
    }
}

#[tokio::test]
async fn databases_of_the_version_before_open_and_say_the_same() {
    let Some(mut node) = TestNode::start_role("all", &[]).await else { return };
    node.kill().await;
    node.restore_databases(&["shard-1.sql", "shard-2.sql"].map(|dump| fixture("servers").join(dump))).await;
    // Kafka and the PSP are others than those of before.
    node.restart_with(&["--new-event-log", "--new-psp"], &[]).await;
    let answers = answers("servers");
    says_the_same(&node, &answers).await;
    let payment = node.captured(1_000).await;
    node.ledger(&payment, 1).await;
}
