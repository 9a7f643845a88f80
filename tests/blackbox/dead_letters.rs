//! Dead letters as a tool: an event that cannot be applied, its cause mended, and the event redriven.

use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::node::{PROGRAM, Payment, TestNode, eventually};

/// Runs a statement on both shards, as a person with a shell would.
async fn by_hand(node: &TestNode, sql: &str) {
    for shard in ["shard-1.db", "shard-2.db"] {
        let path = node.data_dir().join(shard);
        let db = Database::connect(format!("sqlite://{}?mode=rw", path.display())).await.unwrap();
        eventually("the statement", async || db.execute_unprepared(sql).await.ok()).await;
        db.close().await.unwrap();
    }
}

/// Makes the shards refuse, or take again, what the ledger writes: the cause that a person mends.
pub async fn ledger_refuses(node: &TestNode, refuses: bool) {
    let sql = if refuses {
        "CREATE TRIGGER refuse BEFORE INSERT ON ledger_entry BEGIN SELECT RAISE(ABORT, 'refused'); END"
    } else {
        "DROP TRIGGER refuse"
    };
    by_hand(node, sql).await;
}

pub const POLL: (&str, &str) = ("DEAD_LETTERS__POLL_MS", "50");

pub async fn letters(node: &TestNode, query: &str) -> Vec<Value> {
    let found = node.get(&format!("/admin/dead-letters?{query}")).await.expect(200).json();
    found["data"].as_array().unwrap().clone()
}

/// A node with `count` captured payments whose captures the ledger could not book.
pub async fn unbooked(settings: &[(&str, &str)], count: usize) -> (TestNode, Vec<Payment>) {
    let node = TestNode::start_embedded_with(settings).await;
    ledger_refuses(&node, true).await;
    let mut payments = Vec::new();
    for _ in 0..count {
        payments.push(node.captured(1_000).await);
    }
    eventually("the dead letters", async || {
        (letters(&node, "topic=payment.dlq&status=open").await.len() == count).then_some(())
    })
    .await;
    (node, payments)
}

/// `rialto dlq` against the node; what it prints.
async fn dlq(node: &TestNode, args: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["dlq", "--url", &node.url, "--operator", "kim"]).args(args);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_event_is_redriven_when_its_cause_is_mended_and_has_one_effect() {
    let (node, payments) = unbooked(&[POLL], 2).await;
    let found = letters(&node, "topic=payment.dlq&errorType=refused").await;
    assert_eq!(found.len(), 2);
    for letter in &found {
        assert_eq!(letter["sourceTopic"], "payment.captured");
        assert!(letter["sourcePartition"].is_u64() && letter["sourceOffset"].is_i64(), "{letter:#}");
        assert!(payments.iter().any(|payment| letter["eventKey"] == payment.id), "{letter:#}");
        let data: Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
        assert_eq!(data["amount"], 1_000);
        assert_eq!((&letter["matter"], &letter["status"]), (&json!("event"), &json!("open")));
        assert!(letter["redriveAt"].is_string() && letter["traceId"].is_string(), "{letter:#}");
    }
    let id = found[0]["id"].as_str().unwrap().to_owned();
    let shown = dlq(&node, &["show", &id]).await;
    assert!(shown.contains("payment.captured") && shown.contains("refused"), "{shown}");

    // Redriven in vain, it is open again and counts on; a dry run before changes nothing.
    assert!(dlq(&node, &["redrive", &id]).await.contains("dry run"));
    assert_eq!(letters(&node, "status=open").await.len(), 2);
    assert!(dlq(&node, &["redrive", &id, "--yes"]).await.contains("redelivered"));
    eventually("it fails again", async || {
        let letter = node.get(&format!("/admin/dead-letters/{id}")).await.expect(200).json();
        (letter["status"] == "open" && letter["redrives"] == 1).then_some(())
    })
    .await;

    ledger_refuses(&node, false).await;
    assert!(dlq(&node, &["redrive", "--topic", "payment.dlq", "--yes"]).await.contains("redelivered"));
    let again = dlq(&node, &["redrive", &id, "--yes"]).await;
    assert!(again.contains("already_redriven"), "{again}");
    for payment in &payments {
        assert_eq!(node.ledger(payment, 1).await.len(), 1);
    }
    assert!(letters(&node, "status=open").await.is_empty());
    eventually("nothing is due", async || {
        letters(&node, "").await.iter().all(|letter| letter["redriveAt"].is_null()).then_some(())
    })
    .await;
    assert!(dlq(&node, &["list", "--status", "redriven"]).await.contains(&id));

    let trail = node.get("/admin/actions").await.expect(200).json();
    let redrives: Vec<_> = trail["data"].as_array().unwrap().iter().collect();
    assert_eq!(redrives.len(), 3, "{trail:#}");
    assert!(redrives.iter().all(|action| action["operator"] == "kim" && action["action"] == "dead_letter.redrive"));
    node.audit().await;
    for payment in &payments {
        assert_eq!(node.ledger(payment, 1).await.len(), 1);
    }
}

