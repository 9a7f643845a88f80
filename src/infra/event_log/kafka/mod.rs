//! The event log on Apache Kafka, through librdkafka: topics shared by all processes of the system, groups whose
//! partitions are spread over them.

mod client_log;
mod committer;
mod group;
mod ill_treat;
mod lag;
mod look;
mod member;
mod message;
mod nudges;
mod place;
mod producer;
mod reader;
mod refusal;
mod rewind;
mod settings;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use self::group::Group;
pub use self::ill_treat::bound_records;
use self::lag::Lags;
use self::member::Member;
use self::message::Placed;
use self::nudges::Nudges;
use self::place::Epoch;
use self::producer::Producer;
pub use self::reader::Reader;
use self::reader::{blocking, wire_partition};
pub use self::rewind::RewindError;
pub use self::settings::Settings;
pub use self::topics::OpenError;
use self::topics::Topics;
use super::partitioner::partition_of;
use super::{Appended, Consumer, Delivery, EventLog, EventLogError, Nudge, Record};
use crate::domain::event;
use crate::domain::identity::FoundCompanion;

/// The log. Dropping it leaves its consumer groups, which blocks for a few seconds at most.
pub struct KafkaLog {
    reader: Reader,
    producer: Producer,
    groups: Mutex<BTreeMap<&'static str, Arc<Group>>>,
    nudges: Nudges,
    lags: Lags,
}

impl KafkaLog {
    /// Which cluster this is, and whether any of these topics is on it. Creates nothing.
    pub async fn look(settings: &Settings, topics: &[(&'static str, u32)]) -> Result<FoundCompanion, OpenError> {
        Topics::new(topics).look(settings).await
    }

    /// Connects, and creates the topics that are missing. Waits for brokers that are down, within bounds.
    pub async fn open(settings: Settings, topics: &[(&'static str, u32)]) -> Result<Self, OpenError> {
        Topics::new(topics).ensure(&settings).await?;
        let producer = Producer::new(&settings)?;
        let groups = Mutex::default();
        let reader = Reader::new(settings, topics);
        Ok(Self { reader, producer, groups, nudges: Nudges::default(), lags: Lags::exported() })
    }

    /// This process's membership in the group, from now on if not before.
    fn group(&self, name: &str) -> Result<Arc<Group>, EventLogError> {
        let known = event::Consumer::ALL.into_iter().find(|consumer| consumer.name() == name);
        let known = known.ok_or_else(|| EventLogError::UnknownGroup(name.to_owned()))?;
        let mut groups = self.groups.lock();
        if let Some(group) = groups.get(known.name()) {
            return Ok(group.clone());
        }
        let topics =
            known.topics().iter().map(|topic| self.reader.topics.find(topic.name())).collect::<Result<Vec<_>, _>>()?;
        let member = Member::new(known.name(), &topics, &self.reader.settings, self.nudges.clone(), self.lags.clone());
        let joined = Group::join(&self.reader.settings, member);
        let group = Arc::new(joined.map_err(|error| EventLogError::Unavailable(error.to_string()))?);
        groups.insert(known.name(), group.clone());
        Ok(group)
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        let groups = self.groups.get_mut();
        groups.values().for_each(|group| group.leave());
        groups.values().for_each(|group| group.left());
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    fn system(&self) -> &'static str {
        "kafka"
    }

    async fn append(&self, records: Vec<Record>) -> Result<Appended, EventLogError> {
        let placed = records.into_iter().map(|record| {
            let (topic, partitions) = self.reader.topics.find(record.topic)?;
            let partition = wire_partition(partition_of(&record.key, partitions));
            Ok(Placed { wire_topic: self.reader.settings.wire_name(topic), partition, record })
        });
        let placed = placed.collect::<Result<Vec<_>, EventLogError>>()?;
        self.producer.append(placed).await
    }

    async fn consumer(&self, group: &str, topic: &str, partition: u32) -> Result<Box<dyn Consumer>, EventLogError> {
        let topic = self.reader.topics.find_partition(topic, partition)?;
        let group = self.group(group)?;
        let opening = group.clone();
        let epoch = blocking(move || opening.open(topic, partition)).await?;
        Ok(Box::new(KafkaConsumer { group, topic, partition, epoch }))
    }

    fn on_append(&self, topic: &str, partition: u32, nudge: Nudge) -> Result<(), EventLogError> {
        self.nudges.add(self.reader.topics.find_partition(topic, partition)?, partition, nudge);
        Ok(())
    }
}

/// One partition's reader. It delivers nothing while the partition is another process's.
struct KafkaConsumer {
    group: Arc<Group>,
    topic: &'static str,
    partition: u32,
    epoch: Epoch,
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn fetch(&mut self, max: usize) -> Result<Vec<Delivery>, EventLogError> {
        self.group.fetch(self.topic, self.partition, max, &mut self.epoch)
    }

    async fn commit(&self, next_offset: i64) -> Result<(), EventLogError> {
        self.group.commit(self.topic, self.partition, next_offset, self.epoch).await.map(drop)
    }

    async fn seek(&mut self, offset: i64) -> Result<(), EventLogError> {
        let (group, topic, partition) = (self.group.clone(), self.topic, self.partition);
        let end = blocking(move || group.end(topic, partition)).await?;
        if !(0..=end).contains(&offset) {
            return Err(EventLogError::OffsetOutOfRange { offset, end });
        }
        if !self.group.commit(topic, partition, offset, self.epoch).await? {
            return Err(EventLogError::Reassigned);
        }
        let group = self.group.clone();
        blocking(move || group.move_to(topic, partition, offset)).await
    }
}

#[cfg(test)]
mod tests;
