//! A node works only with data that belong together: files that were mixed up are refused, and told apart.

use std::path::Path;

use sea_orm::ConnectionTrait;

use crate::node::{Payment, TestNode};

/// Undoes what this version writes about what a database is, as a version before leaves it.
pub const OLD_STATE: [&str; 2] =
    ["DROP TABLE shard_identity", "DELETE FROM seaql_migrations WHERE version = 'm20261128_000007_shard_identity'"];

/// A node that has stopped, with a payment on each shard.
async fn stopped() -> (TestNode, [Payment; 2]) {
    let mut shop = TestNode::start_embedded().await;
    let payments = [shop.authorize_for("MERCHANT-1", 1_000).await, shop.authorize_for("MERCHANT-2", 1_000).await];
    assert!(shop.terminate().await.success());
    (shop, payments)
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
async fn audit_refuses(shop: &TestNode) -> String {
    let output = shop.command("audit", &[]).await;
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

async fn there(shop: &TestNode, payments: &[Payment]) {
    for payment in payments {
        assert_eq!(shop.look_up(payment).await["status"], "AUTHORIZED");
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
    let (mut shop, payments) = stopped().await;
    swap(shop.data_dir(), "shard-1.db", "shard-2.db");
    for said in [shop.refused(&["--new-shard"], &[]).await, audit_refuses(&shop).await] {
        assert!(said.contains("given for shard 1 is that of shard 2 of 2"), "{said}");
    }
    swap(shop.data_dir(), "shard-1.db", "shard-2.db");
    shop.restart().await;
    there(&shop, &payments).await;
    shop.audit().await;
}

#[tokio::test]
async fn a_shard_of_another_system_is_refused() {
    let ((shop, _), (other, _)) = (stopped().await, stopped().await);
    copy(other.data_dir(), shop.data_dir(), "shard-2.db");
    for said in [shop.refused(&["--new-shard"], &[]).await, audit_refuses(&shop).await] {
        assert!(said.contains("given for shard 2 is that of shard 2 of 2 of system"), "{said}");
    }
}

#[tokio::test]
async fn a_shard_that_is_missing_is_made_only_if_told() {
    for missing in ["shard-1.db", "shard-2.db"] {
        let (mut shop, [one, two]) = stopped().await;
        let path = shop.data_dir().join(missing);
        remove(shop.data_dir(), missing);
        let said = shop.refused(&[], &[]).await;
        assert!(said.contains("is empty") && said.contains("--new-shard"), "{said}");
        assert!(!path.exists(), "nothing was made in its place");
        std::fs::write(&path, "").unwrap();
        assert!(shop.refused(&[], &[]).await.contains("--new-shard"), "an empty file");
        shop.restart_with(&["--new-shard"], &[]).await;
        there(&shop, &[if missing == "shard-1.db" { two } else { one }]).await;
        assert!(shop.terminate().await.success());
        shop.restart().await;
    }
}

#[tokio::test]
async fn an_event_log_or_books_of_another_system_are_refused() {
    for (name, what, option) in [("events.db", "event log", "--new-event-log"), ("psp.db", "PSP", "--new-psp")] {
        let ((mut shop, payments), (other, _)) = (stopped().await, stopped().await);
        let (path, kept) = (shop.data_dir().join(name), tempfile::tempdir().unwrap());
        std::fs::write(kept.path().join(name), "").unwrap();
        copy(shop.data_dir(), kept.path(), name);
        copy(other.data_dir(), shop.data_dir(), name);
        for said in [shop.refused(&["--new-shard"], &[]).await, audit_refuses(&shop).await] {
            assert!(said.contains(&format!("the {what} is file ")) && said.contains(option), "{said}");
        }
        remove(shop.data_dir(), name);
        let said = shop.refused(&[], &[]).await;
        assert!(said.contains(&format!("the {what} is a new one")) && said.contains(option), "{said}");
        assert!(!path.exists(), "nothing was made in its place");
        std::fs::write(&path, "").unwrap();
        copy(kept.path(), shop.data_dir(), name);
        shop.restart().await;
        there(&shop, &payments).await;
        assert!(shop.terminate().await.success());
        remove(shop.data_dir(), name);
        shop.restart_with(&[option], &[]).await;
        assert!(shop.terminate().await.success());
        shop.restart().await;
        there(&shop, &payments).await;
    }
}

#[tokio::test]
async fn shards_that_were_lost_are_not_made_anew_beside_their_event_log() {
    let (shop, _) = stopped().await;
    for name in ["shard-1.db", "shard-2.db"] {
        remove(shop.data_dir(), name);
    }
    let said = shop.refused(&[], &[]).await;
    assert!(said.contains("the event log") && said.contains("the shards are empty"), "{said}");
    assert!(!shop.data_dir().join("shard-1.db").exists());
}

#[tokio::test]
async fn data_of_the_version_before_are_taken_over() {
    let (mut shop, payments) = stopped().await;
    make_old(shop.data_dir()).await;
    shop.restart().await;
    there(&shop, &payments).await;
    shop.audit().await;
    assert!(shop.terminate().await.success());
    swap(shop.data_dir(), "shard-1.db", "shard-2.db");
    let said = shop.refused(&[], &[]).await;
    assert!(said.contains("given for shard 1 is that of shard 2 of 2"), "{said}");
}

#[tokio::test]
async fn data_of_the_version_before_are_not_taken_over_in_another_order() {
    let (mut shop, [one, two]) = stopped().await;
    make_old(shop.data_dir()).await;
    swap(shop.data_dir(), "shard-1.db", "shard-2.db");
    let said = shop.refused(&[], &[]).await;
    assert!(said.contains(&format!("given for shard 1 holds {}, which belongs to shard 2", two.id)), "{said}");
    swap(shop.data_dir(), "shard-1.db", "shard-2.db");
    remove(shop.data_dir(), "psp.db");
    let said = shop.refused(&[], &[]).await;
    assert!(said.contains("the PSP (a new one) is empty") && said.contains("--new-psp"), "{said}");
    shop.restart_with(&["--new-psp"], &[]).await;
    there(&shop, &[one, two]).await;
}
