//! Rows that somebody has spoilt: their own payments stand still and say so, everybody else goes on.

use sea_orm::{ConnectionTrait, Database};
use serde_json::json;

use crate::node::{TestNode, eventually};

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
