//! A node works only with data that belong together: files that were mixed up are refused, and told apart.

use std::path::Path;

use sea_orm::ConnectionTrait;

use crate::node::{Payment, TestNode};

/// Undoes what this version writes about what a database is, as a version before leaves it.
pub const OLD_STATE: [&str; 2] =
    ["DROP TABLE shard_identity", "DELETE FROM seaql_migrations WHERE version = 'm20261128_000007_shard_identity'"];

/// A node that has stopped, with a payment on each shard.
async fn stopped() -> (TestNode, [Payment; 2]) {
    let mut node = TestNode::start_embedded().await;
    let payments = [node.authorize_for("MERCHANT-1", 1_000).await, node.authorize_for("MERCHANT-2", 1_000).await];
    assert!(node.terminate().await.success());
    (node, payments)
}

/// What belongs to a database; the last two are there only if nobody has closed it.
pub const PARTS: [&str; 3] = ["", "-wal", "-shm"];

pub fn remove(dir: &Path, name: &str) {
    for part in PARTS {
        let removed = std::fs::remove_file(dir.join(format!("{name}{part}")));
        assert!(removed.is_ok() || !part.is_empty());
    }
}

/// Copies a database that nobody has open over one that nobody has open.
fn copy(from: &Path, to: &Path, name: &str) {
    remove(to, name);
    for part in PARTS {
        let copied = std::fs::copy(from.join(format!("{name}{part}")), to.join(format!("{name}{part}")));
        assert!(copied.is_ok() || !part.is_empty());
    }
}

fn swap(dir: &Path, one: &str, other: &str) {
    for part in PARTS {
        let [one, other, aside] = [one, other, "aside"].map(|name| dir.join(format!("{name}{part}")));
        for (from, to) in [(&one, &aside), (&other, &one), (&aside, &other)] {
            let moved = std::fs::rename(from, to);
            assert!(moved.is_ok() || !part.is_empty());
        }
    }
}

