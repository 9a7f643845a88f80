//! How the log reaches Kafka, and the settings of its clients.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// Bounds how long a client waits before it tries a broker again, so that reconnecting does not prolong an outage.
const RECONNECT_MAX_MS: &str = "1000";
/// How often librdkafka reports the lag of a group.
const STATISTICS_INTERVAL_MS: &str = "5000";
/// Records of one group that wait in memory, in KiB: workers fetch small batches, so more would only be thrown away
/// when the partitions move.
const QUEUED_MAX_KIB: &str = "16384";

/// What the caller must provide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, with commas between several.
    pub brokers: String,
    /// Put before the names of topics and groups, so that several systems can share a cluster. May be empty.
    pub topic_prefix: String,
    /// Replicas of a topic that is created; -1 leaves it to the broker.
    pub replication_factor: i32,
    /// How long a record waits for others to share its request, in milliseconds.
    pub linger_ms: u64,
    /// How long an append may take before it counts as failed.
    pub append_timeout: Duration,
    /// How long opening waits for a broker that is down.
    pub open_timeout: Duration,
    /// How long any other question to a broker may take.
    pub request_timeout: Duration,
    /// How long a group keeps the partitions of a member that is not heard of.
    pub session_timeout: Duration,
}

impl Settings {
    /// What suits most: no prefix, the broker's replication, short lingering.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic_prefix: String::new(),
            replication_factor: -1,
            linger_ms: 2,
            append_timeout: Duration::from_secs(10),
            open_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(5),
            session_timeout: Duration::from_secs(6),
        }
    }

    /// For a client that asks and changes nothing but topics.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "rialto")
            .set("reconnect.backoff.max.ms", RECONNECT_MAX_MS)
            .set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// For a producer whose records lie in the order in which they were given to it, whatever fails.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", self.linger_ms.to_string())
            // librdkafka must never give up on one record alone, which would let later ones pass it: the append gives
            // up first, on all of them.
            .set("message.timeout.ms", millis(self.append_timeout.saturating_mul(3)))
            // A deleted topic must be told apart from a broker that is down, and quickly.
            .set("topic.metadata.propagation.max.ms", millis(self.append_timeout / 4));
        config
    }

    /// For a producer that is given no record before it has acknowledged the one in front of it, in the partition and
    /// of the key. It need not keep an order, so that a record that is refused does not spoil it.
    pub(super) fn careful_producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "0")
            .set("message.timeout.ms", millis(self.append_timeout.saturating_mul(3)))
            .set("topic.metadata.propagation.max.ms", "0");
        config
    }

    /// For a consumer that does nothing by itself: it stores only offsets that it was told to store.
    pub(super) fn consumer(&self, wire_group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", wire_group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            // The time after which a commit to a broker that hangs fails.
            .set("socket.timeout.ms", millis(self.request_timeout.saturating_mul(2)));
        config
    }

    /// For a member of a group.
    ///
    /// Partitions are assigned by range: partition n of every topic of the group goes to the same process, so that what
    /// happens to one payment is worked on in one place. Range is eager, all partitions are given back when members
    /// come or go; that costs a second at a deployment and leaves one way only in which a partition changes hands.
    pub(super) fn member(&self, wire_group: &str) -> ClientConfig {
        let mut config = self.consumer(wire_group);
        config
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", millis(self.session_timeout))
            .set("heartbeat.interval.ms", millis(self.session_timeout / 3))
            .set("statistics.interval.ms", STATISTICS_INTERVAL_MS)
            .set("queued.max.messages.kbytes", QUEUED_MAX_KIB)
            .set("fetch.queue.backoff.ms", "100");
        config
    }

    pub(super) fn wire_name(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
