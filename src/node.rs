//! The composition root: opens the adapters, writes down the supervision tree, and serves.

mod adapters;
mod data_dir;
mod identity;
mod ill_treat;
mod lease_registry;
pub mod open_files;
mod places;
mod rewind;
mod tree;

/// What the simulation builds a process of.
#[cfg(test)]
pub mod simulated {
    pub use super::adapters::Adapters;
    pub use super::tree::build;
}

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;

use self::adapters::{Adapters, is_embedded};
pub use self::adapters::{OpenError, psp_settings};
pub use self::data_dir::{
    DataDirError, check_whole, event_log_path, left_out, lock_data_dir, psp_books_path, shard_path,
};
pub use self::identity::{Accept, Belongings, MisfitError};
pub use self::ill_treat::refuse_records;
pub use self::places::{control_place, data_files, kafka_settings, servers};
pub use self::rewind::{RewindError, rewind};
use crate::config::{Config, Roles};
use crate::flows::App;
use crate::http::{self, BodyLimits, Deadlines, HttpSettings, ServedNames, Service};
use crate::infra::telemetry::pools::Pools;
use crate::infra::telemetry::traces::Export;
use crate::infra::telemetry::{self, TelemetryError};
use crate::infra::waits::wait_for;
use crate::runtime::{ClockLimits, Environment, Escalation, Running};

/// Why a node did not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {}: {error}", said(addresses))]
    Listen { addresses: Vec<SocketAddr>, error: std::io::Error },
    #[error(
        "{0} is not a loopback address and there are no keys yet: listen on 127.0.0.1, or give --insecure to run open \
         to everybody who can reach it"
    )]
    NoKeys(SocketAddr),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("roles {0} work with others in other processes: set {1}")]
    Apart(Roles, String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error("http server: {0}")]
    Http(std::io::Error),
    #[error(transparent)]
    TooFewFiles(#[from] open_files::TooFewFiles),
    #[error("{0}")]
    Actors(Escalation),
}

fn said(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// How a node is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// The addresses of which the first one that can be had is listened on; all of one name.
    pub listen: Vec<SocketAddr>,
    pub data_dir: PathBuf,
    /// Whether to serve beyond loopback without keys.
    pub insecure: bool,
    pub roles: Roles,
    /// What may be another one than before.
    pub accept: Accept,
}

impl Start {
    /// Whether a node may be started so, as far as that can be told without opening anything.
    ///
    /// # Errors
    /// [`StartError::NoKeys`] and [`StartError::Apart`].
    pub fn check(&self, config: &Config) -> Result<(), StartError> {
        let open = self.listen.iter().find(|address| !address.ip().is_loopback());
        if let Some(open) = open.filter(|_| !self.insecure) {
            return Err(StartError::NoKeys(*open));
        }
        check_roles(self.roles, config)
    }
}

/// A running node.
pub struct Node {
    /// Where it listens; the port that the system chose if it was asked for port 0.
    pub address: SocketAddr,
    app: App,
    server: ServerHandle,
    running: Arc<Running>,
    drain: Duration,
    traces: Option<Export>,
    /// Shown as long as the node runs.
    _pools: Arc<Pools>,
    /// Held as long as the node runs, so that no second one opens the same data. None if it has none of its own.
    _lock: Option<File>,
}

impl Node {
    /// Starts everything, in order; when it returns, requests are accepted.
    pub async fn start(start: &Start, config: &Config) -> Result<Self, StartError> {
        start.check(config)?;
        let lock = is_embedded(config).then(|| lock_data_dir(&start.data_dir)).transpose()?;
        let listen_error = |error| StartError::Listen { addresses: start.listen.clone(), error };
        let listener = TcpListener::bind(start.listen.as_slice()).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let registry = if config.telemetry.metrics { telemetry::metrics()? } else { prometheus::Registry::new() };
        let traces = Export::begin(&config.telemetry, config.node.id)?;
        let environment = Environment::service_on(actor_threads(config.node.actor_threads));
        let ms = Duration::from_millis;
        let limits = ClockLimits { step_max: ms(config.clock.step_max_ms), settle: ms(config.clock.settle_ms) };
        environment.clock.limit(limits);
        if config.faults.enabled {
            environment.faults.enable();
        }

        let mut adapters = Adapters::open(&environment, config, start.roles, &start.data_dir, start.accept).await?;
        let pools = std::mem::take(&mut adapters.pools).export();
        let wait = wait_for("the actors");
        let (app, running) =
            tree::build(&environment, config, start.roles, adapters).await.map_err(StartError::Actors)?;
        drop(wait);
        let server = serve(listener, app.clone(), registry, config)?;
        let drain = Duration::from_millis(config.node.drain_ms);
        Ok(Self { address, app, server, running, drain, traces, _pools: pools, _lock: lock })
    }

    /// What callers in this process ask.
    pub fn app(&self) -> &App {
        &self.app
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
        if let Some(traces) = self.traces {
            traces.end().await;
        }
    }
}

fn serve(
    listener: TcpListener,
    app: App,
    registry: prometheus::Registry,
    config: &Config,
) -> Result<ServerHandle, StartError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if config.http.workers == 0 { cores } else { config.http.workers };
    let ms = Duration::from_millis;
    let body = BodyLimits { bytes: config.http.body_max_bytes, within: ms(config.http.body_timeout_ms) };
    let service = Service::new(app, registry, body, ServedNames::of(&config.http.names));
    let settings = HttpSettings {
        workers,
        places: open_files::places(config.http.connections_max, config.http.connections_per_address_max)?,
        deadlines: Deadlines {
            keep_alive: ms(config.http.keep_alive_ms),
            head: ms(config.http.header_timeout_ms),
            write: ms(config.http.write_timeout_ms),
        },
        shutdown_timeout: ms(config.node.drain_ms),
    };
    let server = http::serve(listener, service, settings).map_err(StartError::Http)?;
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "http server failed");
        }
    });
    Ok(handle)
}

/// Half of the cores are left to requests and to databases. A thread more costs each message between two of them a
/// wake-up, which is a good part of what the message costs.
fn actor_threads(configured: usize) -> NonZeroUsize {
    let half = || std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
    NonZeroUsize::new(configured).or_else(|| NonZeroUsize::new(half())).unwrap_or(NonZeroUsize::MIN)
}

/// Roles in several processes meet in servers that all of them reach.
fn check_roles(roles: Roles, config: &Config) -> Result<(), StartError> {
    let needs = [
        ("shard.databases", config.shard.databases.is_empty()),
        ("kafka.brokers", config.kafka.brokers.is_empty()),
        ("psp.url", config.psp.url.is_empty()),
    ];
    let missing: Vec<_> = needs.into_iter().filter(|(_, is_missing)| *is_missing).map(|(key, _)| key).collect();
    if roles == Roles::all() || missing.is_empty() {
        return Ok(());
    }
    Err(StartError::Apart(roles, missing.join(", ")))
}
