//! Reads the log without affecting consumers: no group is joined, no offset moves. All of it blocks. Each call has a
//! client of its own, for as long as it takes: operators and audits read the log so, payments do not.

use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::client_log::ClientLog;
use super::message::delivery;
use super::settings::Settings;
use crate::infra::event_log::{Delivery, EventLogError, GroupProgress};

/// The group's committed offsets and the ends of a topic's partitions.
pub(super) fn progress(
    settings: &Settings,
    group: &str,
    topic: &str,
    partitions: i32,
) -> Result<Vec<GroupProgress>, KafkaError> {
    let (wire_topic, timeout) = (settings.wire_name(topic), settings.request_timeout);
    let consumer = client(settings, group)?;
    let mut places = TopicPartitionList::new();
    for partition in 0..partitions {
        places.add_partition(&wire_topic, partition);
    }
    let places = consumer.committed_offsets(places, timeout)?;
    let mut progress = Vec::new();
    for place in places.elements() {
        place.error()?;
        let (begin, end) = consumer.fetch_watermarks(&wire_topic, place.partition(), timeout)?;
        let committed = match place.offset() {
            Offset::Offset(committed) => committed,
            _ => begin,
        };
        progress.push(GroupProgress { partition: place.partition().unsigned_abs(), committed, end });
    }
    Ok(progress)
}

/// Up to `max` records of a partition from `from` on, none that were appended after the call began.
pub(super) fn read(
    settings: &Settings,
    topic: &'static str,
    partition: i32,
    from: i64,
    max: usize,
) -> Result<Vec<Delivery>, EventLogError> {
    let unavailable = |error: KafkaError| EventLogError::Unavailable(error.to_string());
    let wire_topic = settings.wire_name(topic);
    let consumer = client(settings, "reader").map_err(unavailable)?;
    let (begin, end) =
        consumer.fetch_watermarks(&wire_topic, partition, settings.request_timeout).map_err(unavailable)?;
    let from = from.max(begin);
    let mut found: Vec<Delivery> = Vec::new();
    if from >= end || max == 0 {
        return Ok(found);
    }
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(&wire_topic, partition, Offset::Offset(from)).map_err(unavailable)?;
    consumer.assign(&place).map_err(unavailable)?;
    let mut heard_at = Instant::now();
    while found.len() < max && found.last().is_none_or(|last| last.offset + 1 < end) {
        let left = settings.request_timeout.saturating_sub(heard_at.elapsed());
        if left.is_zero() {
            return Err(EventLogError::Unavailable(format!("no record within {:?}", settings.request_timeout)));
        }
        match consumer.poll(left) {
            Some(Ok(message)) => {
                found.push(delivery(topic, &message));
                heard_at = Instant::now();
            }
            // librdkafka continues by itself, or the time runs out.
            Some(Err(error)) => tracing::debug!(topic, partition, %error, "reading failed"),
            None => {}
        }
    }
    Ok(found)
}

fn client(settings: &Settings, group: &str) -> Result<BaseConsumer<ClientLog>, KafkaError> {
    settings.consumer(&settings.wire_name(group)).create_with_context(ClientLog)
}
