//! Opens everything that is read, and creates nothing.

use std::path::{Path, PathBuf};

use super::books::Books;
use super::error::AuditError;
use crate::config::{Config, Roles};
use crate::domain::event::topics;
use crate::domain::{ShardId, ShardMap};
use crate::infra::control::{ControlPlace, ControlReader};
use crate::infra::database::ShardDatabase;
use crate::infra::event_log::{EventReader, embedded, kafka};
use crate::infra::psp::http::HttpBooks;
use crate::infra::psp::simulator::books::Books as FileBooks;
use crate::infra::sqlite::has_unreadable_log;
use crate::node::{
    Belongings, OpenError, check_whole, control_place, event_log_path, kafka_settings, psp_books_path, psp_settings,
    shard_path,
};

/// Everything that is read.
pub struct Sources {
    pub map: ShardMap,
    /// By shard, from 1.
    pub databases: Vec<ShardDatabase>,
    pub trail: Trail,
    pub log: Box<dyn EventReader>,
    pub books: Books,
}

/// Where the trail of operators' actions is.
pub enum Trail {
    /// In the shards: no store is set that all processes share.
    InShards,
    Kept(ControlReader),
    /// The control store is away, and why. Whatever money there is can be checked without it.
    Away(String),
}

impl Sources {
    /// Opens what a node with this configuration and data directory works on.
    pub async fn open(config: &Config, data_dir: &Path) -> Result<Self, AuditError> {
        check_whole(data_dir)?;
        let map = ShardMap::dealt(config.shard.count);
        let databases = if config.shard.databases.is_empty() {
            sqlite_shards(&map, data_dir).await?
        } else {
            mariadb_shards(&map, &config.shard.databases).await?
        };
        let mut trail = open_control(config, data_dir).await?;
        let topics: Vec<_> = topics().collect();
        let log: Box<dyn EventReader> = if config.kafka.brokers.is_empty() {
            let names: Vec<_> = topics.into_iter().map(|(topic, _)| topic).collect();
            let path = existing(event_log_path(data_dir))?;
            Box::new(embedded::Reader::open(&path, &names).await.map_err(AuditError::EventLogFile)?)
        } else {
            Box::new(kafka::Reader::new(kafka_settings(config), &topics))
        };
        let books = if config.psp.url.is_empty() {
            let path = existing(psp_books_path(data_dir))?;
            Books::File(FileBooks::open_read_only(&path).await.map_err(AuditError::BooksFile)?)
        } else {
            Books::Http(HttpBooks::new(&psp_settings(config)?).map_err(OpenError::from)?)
        };
        let belongings = Belongings { config, map: &map, data_dir, roles: Roles::all() };
        let checked = belongings.verify().await?;
        if let (Trail::Kept(_), Err(error)) = (&trail, checked.require_control()) {
            trail = Trail::Away(error.to_string());
        }
        Ok(Self { map, databases, trail, log, books })
    }

    pub fn database(&self, shard: ShardId) -> &ShardDatabase {
        // invariant: shards are numbered from 1 without gaps, and every one of the map is open.
        &self.databases[shard.0 as usize - 1]
    }
}

async fn open_control(config: &Config, data_dir: &Path) -> Result<Trail, AuditError> {
    let Some(place) = control_place(config, data_dir) else { return Ok(Trail::InShards) };
    if let ControlPlace::File(path) = &place
        && !path.is_file()
    {
        return Ok(Trail::Away(format!("no {}", path.display())));
    }
    match ControlReader::open(&place).await {
        Ok(reader) => Ok(Trail::Kept(reader)),
        Err(error) if error.is_final() => Err(error.into()),
        Err(error) => Ok(Trail::Away(error.to_string())),
    }
}

fn existing(path: PathBuf) -> Result<PathBuf, AuditError> {
    if !path.is_file() {
        return Err(AuditError::NoFile(path));
    }
    if has_unreadable_log(&path) { Err(AuditError::LogUnreadable(path)) } else { Ok(path) }
}

async fn sqlite_shards(map: &ShardMap, data_dir: &Path) -> Result<Vec<ShardDatabase>, AuditError> {
    let mut databases = Vec::new();
    for shard in map.shards() {
        let path = existing(shard_path(data_dir, shard))?;
        let opened = ShardDatabase::open_sqlite_to_read(shard, &path).await;
        databases.push(opened.map_err(|error| AuditError::Shard { shard, error })?);
    }
    Ok(databases)
}

async fn mariadb_shards(map: &ShardMap, urls: &[String]) -> Result<Vec<ShardDatabase>, AuditError> {
    let mut databases = Vec::new();
    for (shard, url) in map.shards().zip(urls) {
        let opened = ShardDatabase::open_mariadb(shard, url, false).await;
        databases.push(opened.map_err(|error| AuditError::Shard { shard, error })?);
    }
    Ok(databases)
}
