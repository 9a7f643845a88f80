//! What a disk that fails leaves behind: nothing that was not said, and everything that was.

use std::time::Duration;

use super::*;
use crate::infra::faulty_disk::{DiskFault, FaultyDisk};

impl Fixture {
    async fn is_stored(&self, id: i64) -> bool {
        self.db.payment(PaymentId::from_stored(id)).await.unwrap().is_some()
    }

    /// The same file, as a process finds it that is started now.
    async fn reopened(&self) -> ShardDatabase {
        // A copy: what a process that was killed leaves, of which no connection knows.
        let dir = tempfile::tempdir().unwrap().keep();
        for end in ["", "-wal"] {
            let name = format!("shard.db{end}");
            std::fs::copy(self._dir.path().join(&name), dir.join(&name)).unwrap();
        }
        ShardDatabase::open_sqlite(ShardId(1), &dir.join("shard.db"), true).await.unwrap()
    }
}

/// A shard in a file on a disk that can be made to fail.
async fn fixture() -> (FaultyDisk, Fixture) {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(dir.path());
    (disk, Fixture::in_file(dir).await)
}

#[tokio::test]
async fn a_commit_that_failed_is_not_taken_for_one_that_happened() {
    for fault in [DiskFault::Full, DiskFault::SyncFails] {
        let (disk, mut fixture) = fixture().await;
        fixture.authorize(1).await;
        for id in 2..5 {
            disk.fail(fault);
            let before = disk.struck();
            // A sync that fails leaves doubt until something else was written: the look goes on until that succeeds.
            let healing = async {
                while fault == DiskFault::SyncFails && disk.struck() < before + 3 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            let (failed, ()) = tokio::join!(fixture.try_authorize(id), async {
                healing.await;
                if fault == DiskFault::SyncFails {
                    disk.heal();
                }
            });
            assert!(matches!(failed, Err(DatabaseError::Storage(_))), "{failed:?}");
            assert!(fixture.db.health.outage().is_some());
            disk.heal();
            assert!(!fixture.is_stored(id).await);
            // What is said from here on is true, on the disk too.
            assert_eq!(fixture.try_authorize(100 + id).await.unwrap(), KeyOutcome::Fresh(Ok(())));
            assert_eq!(fixture.db.health.outage(), None);
            assert!(fixture.is_stored(100 + id).await);
        }
        let after = fixture.reopened().await;
        for id in 2..5 {
            assert!(after.payment(PaymentId::from_stored(100 + id)).await.unwrap().is_some(), "{fault:?} {id}");
            assert!(after.payment(PaymentId::from_stored(id)).await.unwrap().is_none(), "{fault:?} {id}");
        }
    }
}

#[tokio::test]
async fn a_shard_is_down_until_a_write_has_succeeded() {
    let (disk, mut fixture) = fixture().await;
    disk.fail(DiskFault::Full);
    fixture.try_authorize(1).await.unwrap_err();
    assert_eq!(fixture.db.health.outage(), Some("the disk is full"));
    // What writes nothing succeeds on a full disk, and proves nothing.
    fixture.run(ReadSet::default(), |_| ()).await.unwrap();
    assert!(fixture.db.health.outage().is_some());
    fixture.db.probe().await.unwrap_err();
    assert!(fixture.db.health.outage().is_some());
    disk.heal();
    fixture.db.probe().await.unwrap();
    assert_eq!(fixture.db.health.outage(), None);
}

#[tokio::test]
async fn a_batch_that_is_given_up_takes_its_connection_with_it() {
    let (_disk, mut fixture) = fixture().await;
    fixture.authorize(1).await;
    // As a caller that stops waiting in the middle of a batch leaves it: begun, written, not ended.
    let tx = fixture.db.writer.begin().await.unwrap();
    let spoil = "UPDATE payment SET merchant_id = 'NOBODY'";
    tx.execute_unprepared(spoil).await.unwrap();
    drop(tx);
    assert_eq!(fixture.try_authorize(2).await.unwrap(), KeyOutcome::Fresh(Ok(())));
    let kept = fixture.db.payment(PaymentId::from_stored(1)).await.unwrap().unwrap();
    assert_eq!(kept.merchant_id, "MERCHANT-1");
}

#[tokio::test]
async fn connections_are_there_before_they_are_needed() {
    let (_disk, fixture) = fixture().await;
    let in_use = fixture.db.readers.begin_reading(Duration::from_secs(4)).await.unwrap();
    fixture.db.connect().await;
    let (writer, readers) = (fixture.db.writer.in_use(), fixture.db.readers.in_use());
    assert_eq!((writer.idle, writer.used), (1, 0));
    assert_eq!((readers.idle, readers.used, readers.max), (3, 1, 4), "who uses one is not waited for");
    in_use.rollback().await;
    fixture.db.connect().await;
    assert_eq!(fixture.db.readers.in_use().idle, 4);
}

#[tokio::test]
async fn a_connection_whose_rollback_failed_is_used_by_nobody() {
    let (disk, mut fixture) = fixture().await;
    fixture.authorize(1).await;
    let tx = fixture.db.writer.begin().await.unwrap();
    disk.fail(DiskFault::Full);
    // Ends the transaction behind our back, so that the ROLLBACK to come has nothing to undo and fails.
    tx.execute_unprepared("ROLLBACK").await.unwrap();
    tx.rollback().await;
    disk.heal();
    assert_eq!(fixture.db.writer.in_use().idle, 0, "it is closed");
    assert_eq!(fixture.try_authorize(2).await.unwrap(), KeyOutcome::Fresh(Ok(())));
    assert!(fixture.is_stored(2).await);
}
