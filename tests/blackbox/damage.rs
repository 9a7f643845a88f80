//! Rows that somebody has spoilt: their own payments stand still and say so, everybody else goes on.

use std::os::unix::fs::FileExt as _;

use sea_orm::{ConnectionTrait, Database};
use serde_json::json;

use crate::node::{TestNode, eventually, order};

/// Changes a row of the shard of odd merchants by hand.
async fn spoil(node: &TestNode, sql: &str) {
    let path = node.data_dir().join("shard-1.db");
    let db = Database::connect(format!("sqlite://{}?mode=rw", path.display())).await.unwrap();
    eventually("the damage", async || db.execute_unprepared(sql).await.ok()).await;
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stops_nobody_else() {
    let node = TestNode::start_embedded_with(&[("PAYMENT__CAPTURE_WINDOW_MS", "3000")]).await;
    let spoilt = node.authorize_for("MERCHANT-1", 100).await;
    let withdrawn = node.authorize_for("MERCHANT-1", 200).await;
    let other = node.authorize_for("MERCHANT-3", 300).await;
    spoil(&node, "UPDATE payment SET status = 'NONSENSE' WHERE amount = 100").await;
    spoil(&node, "UPDATE payment SET currency = 'HRK' WHERE amount = 200").await;

    let refused = node.get(&format!("/payments/{}", spoilt.id)).await.expect_problem(500, "internal");
    assert_eq!(refused.json()["retryable"], false);
    let refused = node.capture(&spoilt, json!({})).await.expect_problem(500, "internal");
    assert_eq!(refused.json()["retryable"], false);
    assert_eq!(node.look_up(&withdrawn).await["currency"], "HRK");
    let listed = node.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
    assert_eq!((listed["data"].as_array().unwrap().len(), &listed["unreadable"]), (1, &json!([spoilt.id])));

    // Time passes for all others: what is not captured expires.
    node.eventually(&other, "EXPIRED").await;
    node.eventually(&withdrawn, "EXPIRED").await;
    let captured = node.captured(400).await;
    node.ledger(&captured, 1).await;
    let audit = node.command("audit", &["--json"]).await;
    let report: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap();
    let readable =
        report["invariants"].as_array().unwrap().iter().find(|line| line["name"] == "rows.readable").unwrap();
    assert_eq!((&readable["broken"], &report["payments"]), (&json!(1), &json!(3)), "{report:#}");
    eventually("the count", async || {
        let metrics = node.get("/metrics").await.text;
        metrics.contains("rialto_unreadable_rows_total{shard=\"1\",table=\"payment\"} ").then_some(())
    })
    .await;
}

/// Overwrites every ninth page of a database that nobody has open, but for those at its beginning, where its schema is.
fn damage(file: &std::path::Path) {
    const PAGE: u64 = 4096;
    let opened = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    let pages = opened.metadata().unwrap().len() / PAGE;
    assert!(pages > 29, "{pages} pages");
    // No number is random enough for SQLite: 0xa5 begins no page.
    (20..pages).step_by(9).for_each(|page| opened.write_all_at(&[0xa5; PAGE as usize], page * PAGE).unwrap());
}

/// A probe writes a table that may be whole. That it succeeds does not make the shard whole.
#[tokio::test]
async fn a_damaged_file_shows_until_it_is_replaced() {
    let mut node = TestNode::start_embedded_with(&[("TELEMETRY__OBSERVE_EVERY_MS", "200")]).await;
    node.authorize_for("MERCHANT-1", 100).await;
    assert!(node.terminate().await.success());
    let file = node.data_dir().join("shard-1.db");
    // All of it is in the file, and nothing in the log beside it.
    let db = rusqlite::Connection::open(&file).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    let whole = std::fs::read(&file).unwrap();
    damage(&file);
    node.restart().await;
    let authorize = async || (node.get("/readyz").await.json()["capabilities"]["authorize"]).clone();
    let shown = async || {
        let authorize = authorize().await;
        let reasons = authorize["reasons"].to_string();
        (authorize["status"] == "degraded" && reasons.contains("shard 1 is damaged")).then_some(())
    };
    eventually("it shows", shown).await;
    // What it takes on would be lost with the file.
    node.post("/payments", &order("MERCHANT-1", 100)).await.expect(503);
    node.authorize_for("MERCHANT-2", 100).await;
    // The writer looks each second whether a shard takes writes again: it never does.
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(3) {
        assert_eq!(authorize().await["status"], "degraded");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    eventually("the metric", async || {
        let metrics = node.get("/metrics").await.text;
        metrics.contains("rialto_shard_up{shard=\"1\"} 0\n").then_some(())
    })
    .await;
    node.kill().await;
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(node.data_dir().join(format!("shard-1.db{end}")));
    }
    std::fs::write(&file, whole).unwrap();
    node.restart().await;
    eventually("up", async || (node.get("/readyz").await.json()["status"] == "up").then_some(())).await;
}
