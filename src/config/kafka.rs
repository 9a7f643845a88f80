//! `[kafka]`: Apache Kafka as the event log.

use serde::{Deserialize, Serialize};

use super::check::{ConfigError, not_allowed, range};

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
        let wrong = self.brokers.split(',').find(|broker| !is_place(broker.trim()));
        match wrong.filter(|_| !self.brokers.is_empty()) {
            Some(wrong) => {
                let allowed = "host:port with a port of 1 to 65535, with commas between several".to_owned();
                not_allowed("kafka.brokers", format!("{:?}", wrong.trim()), allowed)
            }
            None => Ok(()),
        }
    }
}

/// Whether it is `host:port`, an IPv6 address in brackets. Whether there is such a host is seen when it is asked.
fn is_place(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else { return false };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_is_a_host_and_a_port() {
        for broker in ["kafka:9092", "10.0.0.1:1", "broker-1.kafka_ns.svc:65535", "[::1]:9092"] {
            assert!(is_place(broker), "{broker}");
        }
        for wrong in
            ["", "kafka", "kafka:", ":9092", "kafka:0", "kafka:65536", "kafka:-1", "SSL://kafka:9092", "::1:9092"]
        {
            assert!(!is_place(wrong), "{wrong}");
        }
    }
}
