//! What could not be applied is kept with its cause, so that people can see it, mend the cause and try again.

use serde::Serialize;

use super::event::DeadLetterTopic;
use super::id::LetterId;
use super::time::Timestamp;

/// One dead letter: what failed, where it came from, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub id: LetterId,
    /// Where it is published.
    #[serde(serialize_with = "topic_name")]
    pub topic: DeadLetterTopic,
    pub source: Source,
    /// The original event's payload, as it was.
    pub payload: String,
    pub error_type: String,
    pub error_message: String,
    pub retry_count: u32,
    pub first_failed_at: Timestamp,
    pub last_failed_at: Timestamp,
    /// 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// Where a dead letter came from. Position and offset are known for what was read from the event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    pub key: String,
}

fn topic_name<S: serde::Serializer>(topic: &DeadLetterTopic, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(topic.name())
}
