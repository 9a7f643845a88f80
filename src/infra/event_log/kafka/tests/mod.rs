//! What the tests of the log share; on librdkafka's own mock of a cluster, and on a real one where there is one.

mod broker;
mod mock;

use crate::infra::event_log::EventReader;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;

const REQUESTED: &str = "payment.capture-requested";
const VOIDED: &str = "payment.voided";
/// The topics of the settlement group.
const TOPICS: &[(&str, u32)] = &[(REQUESTED, 6), (VOIDED, 6)];
const SETTLEMENT: &str = "settlement";

fn record(key: usize, id: usize) -> Record {
    Record {
        topic: REQUESTED,
        key: format!("pay_{key}"),
        id: format!("evt_{id}"),
        kind: REQUESTED.into(),
        source: "/rialto/shard-1".into(),
        time_ms: 1_795_426_200_000 + id as i64,
        subject: format!("pay_{key}"),
        traceparent: id.is_multiple_of(2).then(|| "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        payload: format!(r#"{{"amount":{id}}}"#),
    }
}

async fn all(log: &KafkaLog, topic: &str) -> Vec<Delivery> {
    let mut found = Vec::new();
    for partition in 0..log.reader.partitions(topic).unwrap() {
        found.extend(log.reader.read(topic, partition, 0, usize::MAX).await.unwrap());
    }
    found
}

/// Waits until `look` finds something.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The next `count` records of a reader, however often its partition is assigned anew.
async fn next(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Delivery> {
    let mut found = Vec::new();
    eventually("records", async || {
        match consumer.fetch(count - found.len()).await {
            Err(EventLogError::Reassigned) => found.clear(),
            fetched => found.extend(fetched.unwrap()),
        }
        (found.len() == count).then_some(())
    })
    .await;
    found
}

/// The ids of each key's records, each id where it came first.
fn first_arrivals(deliveries: &[Delivery]) -> BTreeMap<&str, Vec<&str>> {
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for delivery in deliveries {
        let ids = keys.entry(&delivery.record.key).or_default();
        if !ids.contains(&delivery.record.id.as_str()) {
            ids.push(&delivery.record.id);
        }
    }
    keys
}
