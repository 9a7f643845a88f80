//! Where the configuration says that everything is.

use std::path::Path;

use super::data_dir::{control_path, shard_path};
use crate::config::Config;
use crate::domain::{ShardId, ShardMap};
use crate::infra::backup::{DataFile, Part};
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

/// The files in the data directory that a node with this configuration works on.
pub fn data_files(config: &Config, data_dir: &Path) -> Vec<DataFile> {
    let mut parts = Vec::new();
    if config.shard.databases.is_empty() {
        parts.extend(ShardMap::dealt(config.shard.count).shards().map(Part::Shard));
    }
    if matches!(control_place(config, data_dir), Some(ControlPlace::File(_))) {
        parts.push(Part::Control);
    }
    let others = [(Part::EventLog, config.kafka.brokers.is_empty()), (Part::PspBooks, config.psp.url.is_empty())];
    parts.extend(others.into_iter().filter(|(_, is_embedded)| *is_embedded).map(|(part, _)| part));
    parts.into_iter().map(|part| DataFile::of(part, data_dir)).collect()
}

/// The settings by which it works with servers, whose data are in no data directory.
pub fn servers(config: &Config) -> Vec<String> {
    let parts = [
        (Part::Shard(ShardId(1)), config.shard.databases.is_empty()),
        (Part::Control, config.control.database.is_empty()),
        (Part::EventLog, config.kafka.brokers.is_empty()),
        (Part::PspBooks, config.psp.url.is_empty()),
    ];
    let servers = parts.into_iter().filter(|(_, is_embedded)| !is_embedded);
    servers.map(|(part, _)| part.server_setting().to_owned()).collect()
}
