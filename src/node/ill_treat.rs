//! Faults on purpose at the servers that a node stands on.

use super::places::kafka_settings;
use crate::config::Config;
use crate::domain::event::Topic;
use crate::infra::event_log::EventLogError;
use crate::infra::event_log::kafka::bound_records;

/// Less than any event has.
const NOTHING_BYTES: u32 = 10;

/// Has the broker refuse every record of `topic`, or take them again.
///
/// # Errors
/// When the broker cannot be told.
pub async fn refuse_records(config: &Config, topic: Topic, refuses: bool) -> Result<(), EventLogError> {
    let bytes_max = refuses.then_some(NOTHING_BYTES);
    let bounded = bound_records(&kafka_settings(config), topic.name(), bytes_max).await;
    bounded.map_err(|error| EventLogError::Unavailable(error.to_string()))
}
