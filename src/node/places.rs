//! Where the configuration says that everything is.

use std::path::Path;

use super::data_dir::{control_path, shard_path};
use crate::config::Config;
use crate::domain::ShardMap;
use crate::infra::control::ControlPlace;
use crate::infra::database::identity::ShardPlace;
use crate::infra::event_log::kafka;

/// The shards' databases, in the map's order.
pub fn shard_places(config: &Config, map: &ShardMap, data_dir: &Path) -> Vec<ShardPlace> {
    let urls = &config.shard.databases;
    let place = |(number, shard)| match urls.get(number) {
        Some(url) => ShardPlace::Server(String::clone(url)),
        None => ShardPlace::File(shard_path(data_dir, shard)),
    };
    map.shards().enumerate().map(place).collect()
}

/// The control store; none where none is set that all processes share.
pub fn control_place(config: &Config, data_dir: &Path) -> Option<ControlPlace> {
    let url = &config.control.database;
    let place =
        || if url.is_empty() { ControlPlace::File(control_path(data_dir)) } else { ControlPlace::Server(url.clone()) };
    config.has_shared_control().then(place)
}

/// How Kafka is reached.
pub fn kafka_settings(config: &Config) -> kafka::Settings {
    kafka::Settings {
        topic_prefix: config.kafka.topic_prefix.clone(),
        replication_factor: config.kafka.replication_factor,
        linger_ms: config.kafka.linger_ms,
        ..kafka::Settings::new(config.kafka.brokers.clone())
    }
}
