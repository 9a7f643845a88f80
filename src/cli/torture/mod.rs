//! `rialto torture`: many clients with a plan, a cluster with faults, and a check of every answer.
//!
//! Nodes and PSP are processes of this program in a directory of the run's own; with `--servers` they use real servers.
//! Plan and faults come from the seed, but their exact timing depends on the machine: running a failed seed again shows
//! more, not the same.

mod client;
mod cluster;
mod database;
mod disk;
mod faults;
mod history;
mod model;
mod outside;
mod probe;
mod process;
mod proxy;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::time::Instant;

use client::{Client, TestClient};
use cluster::Cluster;
use faults::FaultInjector;
use history::Tally;
use process::{ClusterError, Servers};

use super::process::refuse;
use super::terminal::say;

/// Violations that are printed.
const SHOWN_MAX: usize = 20;
/// Processes on real servers: two, so that one can take over from the other.
const NODES_ON_SERVERS: usize = 2;

/// Drive payments while processes die, clocks jump and servers stop; then hold all that was said against the books.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What plan and faults are drawn from; chosen and printed if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// How long faults go on; healing and checking come after.
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// Merchants' clients at the same time.
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// The repository's scripts/servers: then two nodes stand on MariaDB, Redis and Kafka of the run's own, which are
    /// killed too.
    #[arg(long)]
    servers: Option<PathBuf>,
    /// Where all data and logs are kept, a new directory; they stay if something is wrong. Not given: one in the
    /// system's directory for temporary files.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// The command. Exit code 1 for violations, 2 when the run itself could not be made.
pub fn main(args: Args) -> ExitCode {
    let ran = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => return refuse(&error),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            refuse(&error);
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was wrong.
async fn run(args: Args) -> Result<bool, ClusterError> {
    let seed = args.seed.unwrap_or_else(rand::random);
    let dir =
        args.dir.unwrap_or_else(|| std::env::temp_dir().join(format!("rialto-torture-{seed}-{}", std::process::id())));
    std::fs::create_dir_all(&dir).map_err(|error| ClusterError::Io { what: dir.display().to_string(), error })?;
    say(format_args!("torture: seed {seed}, {} minutes, {} clients, in {}", args.minutes, args.clients, dir.display()));
    let servers = match &args.servers {
        Some(script) => Some(Servers::up(script, dir.join("servers")).await?),
        None => None,
    };
    let nodes = if servers.is_some() { NODES_ON_SERVERS } else { 1 };
    let mut cluster = Cluster::start(&dir, nodes, servers).await?;

    let origin = Instant::now();
    let ends_at = origin + Duration::from_secs(args.minutes * 60);
    let http = TestClient::http()?;
    let (stories, tally): (Arc<Mutex<Vec<_>>>, Arc<Mutex<Tally>>) = Default::default();
    let shared = TestClient {
        http: http.clone(),
        urls: cluster.urls.clone(),
        origin,
        ends_at,
        stories: stories.clone(),
        tally: tally.clone(),
    };
    let mut injector = FaultInjector::new(seed, http.clone());
    let clients = join_all((0..args.clients).map(|number| Client::new(shared.clone(), seed, number).run()));
    let injection = async {
        injector.inject(&mut cluster, ends_at).await?;
        injector.heal(&mut cluster).await
    };
    let (_, injected) = tokio::join!(clients, injection);
    injected?;

    let stories = std::mem::take(&mut *stories.lock());
    say(format_args!("torture: {} payments; {}", stories.len(), tally.lock()));
    let faults: Vec<_> = injector.done.iter().map(|(what, count)| format!("{what} {count}")).collect();
    say(format_args!("torture: {}", faults.join(", ")));
    let mut wrong = std::mem::take(&mut injector.wrong);
    wrong.extend(verdict::rest(&cluster).await?);
    wrong.extend(verdict::violations(&stories, &cluster, &http).await?);
    cluster.stop(!wrong.is_empty()).await?;
    for line in wrong.iter().take(SHOWN_MAX) {
        say(format_args!("VIOLATION {line}"));
    }
    if wrong.is_empty() {
        // Only what this run has made.
        let _ = std::fs::remove_dir_all(&dir);
        say(format_args!("torture: seed {seed}: 0 violations"));
    } else {
        say(format_args!("torture: seed {seed}: {} violations; everything is kept in {}", wrong.len(), dir.display()));
    }
    Ok(wrong.is_empty())
}
