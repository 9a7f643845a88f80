//! The composition root: opens the adapters, writes down the supervision tree, and serves.

mod tree;

use std::fs::{File, TryLockError};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;

use crate::config::Config;
use crate::domain::event::topics;
use crate::domain::{ShardId, ShardMap};
use crate::flows::App;
use crate::http::{self, HttpSettings};
use crate::infra::cache::limits::MemoryLimits;
use crate::infra::cache::memory::MemoryAnswers;
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::infra::event_log::embedded::{EmbeddedLog, OpenLogError};
use crate::infra::psp::simulator::{Simulator, StartError as SimulatorError};
use crate::infra::telemetry::{self, TelemetryError};
use crate::runtime::{Environment, Escalation, Running};

/// Why a node did not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {error}")]
    Listen { address: SocketAddr, error: std::io::Error },
    #[error(
        "{0} is not a loopback address and there are no keys yet: listen on 127.0.0.1, or give --insecure to run open to everybody who can reach it"
    )]
    Open(SocketAddr),
    #[error("data directory {path}: {error}")]
    DataDir { path: PathBuf, error: std::io::Error },
    #[error("data directory {0} is in use by another rialto")]
    InUse(PathBuf),
    #[error("shard {shard}: {error}")]
    Shard { shard: ShardId, error: DatabaseError },
    #[error(
        "data directory {path} has {found} shards, shard.count is {wanted}; payments stay on the shard that they were made on"
    )]
    ShardCount { path: PathBuf, found: usize, wanted: u32 },
    #[error("event log: {0}")]
    EventLog(#[from] OpenLogError),
    #[error("psp simulator: {0}")]
    Simulator(#[from] SimulatorError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("http server: {0}")]
    Http(std::io::Error),
    #[error("{0}")]
    Actors(Escalation),
}

/// Where the embedded default keeps a shard.
pub fn shard_path(data_dir: &Path, shard: ShardId) -> PathBuf {
    data_dir.join(format!("shard-{shard}.db"))
}

/// Where the embedded default keeps the event log.
pub fn event_log_path(data_dir: &Path) -> PathBuf {
    data_dir.join("events.db")
}

/// Where the PSP simulator keeps its books.
pub fn psp_books_path(data_dir: &Path) -> PathBuf {
    data_dir.join("psp.db")
}

/// How a node is started.
#[derive(Debug, Clone)]
pub struct Start {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// Whether to serve beyond loopback without keys.
    pub insecure: bool,
}

/// A running node.
pub struct Node {
    /// Where it listens; the port that the system chose if it was asked for port 0.
    pub address: SocketAddr,
    server: ServerHandle,
    running: Arc<Running>,
    drain: Duration,
    /// Held as long as the node runs, so that no second one opens the same data.
    _lock: File,
}

impl Node {
    /// Starts everything, in order; when it returns, requests are accepted.
    pub async fn start(start: &Start, config: &Config) -> Result<Self, StartError> {
        if !start.listen.ip().is_loopback() && !start.insecure {
            return Err(StartError::Open(start.listen));
        }
        let lock = lock_data_dir(&start.data_dir)?;
        let listen_error = |error| StartError::Listen { address: start.listen, error };
        let listener = TcpListener::bind(start.listen).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let registry = telemetry::metrics()?;
        let environment = Environment::service();
        if config.faults.enabled {
            environment.faults.enable();
        }

        check_shard_count(&start.data_dir, config.shard.count.get())?;
        let map = ShardMap::dealt(config.shard.count);
        let mut databases = Vec::new();
        for shard in map.shards() {
            let database = ShardDatabase::open_sqlite(shard, &shard_path(&start.data_dir, shard), true)
                .await
                .map_err(|error| StartError::Shard { shard, error })?;
            databases.push(database);
        }
        let log = EmbeddedLog::open(&event_log_path(&start.data_dir), &topics().collect::<Vec<_>>()).await?;
        let simulator = Simulator::start(
            &psp_books_path(&start.data_dir),
            config.psp.simulator.clone(),
            environment.clock.clone(),
            environment.chance.clone(),
        )
        .await?;
        let adapters = tree::Adapters {
            map,
            databases,
            log: Arc::new(log),
            psp: Arc::new(simulator),
            answers: Arc::new(MemoryAnswers::new(config.idempotency.cache_max_bytes)),
            limits: Arc::new(MemoryLimits::default()),
        };
        let (app, running) = tree::grow(&environment, config, adapters).await.map_err(StartError::Actors)?;
        let server = serve(listener, app, registry, config).map_err(StartError::Http)?;
        let drain = Duration::from_millis(config.node.drain_ms);
        Ok(Self { address, server, running, drain, _lock: lock })
    }

    /// Resolves when the supervision tree has given up: the process must end, with an error, so that whoever started it
    /// can act.
    pub async fn failed(&self) -> Escalation {
        self.running.failed().await
    }

    /// Stops accepting, lets what is under way end, and stops the actors, front to back.
    pub async fn stop(self) {
        self.server.stop(true).await;
        self.running.stop(self.drain).await;
    }
}

fn serve(
    listener: TcpListener,
    app: App,
    registry: prometheus::Registry,
    config: &Config,
) -> std::io::Result<ServerHandle> {
    let settings = HttpSettings {
        workers: config.http.workers,
        connections_max: config.http.connections_max,
        body_max_bytes: config.http.body_max_bytes,
        keep_alive: Duration::from_millis(config.http.keep_alive_ms),
        header_timeout: Duration::from_millis(config.http.header_timeout_ms),
        shutdown_timeout: Duration::from_millis(config.node.drain_ms),
    };
    let server = http::serve(listener, app, registry, settings)?;
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "http server failed");
        }
    });
    Ok(handle)
}

/// Refuses to deal existing payments out anew over another number of shards.
fn check_shard_count(data_dir: &Path, wanted: u32) -> Result<(), StartError> {
    let found = (1..).map(ShardId).take_while(|shard| shard_path(data_dir, *shard).exists()).count();
    if found == 0 || found == wanted as usize {
        return Ok(());
    }
    Err(StartError::ShardCount { path: data_dir.to_owned(), found, wanted })
}

/// Makes the data directory this process's own.
fn lock_data_dir(path: &Path) -> Result<File, StartError> {
    let io = |error| StartError::DataDir { path: path.to_owned(), error };
    std::fs::create_dir_all(path).map_err(io)?;
    let file = File::create(path.join("lock")).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}
