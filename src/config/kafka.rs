//! `[kafka]`: Apache Kafka as the event log.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, range};

/// Apache Kafka as the event log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// `host:port`, with commas between several. Empty: an event log in a file of the data directory.
    pub brokers: String,
    /// Put before the names of topics and groups, so that several systems can share a cluster.
    pub topic_prefix: String,
    /// Replicas of the topics that Rialto creates; -1 leaves it to the broker.
    pub replication_factor: i32,
    /// How long a record waits for others to share its request.
    pub linger_ms: u64,
}

impl Default for Kafka {
    fn default() -> Self {
        Self { brokers: String::new(), topic_prefix: String::new(), replication_factor: -1, linger_ms: 2 }
    }
}

impl Kafka {
    /// Whether these settings can be started with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        range("kafka.linger_ms", self.linger_ms, 0, 1_000)?;
        Ok(())
    }
}
