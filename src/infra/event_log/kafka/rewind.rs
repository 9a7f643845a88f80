//! Sets a consumer group back while nobody works in it.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::reader::{Reader, blocking, wire_partition};
use super::settings::Settings;
use crate::infra::event_log::EventLogError;

/// How long a group with members is given before it is asked again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Why a group was not set back.
#[derive(Debug, thiserror::Error)]
pub enum RewindError {
    #[error("{members} processes work in the consumer group {group}: stop them first")]
    InUse { group: String, members: usize },
    #[error("event log: {0}")]
    Log(#[from] EventLogError),
}

impl Reader {
    /// Commits `places`, partitions and offsets of a topic, for a group without members. As soon as the group has a
    /// member, the broker itself refuses commits of others, so no group is set back while it works.
    ///
    /// # Errors
    /// [`RewindError`] when the group has members or the brokers cannot be asked.
    pub async fn rewind(&self, group: &str, topic: &str, places: &[(u32, i64)]) -> Result<(), RewindError> {
        let (topic, _) = self.topics.find(topic)?;
        let group = self.settings.wire_name(group);
        // A member that died counts as one until its session ends.
        let patience = self.settings.session_timeout + LOOK_AGAIN_AFTER;
        let begun = Instant::now();
        loop {
            let (settings, asked, places) = (self.settings.clone(), group.clone(), places.to_vec());
            let members = blocking(move || {
                let members = rewind(&settings, &asked, topic, &places);
                members.map_err(|error| EventLogError::Unavailable(error.to_string()))
            });
            match members.await? {
                0 => return Ok(()),
                members if begun.elapsed() > patience => return Err(RewindError::InUse { group, members }),
                _ => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
            }
        }
    }
}

/// The number of members, if the group has any; else it is set back.
fn rewind(settings: &Settings, group: &str, topic: &str, places: &[(u32, i64)]) -> Result<usize, KafkaError> {
    let consumer: BaseConsumer = settings.consumer(group).create()?;
    let found = consumer.fetch_group_list(Some(group), settings.request_timeout)?;
    let members: usize = found.groups().iter().map(|group| group.members().len()).sum();
    if members > 0 {
        return Ok(members);
    }
    let mut offsets = TopicPartitionList::new();
    for (partition, offset) in places {
        let (name, partition) = (settings.wire_name(topic), wire_partition(*partition));
        offsets.add_partition_offset(&name, partition, Offset::Offset(*offset))?;
    }
    consumer.commit(&offsets, CommitMode::Sync)?;
    Ok(0)
}
