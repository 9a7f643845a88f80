//! Sets a consumer group back, so that the node's workers get its events once more.

use std::path::Path;

use super::data_dir::{DataDirError, event_log_path, lock_data_dir};
use super::places::kafka_settings;
use crate::config::Config;
use crate::domain::event::{Consumer, Topic, topics};
use crate::infra::event_log::embedded::{EmbeddedLog, OpenLogError};
use crate::infra::event_log::{EventLog, EventLogError, kafka};

/// Why a group stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum RewindError {
    /// A node works on the embedded log.
    #[error("{0}: stop it first")]
    InUse(#[from] DataDirError),
    #[error("event log: {0}")]
    Open(#[from] OpenLogError),
    #[error("event log: {0}")]
    Log(#[from] EventLogError),
    #[error(transparent)]
    Kafka(#[from] kafka::RewindError),
}

/// Moves what `consumer` has committed of `topic` to `places`, partitions and offsets, while nobody works in the group.
///
/// # Errors
/// [`RewindError`]; then no node will start elsewhere than it would have.
pub async fn rewind(
    config: &Config,
    data_dir: &Path,
    consumer: Consumer,
    topic: Topic,
    places: &[(u32, i64)],
) -> Result<(), RewindError> {
    let topics: Vec<_> = topics().collect();
    if !config.kafka.brokers.is_empty() {
        let reader = kafka::Reader::new(kafka_settings(config), &topics);
        return Ok(reader.rewind(consumer.name(), topic.name(), places).await?);
    }
    let _lock = lock_data_dir(data_dir)?;
    let log = EmbeddedLog::open(&event_log_path(data_dir), &topics).await?;
    for (partition, offset) in places {
        log.consumer(consumer.name(), topic.name(), *partition).await?.seek(*offset).await?;
    }
    Ok(())
}
