//! The control store has what operators did, and is on no payment's way: it may be away at any time.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};

use crate::identity::{PARTS, remove};
use crate::node::{Payment, TestNode, eventually};
use crate::servers::{OwnServers, SpareDatabase};

/// Operators' actions, newest first, as the node shows them.
async fn trail(node: &TestNode) -> Vec<Value> {
    node.get("/admin/actions?limit=100").await.expect(200).json()["data"].as_array().unwrap().clone()
}

/// What of `trail` tells one action from another.
async fn states(node: &TestNode) -> Vec<String> {
    trail(node).await.iter().map(|action| action["detail"].as_str().unwrap().to_owned()).collect()
}

/// Waits until nothing waits to be moved.
async fn is_moved(node: &TestNode) {
    node.audit().await;
    eventually("the jobs are idle", async || {
        let jobs = node.get("/admin/jobs").await.expect(200).json();
        let moves: Vec<_> =
            jobs["data"].as_array().unwrap().iter().filter(|job| job["job"] == "move_actions").cloned().collect();
        (moves.len() == 2 && moves.iter().all(|job| job["count"] == 0)).then_some(())
    })
    .await;
}

/// What readiness says of what operators do, once it is `status`.
async fn operate(node: &TestNode, status: &str) -> Value {
    eventually(&format!("operate is {status}"), async || {
        let ready = node.get("/readyz").await.expect(200).json();
        assert_ne!(ready["capabilities"]["authorize"]["status"], "down", "{ready:#}");
        Some(ready["capabilities"]["operate"].clone()).filter(|operate| operate["status"] == status)
    })
    .await
}

/// All that is done with money works, in a new payment of each shard.
async fn payments_go_on(node: &TestNode) {
    for merchant in ["MERCHANT-1", "MERCHANT-2"] {
        let payment: Payment = node.authorize_for(merchant, 1_000).await;
        node.capture(&payment, json!({})).await.expect(200);
        node.eventually(&payment, "CAPTURED").await;
        node.refund(&payment, json!({"amount": 400})).await.expect(200);
        node.eventually(&payment, "PARTIALLY_REFUNDED").await;
        node.ledger(&payment, 2).await;
    }
}

/// Forces a breaker that nobody needs and gives it back: two actions.
async fn act(node: &TestNode) {
    node.force_breaker("psp_lookup", Some("closed")).await;
    node.force_breaker("psp_lookup", None).await;
}

fn control_file(node: &TestNode) -> PathBuf {
    node.data_dir().join("control.db")
}

/// Moves a control store that nobody has open.
fn move_all(from: &Path, to: &Path) {
    for part in PARTS {
        let moved = std::fs::rename(from.join(format!("control.db{part}")), to.join(format!("control.db{part}")));
        assert!(moved.is_ok() || !part.is_empty());
    }
}

