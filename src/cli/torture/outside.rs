//! Faults of what the nodes depend on: disks, databases, the connections to them, the event log. Each is healed before
//! it returns, and the nodes must then serve again without a restart.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::cluster::Cluster;
use super::database::{Database, USER};
use super::probe::serves_again;
use super::process::{Begun, ClusterError};
use super::proxy::Way;
use crate::config::Config;
use crate::domain::event::Topic;
use crate::infra::database::Kill;
use crate::node::refuse_records;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    FullDisk,
    SwappedDatabases,
    SwallowedAnswers,
    CutCommits,
    KilledConnections,
    ReadOnly,
    RefusedRecords,
}

impl Outside {
    /// The kinds that are possible in a cluster, each with its weight.
    pub fn of(cluster: &Cluster) -> Vec<(Self, u32)> {
        let mut kinds = vec![(Self::SwappedDatabases, 2)];
        if !cluster.disks.is_empty() {
            kinds.push((Self::FullDisk, 3));
        }
        if !cluster.databases.is_empty() {
            kinds.extend([
                (Self::SwallowedAnswers, 2),
                (Self::CutCommits, 2),
                (Self::KilledConnections, 3),
                (Self::ReadOnly, 2),
                (Self::RefusedRecords, 2),
            ]);
        }
        kinds
    }
}

/// What was done, for the tally, and wrong reactions to it.
pub struct Struck {
    pub what: String,
    pub wrong: Option<String>,
}

/// The longest that a kind of outage lasts.
const LASTS_MAX_MS: u64 = 6_000;
/// What a full disk has left at most: enough for a batch or two now and then.
const LEFT_BYTES_MAX: u64 = 256 << 10;
const KILL_EVERY: Duration = Duration::from_millis(20);
/// How many times healing is tried.
const HEAL_TRIES: usize = 20;

/// Makes one fault, heals it, and checks that the nodes serve again.
pub async fn strike(
    kind: Outside,
    cluster: &mut Cluster,
    chance: &mut StdRng,
    http: &reqwest::Client,
) -> Result<Struck, ClusterError> {
    let lasts = Duration::from_millis(chance.random_range(200..LASTS_MAX_MS));
    let what = match kind {
        Outside::SwappedDatabases => return swapped(cluster, chance).await,
        Outside::FullDisk => full_disk(cluster, chance, lasts).await?,
        Outside::SwallowedAnswers => on_the_way(cluster, chance, Way::Swallow, lasts).await,
        Outside::CutCommits => on_the_way(cluster, chance, Way::CutAtCommit, lasts).await,
        Outside::KilledConnections => killed(cluster, chance, lasts).await,
        Outside::ReadOnly => read_only(cluster, chance, lasts).await?,
        Outside::RefusedRecords => refused(cluster, chance, lasts).await?,
    };
    let wrong = serves_again(cluster, http, chance).await?;
    Ok(Struck { wrong: wrong.map(|why| format!("after {what}: {why}")), what })
}

async fn swapped(cluster: &mut Cluster, chance: &mut StdRng) -> Result<Struck, ClusterError> {
    let node = chance.random_range(0..cluster.nodes());
    cluster.kill_node(node).await;
    let wrong = match cluster.start_node_swapped(node).await? {
        Begun::Refused => None,
        Begun::Serves(_) => Some(format!("node {node} serves on swapped databases")),
        Begun::Nothing => Some(format!("node {node} neither serves nor ends on swapped databases")),
    };
    cluster.start_node(node).await?;
    Ok(Struck { what: "databases swapped".to_owned(), wrong })
}

async fn full_disk(cluster: &Cluster, chance: &mut StdRng, lasts: Duration) -> Result<String, ClusterError> {
    let Some(disk) = cluster.disks.choose(chance) else { return Ok("no disk".to_owned()) };
    let is_full = disk.fill(chance.random_range(0..LEFT_BYTES_MAX)).await;
    tokio::time::sleep(lasts).await;
    healed("the disk", async || if disk.empty().await { Ok(()) } else { Err("it stays full") }).await?;
    Ok(format!("disk of {} {}", disk.name(), if is_full { "full" } else { "nearly full" }))
}

/// One database by chance, or all of them.
fn some<'a>(cluster: &'a Cluster, chance: &mut StdRng) -> Vec<&'a Database> {
    match chance.random_range(0..=cluster.databases.len()) {
        0 => cluster.databases.iter().collect(),
        number => cluster.databases.get(number - 1).into_iter().collect(),
    }
}

async fn on_the_way(cluster: &Cluster, chance: &mut StdRng, way: Way, lasts: Duration) -> String {
    let databases = some(cluster, chance);
    databases.iter().for_each(|database| database.proxy.become_way(way));
    tokio::time::sleep(lasts).await;
    databases.iter().for_each(|database| database.proxy.become_way(Way::Pass));
    if way == Way::Swallow { "answers swallowed".to_owned() } else { "commits cut".to_owned() }
}

async fn killed(cluster: &Cluster, chance: &mut StdRng, lasts: Duration) -> String {
    let (databases, begun) = (some(cluster, chance), tokio::time::Instant::now());
    let kill = if chance.random_bool(0.6) { Kill::Query } else { Kill::Connection };
    while begun.elapsed() < lasts {
        for database in &databases {
            // A server with no free connection is faulty enough.
            let _ = database.server.kill_all(USER, kill).await;
        }
        tokio::time::sleep(KILL_EVERY).await;
    }
    if kill == Kill::Query { "queries killed".to_owned() } else { "connections killed".to_owned() }
}

async fn read_only(cluster: &Cluster, chance: &mut StdRng, lasts: Duration) -> Result<String, ClusterError> {
    let databases = some(cluster, chance);
    for database in &databases {
        healed("read_only", async || database.server.set_read_only(true).await).await?;
    }
    tokio::time::sleep(lasts).await;
    for database in &databases {
        healed("read_only", async || database.server.set_read_only(false).await).await?;
    }
    Ok("databases read-only".to_owned())
}

async fn refused(cluster: &Cluster, chance: &mut StdRng, lasts: Duration) -> Result<String, ClusterError> {
    let topic = Topic::ALL[chance.random_range(0..Topic::ALL.len())];
    let what = "max.message.bytes";
    let config = Config::of(&cluster.settings)
        .map_err(|error| ClusterError::Failed { what: what.to_owned(), said: error.to_string() })?;
    healed(what, async || refuse_records(&config, topic, true).await).await?;
    tokio::time::sleep(lasts).await;
    healed(what, async || refuse_records(&config, topic, false).await).await?;
    Ok("records refused".to_owned())
}

/// Repeats an action until it succeeds, a bounded number of times.
async fn healed<E: std::fmt::Display>(what: &str, heal: impl AsyncFn() -> Result<(), E>) -> Result<(), ClusterError> {
    let mut said = String::new();
    for _ in 0..HEAL_TRIES {
        match heal().await {
            Ok(()) => return Ok(()),
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(ClusterError::Failed { what: what.to_owned(), said })
}
