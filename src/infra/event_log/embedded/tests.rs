use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::infra::event_log::GroupProgress;
use crate::infra::faulty_disk::{DiskFault, FaultyDisk};

const CAPTURED: &str = "payment.captured";
const DEAD: &str = "payment.dlq";
const TOPICS: &[(&str, u32)] = &[(CAPTURED, 6), (DEAD, 3)];

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("events.db")
    }

    async fn open(&self) -> EmbeddedLog {
        EmbeddedLog::open(&self.file(), TOPICS).await.unwrap()
    }
}

fn record(key: usize, id: usize) -> Record {
    Record {
        topic: CAPTURED,
        key: format!("pay_{key}"),
        id: format!("evt_{id}"),
        kind: CAPTURED.into(),
        source: "/rialto/shard-1".into(),
        time_ms: 1_795_426_200_000 + id as i64,
        subject: format!("pay_{key}"),
        traceparent: id.is_multiple_of(2).then(|| "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        payload: format!(r#"{{"amount":{id}}}"#),
    }
}

async fn all(log: &EmbeddedLog, topic: &str) -> Vec<Delivery> {
    let mut found = Vec::new();
    for partition in 0..log.reader.partitions(topic).unwrap() {
        loop {
            let from = found.iter().filter(|d: &&Delivery| d.partition == partition).count();
            let page = log.reader.read(topic, partition, from as i64, 7).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
    }
    found
}

fn assert_gapless(deliveries: &[Delivery]) {
    let mut next: HashMap<u32, i64> = HashMap::new();
    for delivery in deliveries {
        let expected = next.entry(delivery.partition).or_default();
        assert_eq!(delivery.offset, *expected);
        *expected += 1;
    }
}

#[tokio::test]
async fn records_are_read_whole_in_order_per_key_without_gaps() {
    let home = Home::new();
    let log = home.open().await;
    let records: Vec<_> = (0..300).map(|id| record(id % 40, id)).collect();
    log.append(records.clone()).await.unwrap();
    let found = all(&log, CAPTURED).await;
    assert_gapless(&found);
    for key in 0..40 {
        let of_key = |records: &mut dyn Iterator<Item = &Record>| -> Vec<Record> {
            records.filter(|record| record.key == format!("pay_{key}")).cloned().collect()
        };
        assert_eq!(of_key(&mut found.iter().map(|d| &d.record)), of_key(&mut records.iter()));
    }
    assert!(found.iter().map(|d| d.partition).collect::<std::collections::HashSet<_>>().len() == 6);
    assert!(all(&log, DEAD).await.is_empty());
}

#[tokio::test]
async fn repeated_record_is_kept_once() {
    let home = Home::new();
    let log = home.open().await;
    log.append(vec![record(1, 1), record(1, 2), record(1, 1)]).await.unwrap();
    log.append(vec![record(1, 2), record(1, 3)]).await.unwrap();
    let log = home.open().await;
    log.append(vec![record(1, 3), record(1, 1), record(1, 4)]).await.unwrap();
    let found = all(&log, CAPTURED).await;
    assert_gapless(&found);
    let ids: Vec<_> = found.iter().map(|d| d.record.id.as_str()).collect();
    assert_eq!(ids, ["evt_1", "evt_2", "evt_3", "evt_4"]);
}

#[tokio::test]
async fn a_group_resumes_where_it_committed_even_after_a_kill() {
    let home = Home::new();
    let log = home.open().await;
    log.append((0..10).map(|id| record(1, id)).collect()).await.unwrap();
    let partition = all(&log, CAPTURED).await[0].partition;
    let mut consumer = log.consumer("ledger", CAPTURED, partition).await.unwrap();
    assert_eq!(consumer.fetch(4).await.unwrap().len(), 4);
    consumer.commit(3).await.unwrap();
    assert_eq!(consumer.fetch(4).await.unwrap()[0].offset, 4, "committing does not move the place");
    drop(consumer);
    // The log is opened again while the first one is still there, unclosed: only what is in the file counts.
    let again = home.open().await;
    let mut consumer = again.consumer("ledger", CAPTURED, partition).await.unwrap();
    assert_eq!(consumer.fetch(1).await.unwrap()[0].offset, 3);
    let mut other = again.consumer("webhooks", CAPTURED, partition).await.unwrap();
    assert_eq!(other.fetch(100).await.unwrap().len(), 10);
    assert!(other.fetch(100).await.unwrap().is_empty());
    let progress = again.reader.progress("ledger", CAPTURED).await.unwrap();
    assert_eq!(progress.len(), 6);
    assert_eq!(progress[partition as usize], GroupProgress { partition, committed: 3, end: 10 });
    assert_eq!(progress.iter().map(GroupProgress::lag).sum::<i64>(), 7);
}

#[tokio::test]
async fn seeking_delivers_again_and_outlives_the_consumer() {
    let home = Home::new();
    let log = home.open().await;
    log.append((0..10).map(|id| record(1, id)).collect()).await.unwrap();
    let partition = all(&log, CAPTURED).await[0].partition;
    let mut consumer = log.consumer("ledger", CAPTURED, partition).await.unwrap();
    consumer.fetch(10).await.unwrap();
    consumer.commit(10).await.unwrap();
    consumer.seek(6).await.unwrap();
    assert_eq!(consumer.fetch(10).await.unwrap().len(), 4);
    let mut consumer = log.consumer("ledger", CAPTURED, partition).await.unwrap();
    assert_eq!(consumer.fetch(10).await.unwrap()[0].offset, 6);
    for offset in [-1, 11] {
        assert_eq!(consumer.seek(offset).await, Err(EventLogError::OffsetOutOfRange { offset, end: 10 }));
    }
}

#[tokio::test]
async fn a_nudge_finds_the_records_there() {
    let home = Home::new();
    let log = home.open().await;
    let (told, heard) = std::sync::mpsc::channel();
    let nudged = Arc::new(AtomicUsize::new(0));
    for partition in 0..6 {
        let (told, nudged) = (Mutex::new(told.clone()), nudged.clone());
        let nudge = move || {
            nudged.fetch_add(1, Ordering::Relaxed);
            told.lock().unwrap().send(partition).unwrap();
        };
        log.on_append(CAPTURED, partition, Arc::new(nudge)).unwrap();
    }
    log.append(vec![record(1, 1), record(1, 2)]).await.unwrap();
    let partition = heard.try_recv().unwrap();
    assert_eq!(log.reader.read(CAPTURED, partition, 0, 10).await.unwrap().len(), 2);
    log.append(vec![record(1, 1)]).await.unwrap();
    assert_eq!(nudged.load(Ordering::Relaxed), 1, "one append, one nudge; nothing new, none");
}

#[tokio::test]
async fn concurrent_appends_lose_nothing() {
    let home = Home::new();
    let log = Arc::new(home.open().await);
    let appends = (0..64).map(|key| {
        let log = log.clone();
        tokio::spawn(async move {
            for id in 0..10 {
                log.append(vec![record(key, key * 10 + id)]).await.unwrap();
            }
        })
    });
    for append in futures_util::future::join_all(appends).await {
        append.unwrap();
    }
    let found = all(&log, CAPTURED).await;
    assert_eq!(found.len(), 640);
    assert_gapless(&found);
    for key in 0..64 {
        let of_key = found.iter().filter(|d| d.record.key == format!("pay_{key}"));
        assert!(of_key.map(|d| d.record.time_ms).is_sorted());
    }
}

#[tokio::test]
async fn pruning_keeps_what_a_group_has_not_committed() {
    let home = Home::new();
    let log = home.open().await;
    log.append((0..10).map(|id| record(1, id)).collect()).await.unwrap();
    let partition = all(&log, CAPTURED).await[0].partition;
    let ledger = log.consumer("ledger", CAPTURED, partition).await.unwrap();
    let old = record(1, 8).time_ms;
    assert_eq!(log.prune(old).await, Ok(0), "the group has joined and committed nothing");
    ledger.commit(5).await.unwrap();
    assert_eq!(log.prune(old).await, Ok(5));
    ledger.commit(10).await.unwrap();
    assert_eq!(log.prune(old).await, Ok(3));
    let left = log.reader.read(CAPTURED, partition, 0, 10).await.unwrap();
    assert_eq!(left.iter().map(|d| d.offset).collect::<Vec<_>>(), [8, 9]);
    assert_eq!(log.prune(i64::MAX).await, Ok(2));
    log.append(vec![record(1, 20)]).await.unwrap();
    assert_eq!(log.reader.read(CAPTURED, partition, 0, 1).await.unwrap()[0].offset, 10, "offsets are never used again");
}

#[tokio::test]
async fn unknown_topics_and_changed_partition_counts_are_refused() {
    let home = Home::new();
    let log = home.open().await;
    let unknown = Record { topic: "payment.lost", ..record(1, 1) };
    let refused = log.append(vec![record(1, 2), unknown]).await;
    assert_eq!(refused, Err(EventLogError::UnknownTopic("payment.lost".into())));
    assert!(all(&log, CAPTURED).await.is_empty(), "all or nothing");
    let outside = log.consumer("ledger", CAPTURED, 6).await.err();
    assert_eq!(outside, Some(EventLogError::UnknownPartition { topic: CAPTURED.into(), partition: 6 }));
    let changed = EmbeddedLog::open(&home.file(), &[(CAPTURED, 7)]).await.err();
    assert!(matches!(changed, Some(OpenLogError::PartitionsChanged { found: 6, wanted: 7, .. })));
    let grown = EmbeddedLog::open(&home.file(), &[(CAPTURED, 6), ("payment.voided", 2)]).await.unwrap();
    assert_eq!(grown.reader.partitions("payment.voided"), Ok(2));
}

#[tokio::test]
async fn a_reader_needs_no_writer() {
    let home = Home::new();
    home.open().await.append(vec![record(1, 1)]).await.unwrap();
    let reader = Reader::open(&home.file(), &[CAPTURED, "payment.lost"]).await.unwrap();
    let ends: i64 = reader.progress("audit", CAPTURED).await.unwrap().iter().map(|progress| progress.end).sum();
    assert_eq!((ends, reader.partitions("payment.lost")), (1, Ok(0)));
}

#[tokio::test]
async fn full_disk_loses_no_appended_record_and_blocks_no_later_append() {
    let home = Home::new();
    let disk = FaultyDisk::new(home.file().parent().unwrap());
    let log = home.open().await;
    log.append(vec![record(1, 1)]).await.unwrap();
    for (fault, first) in [(DiskFault::Full, 2), (DiskFault::SyncFails, 4)] {
        disk.fail(fault);
        for id in [first, first + 1, first] {
            assert!(matches!(log.append(vec![record(1, id)]).await, Err(EventLogError::Unavailable(_))));
        }
        disk.heal();
        log.append(vec![record(1, first), record(1, first + 1)]).await.unwrap();
    }
    let found = all(&log, CAPTURED).await;
    assert_gapless(&found);
    let ids: Vec<_> = found.iter().map(|d| d.record.id.as_str()).collect();
    assert_eq!(ids, ["evt_1", "evt_2", "evt_3", "evt_4", "evt_5"]);
}
