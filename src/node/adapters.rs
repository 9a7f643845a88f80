//! Opens what is outside: real servers where the configuration names them, else the embedded ones in the data
//! directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::data_dir::{event_log_path, psp_books_path};
use super::identity::{Accept, Belongings, ClaimedShards, MisfitError};
use super::places::{control_place, kafka_settings, shard_places};
use crate::config::{Config, Roles};
use crate::domain::event::topics;
use crate::domain::{ShardId, ShardMap};
use crate::infra::cache::limits::MemoryLimits;
use crate::infra::cache::memory::MemoryAnswers;
use crate::infra::cache::redis::{RedisAnswers, RedisLimits};
use crate::infra::cache::{AnswerCache, CacheError, LimitStore};
use crate::infra::control::{ControlError, ControlStore, SqlControl, UnsetControl};
use crate::infra::data_guard::DataFiles;
use crate::infra::database::identity::ShardPlace;
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::infra::event_log::EventLog;
use crate::infra::event_log::embedded::{EmbeddedLog, OpenLogError};
use crate::infra::event_log::fault_switch::{FaultSwitch, Linked};
use crate::infra::event_log::kafka::{self, KafkaLog};
use crate::infra::event_log::measured::Measured;
use crate::infra::lease::LeaseStore;
use crate::infra::lease::redis::RedisLeases;
use crate::infra::psp::Psp;
use crate::infra::psp::http::{self, HttpPsp};
use crate::infra::psp::simulator::{Simulator, StartError as SimulatorError};
use crate::infra::redis::eviction::warn_of_noeviction;
use crate::infra::redis::{RedisPool, RedisSettings};
use crate::infra::storage::Storage;
use crate::infra::telemetry::pools::Pools;
use crate::runtime::Environment;

/// Connections to the PSP that are kept while nobody uses them.
const PSP_CONNECTIONS_KEPT: usize = 64;