#[tokio::test]
async fn a_letter_that_cannot_be_redriven_hides_nothing_of_the_others() {
    let (node, _) = unbooked(&[], 2).await;
    let bad = letters(&node, "status=open").await[0]["id"].as_str().unwrap().to_owned();
    let source = letters(&node, "status=open").await[0]["eventKey"].as_str().unwrap().to_owned();
    let refuse = format!(
        "CREATE TRIGGER bad BEFORE UPDATE ON dead_letter WHEN OLD.event_key = '{source}' BEGIN SELECT RAISE(ABORT, \
         'bad'); END"
    );
    by_hand(&node, &refuse).await;
    let all = json!({"all": true, "dryRun": false});
    let answer = node.post("/admin/dead-letters/redrive", &all).await.expect(200).json();
    let outcomes: Vec<_> = answer["data"].as_array().unwrap().iter().map(|row| (&row["id"], &row["outcome"])).collect();
    assert_eq!(outcomes.len(), 2, "{answer:#}");
    for (id, outcome) in outcomes {
        assert_eq!(outcome, if *id == bad.as_str() { "failed" } else { "redelivered" });
    }
    // Of the command, too, and what cannot be done at all is an error.
    let mut command = Command::new(PROGRAM);
    let output = command.args(["dlq", "--url", &node.url, "redrive", &bad, "--yes"]).output().await.unwrap();
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn the_schedule_redrives_by_itself() {
    let (node, payments) = unbooked(&[("DEAD_LETTERS__REDRIVE_EVERY_MS", "2000"), POLL], 1).await;
    ledger_refuses(&node, false).await;
    assert_eq!(node.ledger(&payments[0], 1).await.len(), 1);
    eventually("the letter is closed", async || letters(&node, "status=redriven").await.pop()).await;
    node.audit().await;
}

#[tokio::test]
async fn what_is_discarded_has_a_reason_and_a_name() {
    let (node, _) = unbooked(&[], 1).await;
    node.post("/admin/dead-letters/discard", &json!({"all": true, "reason": " "}))
        .await
        .expect_problem(422, "reason_invalid");
    assert!(dlq(&node, &["discard", "--all", "--reason", "booked by hand"]).await.contains("dry run"));
    assert!(dlq(&node, &["discard", "--all", "--reason", "booked by hand", "--yes"]).await.contains("discarded"));
    let letter = letters(&node, "status=discarded").await.pop().unwrap();
    assert_eq!((&letter["note"], &letter["redriveAt"]), (&json!("booked by hand"), &Value::Null));
    let id = letter["id"].as_str().unwrap();
    assert!(dlq(&node, &["redrive", id, "--yes"]).await.contains("already_discarded"));
    let trail = node.get("/admin/actions").await.expect(200).json();
    assert_eq!(trail["data"].as_array().unwrap().len(), 1, "{trail:#}");
    assert_eq!(trail["data"][0]["detail"], "booked by hand");
}