/// What `rialto audit` refuses with.
async fn audit_refuses(node: &TestNode) -> String {
    let output = node.command("audit", &[]).await;
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

async fn there(node: &TestNode, payments: &[Payment]) {
    for payment in payments {
        assert_eq!(node.look_up(payment).await["status"], "AUTHORIZED");
    }
}

/// Leaves the directory as the version before left one.
async fn make_old(dir: &Path) {
    for name in ["shard-1.db", "shard-2.db"] {
        let shard = rialto::infra::sqlite::open_writer(&dir.join(name)).await.unwrap();
        for statement in OLD_STATE {
            shard.execute_unprepared(statement).await.unwrap();
        }
        shard.close().await.unwrap();
    }
    // It kept no control store either.
    remove(dir, "control.db");
    for name in ["events.db", "psp.db"] {
        let file = rialto::infra::sqlite::open_writer(&dir.join(name)).await.unwrap();
        file.execute_unprepared("DROP TABLE identity").await.unwrap();
        file.close().await.unwrap();
    }
}

#[tokio::test]
async fn shards_that_were_swapped_are_refused() {
    let (mut node, payments) = stopped().await;
    swap(node.data_dir(), "shard-1.db", "shard-2.db");
    for said in [node.refused(&["--new-shard"], &[]).await, audit_refuses(&node).await] {
        assert!(said.contains("given for shard 1 is that of shard 2 of 2"), "{said}");
    }
    swap(node.data_dir(), "shard-1.db", "shard-2.db");
    node.restart().await;
    there(&node, &payments).await;
    node.audit().await;
}

#[tokio::test]
async fn a_shard_of_another_system_is_refused() {
    let ((node, _), (other, _)) = (stopped().await, stopped().await);
    copy(other.data_dir(), node.data_dir(), "shard-2.db");
    for said in [node.refused(&["--new-shard"], &[]).await, audit_refuses(&node).await] {
        assert!(said.contains("given for shard 2 is that of shard 2 of 2 of system"), "{said}");
    }
}

#[tokio::test]
async fn a_shard_that_is_missing_is_made_only_if_told() {
    for missing in ["shard-1.db", "shard-2.db"] {
        let (mut node, [one, two]) = stopped().await;
        let path = node.data_dir().join(missing);
        remove(node.data_dir(), missing);
        let said = node.refused(&[], &[]).await;
        assert!(said.contains("is empty") && said.contains("--new-shard"), "{said}");
        assert!(!path.exists(), "nothing was made in its place");
        std::fs::write(&path, "").unwrap();
        assert!(node.refused(&[], &[]).await.contains("--new-shard"), "an empty file");
        node.restart_with(&["--new-shard"], &[]).await;
        there(&node, &[if missing == "shard-1.db" { two } else { one }]).await;
        assert!(node.terminate().await.success());
        node.restart().await;
    }
}

#[tokio::test]
async fn an_event_log_or_books_of_another_system_are_refused() {
    for (name, what, option) in [("events.db", "event log", "--new-event-log"), ("psp.db", "PSP", "--new-psp")] {
        let ((mut node, payments), (other, _)) = (stopped().await, stopped().await);
        let (path, kept) = (node.data_dir().join(name), tempfile::tempdir().unwrap());
        std::fs::write(kept.path().join(name), "").unwrap();
        copy(node.data_dir(), kept.path(), name);
        copy(other.data_dir(), node.data_dir(), name);
        for said in [node.refused(&["--new-shard"], &[]).await, audit_refuses(&node).await] {
            assert!(said.contains(&format!("the {what} is file ")) && said.contains(option), "{said}");
        }
        remove(node.data_dir(), name);
        let said = node.refused(&[], &[]).await;
        assert!(said.contains(&format!("the {what} is a new one")) && said.contains(option), "{said}");
        assert!(!path.exists(), "nothing was made in its place");
        std::fs::write(&path, "").unwrap();
        copy(kept.path(), node.data_dir(), name);
        node.restart().await;
        there(&node, &payments).await;
        assert!(node.terminate().await.success());
        remove(node.data_dir(), name);
        node.restart_with(&[option], &[]).await;
        assert!(node.terminate().await.success());
        node.restart().await;
        there(&node, &payments).await;
    }
}

#[tokio::test]
async fn shards_that_were_lost_are_not_made_anew_beside_their_event_log() {
    let (node, _) = stopped().await;
    for name in ["shard-1.db", "shard-2.db"] {
        remove(node.data_dir(), name);
    }
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("the event log") && said.contains("the shards are empty"), "{said}");
    assert!(!node.data_dir().join("shard-1.db").exists());
}

#[tokio::test]
async fn data_of_the_version_before_are_taken_over() {
    let (mut node, payments) = stopped().await;
    make_old(node.data_dir()).await;
    node.restart().await;
    there(&node, &payments).await;
    node.audit().await;
    assert!(node.terminate().await.success());
    swap(node.data_dir(), "shard-1.db", "shard-2.db");
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("given for shard 1 is that of shard 2 of 2"), "{said}");
}

#[tokio::test]
async fn data_of_the_version_before_are_not_taken_over_in_another_order() {
    let (mut node, [one, two]) = stopped().await;
    make_old(node.data_dir()).await;
    swap(node.data_dir(), "shard-1.db", "shard-2.db");
    let said = node.refused(&[], &[]).await;
    assert!(said.contains(&format!("given for shard 1 holds {}, which belongs to shard 2", two.id)), "{said}");
    swap(node.data_dir(), "shard-1.db", "shard-2.db");
    remove(node.data_dir(), "psp.db");
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("the PSP (a new one) is empty") && said.contains("--new-psp"), "{said}");
    node.restart_with(&["--new-psp"], &[]).await;
    there(&node, &[one, two]).await;
}