fn rows(path: &Path, table: &str) -> i64 {
    let db = Connection::open(path).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn an_action_is_in_the_trail_at_once_and_after_it_was_moved() {
    let node = TestNode::start().await;
    act(&node).await;
    let at_once = trail(&node).await;
    assert_eq!(at_once.len(), 2, "{at_once:#?}");
    assert!(at_once[0]["id"].as_str() > at_once[1]["id"].as_str(), "newest first: {at_once:#?}");
    is_moved(&node).await;
    assert_eq!(trail(&node).await, at_once);
    let output = node.command("audit", &["--json"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["operatorActions"], 2, "{report:#}");
    if !node.is_on_servers() {
        assert_eq!(rows(&control_file(&node), "operator_action"), 2);
    }
}

#[tokio::test]
async fn payments_go_on_while_the_file_is_away_and_what_waited_arrives() {
    let node = TestNode::start_embedded().await;
    act(&node).await;
    is_moved(&node).await;
    let (file, aside) = (control_file(&node), node.data_dir().join("aside.db"));
    std::fs::rename(&file, &aside).unwrap();
    let said = operate(&node, "degraded").await;
    assert!(said["reasons"][0].as_str().unwrap().contains("control store"), "{said:#}");
    node.get("/admin/actions").await.expect_problem(503, "storage_unavailable");
    act(&node).await;
    payments_go_on(&node).await;
    let error = eventually("the job says so", async || {
        let jobs = node.get("/admin/jobs").await.expect(200).json();
        let moves = jobs["data"].as_array().unwrap().iter().find(|job| job["job"] == "move_actions")?.clone();
        moves["lastError"]["message"].as_str().map(str::to_owned)
    })
    .await;
    assert!(error.contains("control store"), "{error}");
    std::fs::rename(&aside, &file).unwrap();
    operate(&node, "up").await;
    is_moved(&node).await;
    assert_eq!((trail(&node).await.len(), rows(&file, "operator_action")), (4, 4));
}

#[tokio::test]
async fn a_node_starts_and_takes_payments_without_a_control_store_and_finds_it_later() {
    let mut node = TestNode::start_embedded().await;
    act(&node).await;
    is_moved(&node).await;
    let before = trail(&node).await;
    assert!(node.terminate().await.success());
    // No database, and nothing that can be made one.
    let (file, aside) = (control_file(&node), node.data_dir().join("aside.db"));
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap();
    node.restart().await;
    operate(&node, "degraded").await;
    payments_go_on(&node).await;
    act(&node).await;
    node.get("/admin/actions").await.expect_problem(503, "storage_unavailable");
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    operate(&node, "up").await;
    is_moved(&node).await;
    let after = trail(&node).await;
    assert_eq!((after.len(), &after[2..]), (4, &before[..]));
}

/// An unreachable URL from the start on, and a server that dies and comes back.
#[tokio::test]
async fn payments_go_on_while_the_server_of_the_control_store_is_away() {
    let Some(own) = OwnServers::start(&["mariadb-1"]).await else { return };
    let url = format!("mysql://rialto:rialto@{}/rialto_control", own.address("mariadb-1").unwrap());
    own.kill().await;
    let node = TestNode::start_with(&[("CONTROL__DATABASE", &url)]).await;
    let said = operate(&node, "degraded").await;
    assert!(!said.to_string().contains("rialto:rialto"), "{said:#}");
    for deaths in 1..=2 {
        act(&node).await;
        payments_go_on(&node).await;
        node.get("/admin/actions").await.expect_problem(503, "storage_unavailable");
        own.up().await;
        operate(&node, "up").await;
        is_moved(&node).await;
        assert_eq!(states(&node).await.len(), 2 * deaths);
        own.kill().await;
        operate(&node, "degraded").await;
    }
}

/// Rows as the version before left them in its shards.
const OLD_ACTIONS: &str = "INSERT INTO operator_action (id, at, operator, kind, target, detail, request_id) VALUES \
    ({id}, 1790000000000, 'kim', 'dead_letter.discard', 'dlq_0000000000001', 'of shard {id}', 'req_1')";

#[tokio::test]
async fn actions_of_the_version_before_are_all_shown_and_move() {
    let mut node = TestNode::start_embedded().await;
    payments_go_on(&node).await;
    assert!(node.terminate().await.success());
    remove(node.data_dir(), "control.db");
    let shard = |number: u8| node.data_dir().join(format!("shard-{number}.db"));
    for number in [1, 2] {
        let insert = OLD_ACTIONS.replace("{id}", &number.to_string());
        Connection::open(shard(number)).unwrap().execute(&insert, []).unwrap();
    }
    let (one, two) = (shard(1), shard(2));
    node.restart().await;
    assert_eq!(states(&node).await, ["of shard 2", "of shard 1"]);
    is_moved(&node).await;
    assert_eq!(states(&node).await, ["of shard 2", "of shard 1"]);
    for (file, table, count) in
        [(&one, "operator_action", 0), (&two, "operator_action", 0), (&control_file(&node), "operator_action", 2)]
    {
        assert_eq!(rows(file, table), count, "{}", file.display());
    }
}

#[tokio::test]
async fn a_file_of_another_system_or_of_a_newer_version_is_refused_at_the_start() {
    let (mut node, mut other) = (TestNode::start_embedded().await, TestNode::start_embedded().await);
    assert!(node.terminate().await.success() && other.terminate().await.success());
    let kept = tempfile::tempdir().unwrap();
    move_all(node.data_dir(), kept.path());
    move_all(other.data_dir(), node.data_dir());
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("control store") && said.contains("that of system"), "{said}");
    remove(node.data_dir(), "control.db");
    move_all(kept.path(), node.data_dir());
    let future = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_future', 0)";
    Connection::open(control_file(&node)).unwrap().execute(future, []).unwrap();
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("control store") && said.contains("m20991231_000001_future"), "{said}");
}

#[tokio::test]
async fn a_database_of_another_system_or_of_a_shard_is_refused_at_the_start() {
    let mut node = TestNode::start().await;
    if !node.is_on_servers() {
        return;
    }
    let spare = SpareDatabase::create().await;
    assert!(node.terminate().await.success());
    let settings = [("CONTROL__DATABASE", spare.url.as_str())];
    node.restart_with(&[], &settings).await;
    operate(&node, "up").await;
    assert!(node.terminate().await.success());
    let db = Database::connect(&spare.url).await.unwrap();
    db.execute_unprepared("UPDATE control_identity SET system_id = REPEAT('0', 32)").await.unwrap();
    db.close().await.unwrap();
    let said = node.refused(&[], &settings).await;
    assert!(said.contains("that of system 00000000000000000000000000000000"), "{said}");
    let databases: Vec<String> = serde_json::from_str(node.setting("SHARD__DATABASES").unwrap()).unwrap();
    let said = node.refused(&[], &[("CONTROL__DATABASE", &databases[0])]).await;
    assert!(said.contains("control.database") && !said.contains("rialto:rialto"), "{said}");
}

/// A file of one host would hide actions from the others.
#[tokio::test]
async fn without_a_shared_store_actions_stay_in_the_shards_that_all_hosts_see() {
    let Some(node) = TestNode::start_role("all", &[("CONTROL__DATABASE", "")]).await else { return };
    let said = operate(&node, "degraded").await;
    assert!(said["reasons"][0].as_str().unwrap().contains("control.database is not set"), "{said:#}");
    act(&node).await;
    let other = node.join("all", 2).await;
    let seen = node.send(node.http.get(format!("{}/admin/actions", other.url))).await.expect(200).json();
    assert_eq!(seen["data"].as_array().unwrap().len(), 2, "{seen:#}");
    let jobs = node.get("/admin/jobs").await.expect(200).json();
    assert!(jobs["data"].as_array().unwrap().iter().all(|job| job["job"] != "move_actions"), "{jobs:#}");
}
