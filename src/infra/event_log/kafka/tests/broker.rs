//! On a real broker.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::*;
use crate::infra::testing::server;

/// Held shared by tests that need the broker to answer, and exclusively by a test that stops it.
static BROKER: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());

/// A prefix of its own for each test, on the test broker; `None` if there is no such broker.
fn broker() -> Option<Settings> {
    let brokers = server("kafka")?;
    let topic_prefix = format!("test-{:x}.", RandomState::new().hash_one("prefix"));
    Some(Settings { topic_prefix, ..Settings::new(brokers) })
}

#[tokio::test]
async fn topics_are_created_once_and_keep_their_partitions() {
    let Some(settings) = broker() else { return };
    let _beside = BROKER.read().await;
    let topics: Vec<_> = event::topics().collect();
    let nothing = KafkaLog::look(&settings, &topics).await.unwrap();
    assert_eq!((nothing.is_used, nothing.holds_data), (false, false));
    let log = KafkaLog::open(settings.clone(), &topics).await.unwrap();
    log.append((0..20).map(|id| record(id, id)).collect()).await.unwrap();
    let again = KafkaLog::open(settings.clone(), &topics).await.unwrap();
    assert_eq!(all(&again, REQUESTED).await.len(), 20);
    let found = KafkaLog::look(&settings, &topics).await.unwrap();
    assert_eq!(found, FoundCompanion { is_used: true, holds_data: true, ..nothing });
    let admin: AdminClient<DefaultClientContext> = settings.client().create().unwrap();
    let wire_name = settings.wire_name(REQUESTED);
    let topic = ResourceSpecifier::Topic(&wire_name);
    let described = admin.describe_configs([&topic], &AdminOptions::new()).await.unwrap();
    let retention = described[0].as_ref().unwrap().get("retention.ms").unwrap().value.clone();
    assert_eq!(retention.as_deref(), Some("-1"), "nothing is forgotten");
    let changed = KafkaLog::open(settings, &[("payment.dlq", 6)]).await.err();
    assert!(matches!(changed, Some(OpenError::PartitionsChanged { found: 3, wanted: 6, .. })), "{changed:?}");
}

