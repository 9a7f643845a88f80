//! On librdkafka's mock of a cluster: it knows no creation of topics and is otherwise near enough to Kafka.

use std::sync::atomic::{AtomicUsize, Ordering};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::*;
use crate::infra::event_log::GroupProgress;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for (topic, partitions) in TOPICS {
        cluster.create_topic(topic, i32::try_from(*partitions).unwrap(), 1).unwrap();
    }
    cluster
}

fn settings(cluster: &Cluster) -> Settings {
    Settings { append_timeout: Duration::from_secs(3), ..Settings::new(cluster.bootstrap_servers()) }
}

async fn open(cluster: &Cluster) -> KafkaLog {
    KafkaLog::open(settings(cluster), TOPICS).await.unwrap()
}

#[tokio::test]
async fn records_are_read_whole_and_in_order_per_key() {
    let cluster = cluster();
    let log = open(&cluster).await;
    let records: Vec<_> = (0..300).map(|id| record(id % 40, id)).collect();
    log.append(records.clone()).await.unwrap();
    let found = all(&log, REQUESTED).await;
    assert_eq!(found.len(), 300);
    for key in 0..40 {
        let key = format!("pay_{key}");
        let given: Vec<_> = records.iter().filter(|record| record.key == key).collect();
        let kept: Vec<_> = found.iter().filter(|delivery| delivery.record.key == key).collect();
        assert_eq!(kept.iter().map(|delivery| &delivery.record).collect::<Vec<_>>(), given);
        assert!(kept.iter().all(|delivery| delivery.partition == partition_of(&key, 6)));
    }
    let page = log.reader.read(REQUESTED, found[0].partition, 2, 3).await.unwrap();
    assert_eq!(page.iter().map(|delivery| delivery.offset).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(all(&log, VOIDED).await.is_empty());
}

#[tokio::test]
async fn new_reader_starts_from_the_committed_offset() {
    let cluster = cluster();
    let log = open(&cluster).await;
    log.append((0..10).map(|id| record(1, id)).collect()).await.unwrap();
    let partition = partition_of("pay_1", 6);
    let mut first = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    let found = next(&mut first, 4).await;
    assert_eq!(found.iter().map(|delivery| delivery.offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
    first.commit(3).await.unwrap();
    assert_eq!(next(&mut first, 1).await[0].offset, 4, "committing does not move the place");

    let mut second = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    assert_eq!(next(&mut second, 1).await[0].offset, 3, "in the same process");
    assert_eq!(first.fetch(1).await, Err(EventLogError::Reassigned), "the first one is told");
    second.commit(6).await.unwrap();
    drop(log);

    let again = open(&cluster).await;
    let mut third = again.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    assert_eq!(next(&mut third, 1).await[0].offset, 6, "in the next process");
    let progress = again.reader.progress(SETTLEMENT, REQUESTED).await.unwrap();
    assert_eq!(progress.len(), 6);
    assert_eq!(progress[partition as usize], GroupProgress { partition, committed: 6, end: 10 });
    assert_eq!(progress.iter().map(GroupProgress::lag).sum::<i64>(), 4);
    eventually("the lag", async || {
        (again.lags.of_group(SETTLEMENT).get(&(REQUESTED, partition)) == Some(&4)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn seeking_delivers_again_and_outlives_the_reader() {
    let cluster = cluster();
    let log = open(&cluster).await;
    log.append((0..10).map(|id| record(1, id)).collect()).await.unwrap();
    let partition = partition_of("pay_1", 6);
    let mut consumer = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    next(&mut consumer, 10).await;
    consumer.commit(10).await.unwrap();
    consumer.seek(6).await.unwrap();
    assert_eq!(next(&mut consumer, 4).await[0].offset, 6);
    assert!(consumer.fetch(1).await.unwrap().is_empty());
    let mut consumer = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    assert_eq!(next(&mut consumer, 4).await[0].offset, 6);
    for offset in [-1, 11] {
        assert_eq!(consumer.seek(offset).await, Err(EventLogError::OffsetOutOfRange { offset, end: 10 }));
    }
}

#[tokio::test]
async fn a_message_is_a_cloud_event_in_binary_mode() {
    let cluster = cluster();
    open(&cluster).await.append(vec![record(1, 2)]).await.unwrap();
    let consumer: BaseConsumer = settings(&cluster).consumer("any").create().unwrap();
    let mut all = TopicPartitionList::new();
    all.add_partition_offset(REQUESTED, wire_partition(partition_of("pay_1", 6)), Offset::Beginning).unwrap();
    consumer.assign(&all).unwrap();
    let message =
        eventually("the message", async || consumer.poll(Duration::from_millis(100)).and_then(Result::ok)).await;
    assert_eq!((message.key(), message.payload()), (Some(b"pay_1".as_slice()), Some(br#"{"amount":2}"#.as_slice())));
    let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
    let headers: Vec<_> = message.headers().unwrap().iter().map(|h| (h.key.to_owned(), text(h.value))).collect();
    let expected = [
        ("ce_specversion", "1.0"),
        ("ce_id", "evt_2"),
        ("ce_type", "payment.capture-requested"),
        ("ce_source", "/rialto/shard-1"),
        ("ce_time", "2026-11-23T09:30:00.002Z"),
        ("ce_subject", "pay_1"),
        ("content-type", "application/json"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    assert_eq!(headers, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn foreign_message_is_delivered_and_delays_no_other() {
    let cluster = cluster();
    let log = open(&cluster).await;
    let partition = partition_of("pay_1", 6);
    let foreign: BaseProducer = settings(&cluster).client().create().unwrap();
    let message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(REQUESTED).partition(wire_partition(partition));
    foreign.send(message.payload(&[0xff, b'x'])).unwrap();
    foreign.flush(Duration::from_secs(10)).unwrap();
    log.append(vec![record(1, 1)]).await.unwrap();
    let mut consumer = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    let found = next(&mut consumer, 2).await;
    assert_eq!((found[0].record.id.as_str(), found[0].record.kind.as_ref()), ("", ""));
    assert_eq!((found[0].record.time_ms, found[0].record.payload.as_str()), (0, "\u{fffd}x"));
    assert_eq!(found[1].record, record(1, 1));
}

#[tokio::test]
async fn nudges_announce_new_records() {
    let cluster = cluster();
    let log = open(&cluster).await;
    let partition = partition_of("pay_1", 6);
    let nudged = Arc::new(AtomicUsize::new(0));
    let counter = nudged.clone();
    let nudge = move || {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    log.on_append(REQUESTED, partition, Arc::new(nudge)).unwrap();
    let mut consumer = log.consumer(SETTLEMENT, REQUESTED, partition).await.unwrap();
    for id in 0..3 {
        let before = nudged.load(Ordering::Relaxed);
        log.append(vec![record(1, id)]).await.unwrap();
        eventually("a nudge", async || (nudged.load(Ordering::Relaxed) > before).then_some(())).await;
        next(&mut consumer, 1).await;
    }
}

#[tokio::test]
async fn an_append_that_fails_can_be_repeated() {
    let cluster = cluster();
    let log = open(&cluster).await;
    log.append(vec![record(1, 0)]).await.unwrap();
    cluster.broker_down(1).unwrap();
    let records: Vec<_> = (1..50).map(|id| record(id % 3, id)).collect();
    let failed = log.append(records.clone()).await;
    assert!(matches!(failed, Err(EventLogError::Unavailable(_))), "{failed:?}");
    cluster.broker_up(1).unwrap();
    eventually("an append", async || log.append(records.clone()).await.ok()).await;
    let found = all(&log, REQUESTED).await;
    let arrived = first_arrivals(&found);
    for key in 0..3 {
        let given = (0..50).filter(|id| if *id == 0 { key == 1 } else { id % 3 == key }).map(|id| format!("evt_{id}"));
        assert_eq!(arrived[format!("pay_{key}").as_str()], given.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn failed_append_stores_no_record_late() {
    let cluster = cluster();
    let log = open(&cluster).await;
    log.append(vec![record(1, 0)]).await.unwrap();
    cluster.broker_down(1).unwrap();
    log.append((1..50).map(|id| record(1, id)).collect()).await.unwrap_err();
    cluster.broker_up(1).unwrap();
    eventually("an append", async || log.append(vec![record(1, 99)]).await.ok()).await;
    let found = all(&log, REQUESTED).await;
    assert_eq!(first_arrivals(&found)["pay_1"], ["evt_0", "evt_99"]);
}

#[tokio::test]
async fn cluster_tells_its_id_and_whether_it_has_records() {
    let (one, other) = (cluster(), MockCluster::new(1).unwrap());
    let look = async |cluster: &Cluster| KafkaLog::look(&settings(cluster), TOPICS).await.unwrap();
    let found = look(&one).await;
    assert_eq!((found.is_file, found.is_used, found.holds_data), (false, true, false), "topics, and nothing in them");
    let foreign = look(&other).await;
    assert_eq!((foreign.is_used, foreign.holds_data), (false, false));
    assert_ne!(found.name, foreign.name);
    open(&one).await.append(vec![record(1, 1)]).await.unwrap();
    assert_eq!(look(&one).await, FoundCompanion { holds_data: true, ..found.clone() });
    let prefixed = Settings { topic_prefix: "p.".to_owned(), ..settings(&one) };
    let elsewhere = KafkaLog::look(&prefixed, TOPICS).await.unwrap();
    assert!(elsewhere.name.as_ref().unwrap().starts_with("topics p.* on the Kafka cluster"), "{elsewhere:?}");
    assert!(elsewhere.name != found.name && !elsewhere.is_used);
}

#[tokio::test]
async fn unknown_topics_and_changed_partition_counts_are_refused() {
    let cluster = cluster();
    let log = open(&cluster).await;
    let unknown = Record { topic: "payment.lost", ..record(1, 1) };
    let refused = log.append(vec![record(1, 2), unknown]).await;
    assert_eq!(refused, Err(EventLogError::UnknownTopic("payment.lost".into())));
    assert!(all(&log, REQUESTED).await.is_empty(), "all or nothing");
    let outside = log.consumer(SETTLEMENT, REQUESTED, 6).await.err();
    assert_eq!(outside, Some(EventLogError::UnknownPartition { topic: REQUESTED.into(), partition: 6 }));
    let nobody = log.consumer("nobody", REQUESTED, 0).await.err();
    assert_eq!(nobody, Some(EventLogError::UnknownGroup("nobody".into())));
    let changed = KafkaLog::open(settings(&cluster), &[(REQUESTED, 7)]).await.err();
    assert!(matches!(changed, Some(OpenError::PartitionsChanged { found: 6, wanted: 7, .. })), "{changed:?}");
}

#[tokio::test]
async fn error_names_the_unreachable_broker() {
    let settings = Settings { open_timeout: Duration::from_secs(1), ..Settings::new("127.0.0.1:1") };
    let refused = KafkaLog::open(settings, TOPICS).await.err().unwrap();
    assert!(matches!(refused, OpenError::NotReady { .. }) && refused.to_string().contains("127.0.0.1:1"), "{refused}");
}