/// Why an adapter did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Misfit(#[from] MisfitError),
    #[error("shard {shard}: {error}")]
    Shard { shard: ShardId, error: DatabaseError },
    #[error("control store (control.database): {0}")]
    Control(ControlError),
    #[error("event log: {0}")]
    EventLog(#[from] OpenLogError),
    #[error("event log: {0}")]
    Kafka(#[from] kafka::OpenError),
    #[error("redis.url: {0}")]
    Redis(#[from] CacheError),
    #[error("psp.ca_file {path}: {error}")]
    Authority { path: PathBuf, error: std::io::Error },
    #[error("psp.url: {0}")]
    Psp(#[from] http::OpenError),
    #[error("psp simulator: {0}")]
    Simulator(#[from] SimulatorError),
}

/// Everything outside, behind its port.
pub struct Adapters {
    pub map: ShardMap,
    /// In the map's order.
    pub databases: Vec<ShardDatabase>,
    pub control: Arc<dyn ControlStore>,
    /// None where no role reads or writes it.
    pub log: Option<Arc<dyn EventLog>>,
    /// By which an exercise cuts the log off.
    pub fault_switch: FaultSwitch,
    pub psp: Arc<dyn Psp>,
    pub answers: Arc<dyn AnswerCache>,
    pub limits: Arc<dyn LimitStore>,
    /// None where this process is the only one.
    pub leases: Option<Arc<dyn LeaseStore>>,
    /// The disk of the data directory.
    pub storage: Option<Storage>,
    /// The connections to all of these.
    pub pools: Pools,
    pub files: DataFiles,
}

/// Whether something of this process is in its data directory, which then is its own.
pub fn is_embedded(config: &Config) -> bool {
    config.shard.databases.is_empty() || config.kafka.brokers.is_empty() || config.psp.url.is_empty()
}

impl Adapters {
    /// Opens all that these roles need, once it is known to belong together.
    pub async fn open(
        environment: &Environment,
        config: &Config,
        roles: Roles,
        data_dir: &Path,
        accept: Accept,
    ) -> Result<Self, OpenError> {
        let map = ShardMap::dealt(config.shard.count);
        let belongings = Belongings { config, map: &map, data_dir, roles };
        let checked = belongings.check(accept).await?;
        let databases = open_shards(config, &map, data_dir).await?;
        let claimed = belongings.claim_shards(checked, environment).await?;
        let mut pools = Pools::default();
        let control = open_control(environment, config, data_dir, &claimed, &mut pools).await?;
        let mut files = DataFiles::default();
        let log = if roles.use_event_log() { Some(open_log(config, data_dir, &mut files).await?) } else { None };
        let psp = open_psp(environment, config, data_dir, &mut files)?;
        belongings.claim_companions(claimed, accept).await?;
        let fault_switch = FaultSwitch::new(&config.faults.event_log_stop, &config.faults.event_log_start);
        let linked = |log| Arc::new(Linked { log, fault_switch: fault_switch.clone() }) as Arc<dyn EventLog>;
        let log = if config.faults.enabled { log.map(linked) } else { log };
        let log = log.map(|log| Arc::new(Measured::new(log)) as Arc<dyn EventLog>);
        let storage = Some(Storage::exported(data_dir));
        databases.iter().for_each(|database| database.show_in(&mut pools));
        if config.redis.url.is_empty() {
            let answers = Arc::new(MemoryAnswers::new(config.idempotency.cache_max_bytes));
            let limits = Arc::new(MemoryLimits::default());
            return Ok(Self {
                map,
                databases,
                control,
                log,
                fault_switch,
                psp,
                answers,
                limits,
                leases: None,
                storage,
                pools,
                files,
            });
        }
        let redis = RedisPool::connect(RedisSettings {
            url: config.redis.url.clone(),
            key_prefix: config.redis.key_prefix.clone(),
            timeout: Duration::from_millis(config.redis.timeout_ms),
            connections: config.redis.connections,
        })?;
        let answers = Arc::new(RedisAnswers::new(redis.clone()));
        let limits = Arc::new(RedisLimits::new(redis.clone()));
        redis.show_in(&mut pools);
        // It may be down now, which is no reason not to start.
        tokio::spawn(warn_of_noeviction(redis.clone()));
        let leases = Some(Arc::new(RedisLeases::new(redis)) as Arc<dyn LeaseStore>);
        Ok(Self { map, databases, control, log, fault_switch, psp, answers, limits, leases, storage, pools, files })
    }
}

async fn open_shards(config: &Config, map: &ShardMap, data_dir: &Path) -> Result<Vec<ShardDatabase>, OpenError> {
    let mut databases = Vec::new();
    for (shard, place) in map.shards().zip(shard_places(config, map, data_dir)) {
        let opened = match place {
            ShardPlace::Server(url) => ShardDatabase::open_mariadb(shard, &url, true).await,
            ShardPlace::File(path) => ShardDatabase::open_sqlite(shard, &path, true).await,
        };
        databases.push(opened.map_err(|error| OpenError::Shard { shard, error })?);
    }
    Ok(databases)
}

/// The control store, opened if that can be done now. Payments do not wait for it.
async fn open_control(
    environment: &Environment,
    config: &Config,
    data_dir: &Path,
    claimed: &ClaimedShards,
    pools: &mut Pools,
) -> Result<Arc<dyn ControlStore>, OpenError> {
    let Some(place) = control_place(config, data_dir) else { return Ok(Arc::new(UnsetControl)) };
    let control = SqlControl::new(place, claimed.system().clone(), environment.clock.clone());
    let control = if claimed.is_new() { control.of_new_system() } else { control };
    // One that was away a moment ago is not waited for again.
    if claimed.is_control_there() {
        match control.check().await {
            Err(error) if error.is_final() => return Err(OpenError::Control(error)),
            Err(error) => tracing::warn!(%error, "control store cannot be opened yet"),
            Ok(()) => {}
        }
    }
    let control = Arc::new(control);
    control.show_in(pools);
    Ok(control)
}

async fn open_log(config: &Config, data_dir: &Path, files: &mut DataFiles) -> Result<Arc<dyn EventLog>, OpenError> {
    let topics: Vec<_> = topics().collect();
    if config.kafka.brokers.is_empty() {
        let log = EmbeddedLog::open(&event_log_path(data_dir), &topics).await?;
        files.event_log = log.guard();
        return Ok(Arc::new(log));
    }
    Ok(Arc::new(KafkaLog::open(kafka_settings(config), &topics).await?))
}

fn open_psp(
    environment: &Environment,
    config: &Config,
    data_dir: &Path,
    files: &mut DataFiles,
) -> Result<Arc<dyn Psp>, OpenError> {
    if !config.psp.url.is_empty() {
        return Ok(Arc::new(HttpPsp::new(&psp_settings(config)?)?));
    }
    let settings = config.psp.simulator.clone();
    let (clock, chance) = (environment.clock.clone(), environment.chance.clone());
    let simulator = Simulator::start(&psp_books_path(data_dir), settings, clock, chance)?;
    files.psp = simulator.guard();
    Ok(Arc::new(simulator))
}

/// How the PSP is reached over HTTP.
pub fn psp_settings(config: &Config) -> Result<http::Settings, OpenError> {
    let path = &config.psp.ca_file;
    let unreadable = |error| OpenError::Authority { path: path.clone(), error };
    let is_given = !path.as_os_str().is_empty();
    Ok(http::Settings {
        base_url: config.psp.url.clone(),
        timeout: Duration::from_millis(config.psp.timeout_ms),
        idle_connections: PSP_CONNECTIONS_KEPT,
        authority: is_given.then(|| std::fs::read(path)).transpose().map_err(unreadable)?,
    })
}