#[tokio::test]
async fn opening_waits_for_brokers_that_have_not_registered() {
    let Some(settings) = broker() else { return };
    let _beside = BROKER.read().await;
    let open_timeout = Duration::from_secs(1);
    let settings = Settings { replication_factor: 3, open_timeout, ..settings };
    let refused = KafkaLog::open(settings, TOPICS).await.err();
    let Some(OpenError::NotReady { waited, reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(waited >= open_timeout && reason.contains("replication factor"), "{waited:?}: {reason}");
}

/// One process of the system: a reader for every partition, and the records that they were given.
struct Process {
    log: KafkaLog,
    consumers: Vec<Box<dyn Consumer>>,
}

impl Process {
    async fn start(settings: &Settings) -> Self {
        let log = KafkaLog::open(settings.clone(), TOPICS).await.unwrap();
        let mut consumers = Vec::new();
        for partition in 0..6 {
            consumers.push(log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap());
        }
        Self { log, consumers }
    }

    /// Works on what is there, and commits it.
    async fn work(&mut self, seen: &mut Vec<Delivery>) -> BTreeSet<u32> {
        let mut from = BTreeSet::new();
        for consumer in &mut self.consumers {
            let fetched = match consumer.fetch(100).await {
                Err(EventLogError::Reassigned) => continue,
                fetched => fetched.unwrap(),
            };
            if let Some(last) = fetched.last() {
                from.insert(last.partition);
                consumer.commit(last.offset + 1).await.unwrap();
            }
            seen.extend(fetched);
        }
        from
    }
}

#[tokio::test]
async fn a_group_shares_its_partitions_and_loses_nothing() {
    let Some(settings) = broker() else { return };
    let _beside = BROKER.read().await;
    // So long that only a member that leaves properly can be gone in time.
    let settings = Settings { session_timeout: Duration::from_secs(15), ..settings };
    let (mut seen, mut given) = (Vec::new(), 0..);
    let mut one = Process::start(&settings).await;
    let publisher = KafkaLog::open(settings.clone(), TOPICS).await.unwrap();
    let mut publish = async || {
        let records = (0..30).map(|key| record(key, given.next().unwrap())).collect();
        publisher.append(records).await.unwrap();
    };

    eventually("all partitions for one", async || {
        publish().await;
        (one.work(&mut seen).await.len() == 6).then_some(())
    })
    .await;

    let mut two = Process::start(&settings).await;
    let of_two = eventually("half of the partitions for each", async || {
        publish().await;
        let (of_one, of_two) = (one.work(&mut seen).await, two.work(&mut seen).await);
        (of_one.len() == 3 && of_two.len() == 3 && of_one.is_disjoint(&of_two)).then_some(of_two)
    })
    .await;

    // The first process is late with a commit of what is the second one's now.
    let lost = *of_two.first().unwrap();
    let before = two.log.reader.progress(SETTLEMENT, REQUESTED).await.unwrap();
    assert!(before[lost as usize].committed > 1);
    one.consumers[lost as usize].commit(1).await.unwrap();
    assert_eq!(two.log.reader.progress(SETTLEMENT, REQUESTED).await.unwrap()[lost as usize], before[lost as usize]);

    let left_at = Instant::now();
    tokio::task::spawn_blocking(move || drop(two)).await.unwrap();
    eventually("all partitions for the one that stays", async || {
        publish().await;
        (one.work(&mut seen).await.len() == 6).then_some(())
    })
    .await;
    assert!(left_at.elapsed() < settings.session_timeout, "{:?}", left_at.elapsed());

    eventually("nothing left over", async || {
        one.work(&mut seen).await;
        let progress = publisher.reader.progress(SETTLEMENT, REQUESTED).await.unwrap();
        progress.iter().all(|place| place.lag() == 0).then_some(())
    })
    .await;
    let count = given.next().unwrap();
    let arrived = first_arrivals(&seen);
    for key in 0..30 {
        let ids = (key..count).step_by(30).map(|id| format!("evt_{id}"));
        assert_eq!(arrived[format!("pay_{key}").as_str()], ids.collect::<Vec<_>>());
    }
}

/// A broker that hangs until this is dropped.
struct Stopped(String);

impl Stopped {
    fn new(pid: String) -> Self {
        signal("-STOP", &pid);
        // Threads stop one by one, and one that still runs may answer.
        while !is_stopped(&pid) {
            std::thread::yield_now();
        }
        Self(pid)
    }
}

/// Whether each of its threads is stopped.
fn is_stopped(pid: &str) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let states = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default());
    states.into_iter().all(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')))
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

#[tokio::test]
async fn hanging_broker_loses_no_record_and_keeps_the_order() {
    let Some(settings) = broker() else { return };
    let _alone = BROKER.write().await;
    let dir = std::env::var("RIALTO_TEST_SERVERS").unwrap();
    let pid = std::fs::read_to_string(format!("{dir}/kafka.pid")).unwrap().trim().to_owned();
    let log = Arc::new(KafkaLog::open(settings.clone(), TOPICS).await.unwrap());
    let impatient = Settings { append_timeout: Duration::from_secs(1), ..settings.clone() };
    let publisher = Arc::new(KafkaLog::open(impatient, TOPICS).await.unwrap());
    let (appended, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // Two shards append concurrently, each its own payments, and repeat failed appends until told to end.
    let is_over = Arc::new(AtomicBool::new(false));
    let shards = [0, 1].map(|shard| {
        let (publisher, appended, failed) = (publisher.clone(), appended.clone(), failed.clone());
        let is_over = is_over.clone();
        tokio::spawn(async move {
            let mut next = 0;
            while !is_over.load(Ordering::Relaxed) {
                let records: Vec<_> = (next..next + 20).map(|n| record(2 * (n % 7) + shard, 2 * n + shard)).collect();
                while publisher.append(records.clone()).await.is_err() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                next += 20;
                appended.fetch_add(1, Ordering::Relaxed);
            }
            next
        })
    });
    let reached = async |counter: &AtomicUsize, more: usize| {
        let goal = counter.load(Ordering::Relaxed) + more;
        eventually("appends", async || (counter.load(Ordering::Relaxed) >= goal).then_some(())).await;
    };
    let partition = partition_of("pay_0", 6);
    let mut reader = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    for _ in 0..2 {
        reached(&appended, 50).await;
        next(&mut reader, 1).await;
        let stopped = Stopped::new(pid.clone());
        let begun_at = Instant::now();
        let commit = reader.commit(1).await;
        assert!(matches!(commit, Err(EventLogError::Unavailable(_))), "{commit:?}");
        reader = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
        assert!(begun_at.elapsed() < 2 * settings.request_timeout, "{:?}", begun_at.elapsed());
        reached(&failed, 5).await;
        drop(stopped);
    }
    eventually("a commit", async || {
        let fetched = reader.fetch(100).await.ok()?;
        reader.commit(fetched.last()?.offset + 1).await.ok()?;
        let progress = log.reader.progress(SETTLEMENT, REQUESTED).await.unwrap();
        (progress[partition as usize].committed > fetched[0].offset).then_some(())
    })
    .await;
    reached(&appended, 50).await;
    is_over.store(true, Ordering::Relaxed);
    let counts = futures_util::future::join_all(shards).await;
    let found = all(&log, REQUESTED).await;
    let arrived = first_arrivals(&found);
    for (shard, count) in counts.into_iter().map(Result::unwrap).enumerate() {
        for key in 0..7 {
            let given = (key..count).step_by(7).map(|n| format!("evt_{}", 2 * n + shard));
            assert_eq!(arrived[format!("pay_{}", 2 * key + shard).as_str()], given.collect::<Vec<_>>());
        }
    }
}

/// Has a topic take no record larger than this, headers included.
async fn limit(settings: &Settings, topic: &str, max_message_bytes: &str) {
    let admin: AdminClient<DefaultClientContext> = settings.client().create().unwrap();
    let wire_name = settings.wire_name(topic);
    let limited = AlterConfig::new(ResourceSpecifier::Topic(&wire_name)).set("max.message.bytes", max_message_bytes);
    admin.alter_configs([&limited], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

#[tokio::test]
async fn topic_that_refuses_records_delays_no_other_topic_or_key() {
    let Some(settings) = broker() else { return };
    let _beside = BROKER.read().await;
    let log = KafkaLog::open(settings.clone(), TOPICS).await.unwrap();
    let voided = |key, id| Record { topic: VOIDED, ..record(key, id) };
    // So that no compression makes it small.
    let digits: String = (0..400).map(|n| format!("{:016x}", RandomState::new().hash_one(n))).collect();
    let large = |key, id| Record { payload: format!(r#"{{"text":"{digits}"}}"#), ..record(key, id) };
    limit(&settings, REQUESTED, "1000").await;
    // One batch: of key 1 the second is too large, and the third comes behind it; those of key 2 are taken.
    let given = vec![voided(1, 0), record(2, 1), large(1, 2), voided(2, 3), record(1, 4), record(3, 5), voided(1, 6)];
    // Kafka may apply the limit after a moment.
    let appended = eventually("a refusal", async || {
        let appended = log.append(given.clone()).await.unwrap();
        (!appended.refused.is_empty()).then_some(appended)
    })
    .await;
    assert_eq!(appended.refused.keys().collect::<Vec<_>>(), [&2], "{appended:?}");
    assert!(appended.refused[&2].to_lowercase().contains("size"), "{appended:?}");
    assert!(appended.held_back.contains(&4), "{appended:?}");
    assert!([0, 1, 3, 5].iter().all(|place| appended.has(*place)), "{appended:?}");

    // Now that the topic is known, records behind a refused one of their key stay behind in all topics.
    let appended = log.append(vec![large(4, 7), voided(4, 8), voided(5, 9), record(5, 10)]).await.unwrap();
    assert_eq!(appended.refused.keys().collect::<Vec<_>>(), [&0]);
    assert_eq!(appended.held_back.iter().collect::<Vec<_>>(), [&1]);
    let ids = |found: &[Delivery]| found.iter().map(|delivery| delivery.record.id.clone()).collect::<BTreeSet<_>>();
    let in_voided = ids(&all(&log, VOIDED).await);
    assert!(in_voided.contains("evt_9") && !in_voided.contains("evt_8"), "{in_voided:?}");

    limit(&settings, REQUESTED, "1000000").await;
    eventually("the topic is mended", async || {
        let appended = log.append(vec![large(1, 2), record(1, 4), large(4, 7), voided(4, 8)]).await.unwrap();
        (appended == Appended::default()).then_some(())
    })
    .await;
    let found = all(&log, REQUESTED).await;
    assert_eq!(first_arrivals(&found)["pay_1"], ["evt_2", "evt_4"]);
    assert_eq!(first_arrivals(&found)["pay_2"], ["evt_1"]);
}

#[tokio::test]
async fn deleted_topic_delays_no_other_topic() {
    let Some(settings) = broker() else { return };
    let _beside = BROKER.read().await;
    let log = KafkaLog::open(settings.clone(), TOPICS).await.unwrap();
    assert_eq!(log.append(vec![record(1, 0)]).await.unwrap(), Appended::default());
    let admin: AdminClient<DefaultClientContext> = settings.client().create().unwrap();
    admin.delete_topics(&[&settings.wire_name(REQUESTED)], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    let voided = |id| Record { topic: VOIDED, ..record(id, id) };
    let appended = eventually("a refusal", async || {
        let appended = log.append(vec![record(1, 1), voided(2)]).await.ok()?;
        (!appended.refused.is_empty()).then_some(appended)
    })
    .await;
    assert!(appended.refused.contains_key(&0) && appended.has(1), "{appended:?}");
    KafkaLog::open(settings.clone(), TOPICS).await.unwrap();
    eventually("the topic is there again", async || {
        let appended = log.append(vec![record(1, 1)]).await.ok()?;
        (appended == Appended::default()).then_some(())
    })
    .await;
}
