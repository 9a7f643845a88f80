//! The log for callers that only read it.

use async_trait::async_trait;

use super::look;
use super::settings::Settings;
use super::topics::Topics;
use crate::infra::event_log::{Delivery, EventLogError, EventReader, GroupProgress};

/// Reads the log and creates nothing: it may not exist at all.
#[derive(Clone)]
pub struct Reader {
    pub(super) settings: Settings,
    pub(super) topics: Topics,
}

impl Reader {
    /// Does not contact a broker yet.
    pub fn new(settings: Settings, topics: &[(&'static str, u32)]) -> Self {
        Self { settings, topics: Topics::new(topics) }
    }
}

#[async_trait]
impl EventReader for Reader {
    fn holds_each_record_once(&self) -> bool {
        // Two publishers of one outbox, or one that lost an answer, append records that are there already.
        false
    }

    fn partitions(&self, topic: &str) -> Result<u32, EventLogError> {
        self.topics.find(topic).map(|(_, partitions)| partitions)
    }

    async fn progress(&self, group: &str, topic: &str) -> Result<Vec<GroupProgress>, EventLogError> {
        let (topic, partitions) = self.topics.find(topic)?;
        let (settings, group) = (self.settings.clone(), group.to_owned());
        blocking(move || {
            let progress = look::progress(&settings, &group, topic, wire_partition(partitions));
            progress.map_err(|error| EventLogError::Unavailable(error.to_string()))
        })
        .await
    }

    async fn read(&self, topic: &str, partition: u32, from: i64, max: usize) -> Result<Vec<Delivery>, EventLogError> {
        let topic = self.topics.find_partition(topic, partition)?;
        let settings = self.settings.clone();
        blocking(move || look::read(&settings, topic, wire_partition(partition), from, max)).await
    }
}

/// Kafka's partition counts are signed, and far below the limit of the type.
pub(super) fn wire_partition(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// librdkafka waits for brokers on the caller's thread.
pub(super) async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, EventLogError> + Send + 'static,
) -> Result<T, EventLogError> {
    let answer = tokio::task::spawn_blocking(ask).await;
    answer.map_err(|error| EventLogError::Unavailable(error.to_string()))?
}
