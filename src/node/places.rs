//! Where the configuration says that everything is.

use std::path::Path;

use super::data_dir::{control_path, event_log_path, psp_books_path, shard_path};
use crate::config::Config;
use crate::domain::ShardMap;
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
    let map = ShardMap::dealt(config.shard.count);
    let shards = map.shards().zip(shard_places(config, &map, data_dir));
    let mut files: Vec<DataFile> = shards
        .filter_map(|(shard, place)| match place {
            ShardPlace::File(path) => Some(DataFile { part: Part::Shard(shard), path }),
            ShardPlace::Server(_) => None,
        })
        .collect();
    if let Some(ControlPlace::File(path)) = control_place(config, data_dir) {
        files.push(DataFile { part: Part::Control, path });
    }
    if config.kafka.brokers.is_empty() {
        files.push(DataFile { part: Part::EventLog, path: event_log_path(data_dir) });
    }
    if config.psp.url.is_empty() {
        files.push(DataFile { part: Part::PspBooks, path: psp_books_path(data_dir) });
    }
    files
}

/// The settings by which it works with servers, whose data are in no data directory.
pub fn servers(config: &Config) -> Vec<String> {
    let settings = [
        ("shard.databases", config.shard.databases.is_empty()),
        ("control.database", config.control.database.is_empty()),
        ("kafka.brokers", config.kafka.brokers.is_empty()),
        ("psp.url", config.psp.url.is_empty()),
    ];
    settings.into_iter().filter(|(_, is_embedded)| !is_embedded).map(|(key, _)| key.to_owned()).collect()
}
