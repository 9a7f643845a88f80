//! librdkafka's callbacks of a consumer group: assignments of partitions, and statistics.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::statistics::{Partition, Statistics};
use rdkafka::{ClientContext, TopicPartitionList};

use super::client_log;
use super::lag::Lags;
use super::nudges::Nudges;
use super::place::{Place, Places};
use super::settings::Settings;
use crate::infra::event_log::EventLogError;

pub(super) struct Member {
    /// Rialto's name of the group.
    pub(super) group: &'static str,
    /// Held while offsets are being committed.
    pub(super) fence: Mutex<()>,
    /// How long a partition that is to be released waits for these commits. After that the broker rejects them as
    /// outdated.
    fence_timeout: Duration,
    topic_prefix: String,
    topics: Vec<&'static str>,
    places: Places<Self>,
    nudges: Nudges,
    lags: Lags,
    consumer: OnceLock<Weak<BaseConsumer<Self>>>,
}

impl Member {
    /// `topics` with their numbers of partitions.
    pub(super) fn new(
        group: &'static str,
        topics: &[(&'static str, u32)],
        settings: &Settings,
        nudges: Nudges,
        lags: Lags,
    ) -> Self {
        let places = topics.iter().flat_map(|&(topic, partitions)| (0..partitions).map(move |at| (topic, at)));
        Self {
            group,
            fence: Mutex::new(()),
            fence_timeout: settings.request_timeout,
            topic_prefix: settings.topic_prefix.clone(),
            topics: topics.iter().map(|(topic, _)| *topic).collect(),
            places: places.map(|place| (place, Mutex::default())).collect(),
            nudges,
            lags,
            consumer: OnceLock::new(),
        }
    }

    /// Tells the member whose callbacks it serves, before any comes.
    pub(super) fn bind(&self, consumer: &Arc<BaseConsumer<Self>>) {
        self.consumer.get_or_init(|| Arc::downgrade(consumer));
    }

    pub(super) fn wire_topics(&self) -> Vec<String> {
        self.topics.iter().map(|topic| self.wire_topic(topic)).collect()
    }

    pub(super) fn wire_topic(&self, topic: &str) -> String {
        format!("{}{topic}", self.topic_prefix)
    }

    pub(super) fn place(&self, topic: &'static str, partition: u32) -> Result<&Mutex<Place<Self>>, EventLogError> {
        // A group has places in its own topics only.
        self.places.get(&(topic, partition)).ok_or_else(|| EventLogError::UnknownTopic(topic.to_owned()))
    }

    /// The process leaves the group.
    pub(super) fn let_go_of_all(&self) {
        for ((topic, partition), place) in &self.places {
            place.lock().reassign(None);
            self.lags.forget(self.group, topic, *partition);
        }
    }

    /// Rialto's name of a topic of the group.
    fn topic(&self, wire: &str) -> Option<&'static str> {
        let name = wire.strip_prefix(&self.topic_prefix)?;
        self.topics.iter().copied().find(|topic| *topic == name)
    }

    fn places_in(&self, list: &TopicPartitionList) -> Vec<(&'static str, u32)> {
        let known = list
            .elements()
            .into_iter()
            .filter_map(|place| self.topic(place.topic()).map(|topic| (topic, place.partition().unsigned_abs())));
        known.collect()
    }

    fn let_go(&self, list: &TopicPartitionList) {
        let places = self.places_in(list);
        tracing::info!(group = self.group, ?places, "partitions released");
        let _fence = self.fence.try_lock_for(self.fence_timeout);
        for (topic, partition) in places {
            if let Some(place) = self.places.get(&(topic, partition)) {
                place.lock().reassign(None);
            }
            self.lags.forget(self.group, topic, partition);
        }
    }

    fn take_over(&self, list: &TopicPartitionList) {
        let places = self.places_in(list);
        tracing::info!(group = self.group, ?places, "partitions assigned");
        // There is none when the process is leaving the group.
        let Some(consumer) = self.consumer.get().and_then(Weak::upgrade) else { return };
        for (topic, partition) in places {
            let Some(place) = self.places.get(&(topic, partition)) else { continue };
            let at = i32::try_from(partition).unwrap_or(i32::MAX);
            let mut queue = consumer.split_partition_queue(&self.wire_topic(topic), at);
            if let Some(queue) = &mut queue {
                let nudges = self.nudges.clone();
                queue.set_nonempty_callback(move || nudges.nudge(topic, partition));
            }
            place.lock().reassign(queue);
            // Its worker learns that the partition is assigned to this process.
            self.nudges.nudge(topic, partition);
        }
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client_log::report(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        for (wire_topic, topic) in &statistics.topics {
            let Some(name) = self.topic(wire_topic) else { continue };
            for (partition, told) in &topic.partitions {
                let at = partition.unsigned_abs();
                let is_ours = self.places.get(&(name, at)).is_some_and(|place| place.lock().is_ours());
                if let Some(lag) = lag(told).filter(|_| is_ours) {
                    self.lags.set(self.group, name, at, lag);
                }
            }
        }
    }
}

/// Records that wait, if that is known. librdkafka reports no lag for a group that has never committed: every record
/// waits for it, and without a number nobody would notice that it stands still.
fn lag(told: &Partition) -> Option<i64> {
    match told.consumer_lag {
        0.. => Some(told.consumer_lag),
        _ if told.committed_offset < 0 && told.hi_offset >= 0 => Some(told.hi_offset - told.lo_offset.max(0)),
        _ => None,
    }
}

impl ConsumerContext for Member {
    /// The partitions of a new assignment have their queues before librdkafka fetches: librdkafka keeps a queue
    /// separate once it was split off, so that no record takes another way.
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.take_over(list),
            Rebalance::Revoke(list) => self.let_go(list),
            Rebalance::Error(error) => tracing::error!(group = self.group, %error, "rebalance failed"),
        }
    }
}
