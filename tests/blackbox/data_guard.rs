//! The files under a running node are its own, and what it says is in them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::node::{TestNode, eventually, order};

/// The reasons that readiness gives, once it answers 503 with one that contains this.
async fn down_because(node: &TestNode, part: &str) -> String {
    eventually(&format!("readiness is down: {part}"), async || {
        let ready = node.get("/readyz").await;
        (ready.status == 503 && ready.text.contains(part)).then_some(ready.text)
    })
    .await
}

#[tokio::test]
async fn nothing_is_said_that_is_not_on_disk_after_the_directory_was_deleted() {
    let node = TestNode::start_embedded().await;
    let payment = node.authorize(1_000).await;
    let repeated = order("MERCHANT-2", 1_000);
    node.post("/payments/authorize", &repeated).await.expect(200);
    std::fs::remove_dir_all(node.data_dir()).unwrap();
    for number in 0..20 {
        let answer = node.post("/payments/authorize", &order(&format!("MERCHANT-{number}"), 1_000)).await;
        assert_eq!(answer.status, 503, "{}", answer.text);
    }
    for answer in [
        node.post("/payments/authorize", &repeated).await,
        node.get(&format!("/payments/{}", payment.id)).await,
        node.capture(&payment, json!({})).await,
    ] {
        assert_eq!(answer.status, 503, "{}", answer.text);
    }
    let said = down_because(&node, "the data of shard 1 are lost: its file was deleted or replaced").await;
    for lost in ["shard 2", "the event log is lost", "the books of the PSP simulator are lost"] {
        assert!(said.contains(lost), "{lost}: {said}");
    }
    // Another directory of that name is not the one of before.
    std::fs::create_dir(node.data_dir()).unwrap();
    std::fs::write(node.data_dir().join("shard-1.db"), "").unwrap();
    assert_eq!(node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await.status, 503);
}

#[tokio::test]
async fn a_write_ahead_log_that_was_deleted_is_missed() {
    let node = TestNode::start_embedded().await;
    node.authorize(1_000).await;
    std::fs::remove_file(node.data_dir().join("shard-1.db-wal")).unwrap();
    let answer = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await;
    assert!(answer.status >= 500, "{}", answer.text);
    node.authorize_for("MERCHANT-2", 1_000).await;
    eventually("readiness names it", async || {
        let ready = node.get("/readyz").await.text;
        ready.contains("the data of shard 1 are lost: its write-ahead log was deleted").then_some(())
    })
    .await;
}

/// Nothing may be said of shard 1 however its write-ahead log was taken away, and whoever looks at the file meanwhile.
async fn lost_write_ahead_log(take: impl Fn(&Path)) {
    let mut node = TestNode::start_embedded().await;
    let mut told = Vec::new();
    for _ in 0..50 {
        told.push(node.authorize_for("MERCHANT-1", 1_000).await);
    }
    let log = node.data_dir().join("shard-1.db-wal");
    take(&log);
    // Whoever opens the file makes a new one under the path.
    node.command("audit", &[]).await;
    for _ in 0..30 {
        let answer = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await;
        assert!(answer.status >= 500, "{}", answer.text);
        node.authorize_for("MERCHANT-2", 1_000).await;
    }
    let ready = node.get("/readyz").await.text;
    assert!(ready.contains("the data of shard 1 are lost: its write-ahead log was deleted or replaced"), "{ready}");
    // What was said before is in the log that was taken away, and it is back with it.
    let aside = log.with_extension("aside");
    if aside.exists() {
        std::fs::rename(&aside, &log).unwrap();
        eventually("shard 1 is back", async || {
            let answer = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await;
            (answer.status == 200).then_some(())
        })
        .await;
        node.kill().await;
        node.restart().await;
        for payment in &told {
            assert_eq!(node.look_up(payment).await["status"], "AUTHORIZED");
        }
        node.audit().await;
    }
}

#[tokio::test]
async fn a_write_ahead_log_that_was_replaced_is_missed() {
    lost_write_ahead_log(|log| {
        std::fs::rename(log, log.with_extension("aside")).unwrap();
        std::fs::copy(log.with_extension("aside"), log).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_write_ahead_log_that_somebody_made_anew_is_missed() {
    lost_write_ahead_log(|log| std::fs::rename(log, log.with_extension("aside")).unwrap()).await;
    lost_write_ahead_log(|log| {
        std::fs::remove_file(log).unwrap();
        std::fs::write(log, "").unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_moved_away_and_back_costs_only_the_time_between() {
    let node = TestNode::start_embedded().await;
    let payment = node.authorize(1_000).await;
    let path = |name: &str| node.data_dir().join(name);
    std::fs::rename(path("shard-1.db"), path("aside")).unwrap();
    assert_eq!(node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await.status, 503);
    node.authorize_for("MERCHANT-2", 1_000).await;
    std::fs::rename(path("aside"), path("shard-1.db")).unwrap();
    eventually("shard 1 is back", async || {
        (node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await.status == 200).then_some(())
    })
    .await;

    // Events wait as long as their log is away, and none is taken for told.
    std::fs::rename(path("events.db"), path("aside")).unwrap();
    node.capture(&payment, json!({})).await.expect(200);
    eventually("publishing is down", async || {
        node.get("/readyz").await.text.contains("the event log is lost").then_some(())
    })
    .await;
    std::fs::rename(path("aside"), path("events.db")).unwrap();

    std::fs::rename(path("psp.db"), path("aside")).unwrap();
    down_because(&node, "the books of the PSP simulator are lost").await;
    let refused = node.post("/payments/authorize", &order("MERCHANT-2", 1_000)).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    std::fs::rename(path("aside"), path("psp.db")).unwrap();
    node.ledger(&payment, 1).await;
    eventually("the PSP is back", async || {
        let ready = node.get("/readyz").await.text;
        (!ready.contains("are lost")).then_some(())
    })
    .await;
    node.audit().await;
}

#[tokio::test]
async fn a_second_process_is_refused_though_the_lock_file_was_deleted() {
    let node = TestNode::start_embedded().await;
    std::fs::remove_file(node.data_dir().join("lock")).unwrap();
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("shard-1.db is in use by another rialto"), "{said}");
    node.authorize(1_000).await;
    node.audit().await;
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn files_are_the_accounts_own_also_those_of_a_version_before() {
    let mut node = TestNode::start_embedded().await;
    let files = |dir: &Path| -> Vec<_> { dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect() };
    node.authorize(1_000).await;
    for round in ["made", "made tighter"] {
        let found = files(node.data_dir());
        assert!(found.len() >= 9, "{found:?}");
        found.iter().for_each(|path| assert_eq!(mode(path), 0o600, "{round}: {}", path.display()));
        node.kill().await;
        for path in files(node.data_dir()) {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        }
        std::fs::remove_file(node.data_dir().join("lock")).unwrap();
        node.restart().await;
        node.authorize(1_000).await;
    }

    let parent = tempfile::tempdir().unwrap();
    let data_dir = parent.path().join("new").join("data");
    let (mut process, _) = crate::node::greeted(node.serve_command(&data_dir, &[], &[]), "rialto: serving on ").await;
    assert_eq!((mode(&data_dir), mode(&parent.path().join("new"))), (0o700, 0o700));
    process.kill().await.unwrap();
}
