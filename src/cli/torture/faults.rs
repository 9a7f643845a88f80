//! Faults of the cluster, drawn from the seed.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::outside::{Outside, strike};
use super::process::{ClusterError, SERVERS};
use crate::config::Config;
use crate::domain::event::{Consumer, EVENT_PARTITIONS};
use crate::node::rewind;

/// Actors of every node.
const ACTORS: [&str; 15] = [
    "action_mover",
    "control_keeper",
    "shard_writer",
    "payment_reader",
    "outbox_publisher",
    "settlement",
    "refund",
    "ledger_writer",
    "resolver",
    "settlement_retrier",
    "refund_retrier",
    "rate_limiter",
    "idempotency_cache",
    "breaker_psp",
    "breaker_event_log",
];
/// Clocks jump by up to an hour either way: less than an authorization lives.
const JUMP_MS_MAX: i64 = 3_600_000;
/// A clock that is set wrong is years ahead, far beyond the life of an authorization, and is set right after a moment.
const STEP_MS: std::ops::Range<i64> = 31_536_000_000..300_000_000_000;
const STEP_LASTS_MS: std::ops::Range<u64> = 50..3_000;
/// How many times a node is told to set its clock right; then it is restarted.
const SET_RIGHT_TRIES: usize = 5;

/// One kind of fault, and its weight when kinds are drawn.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Kill,
    Pause,
    Actor,
    Psp,
    Clock,
    ClockStep,
    Redeliver,
    Server,
    Outside(Outside),
}

const EVERYWHERE: [(Kind, u32); 7] = [
    (Kind::Kill, 3),
    (Kind::Pause, 1),
    (Kind::Actor, 8),
    (Kind::Psp, 2),
    (Kind::Clock, 2),
    (Kind::ClockStep, 2),
    (Kind::Redeliver, 1),
];

/// Makes faults in the cluster until its time is over.
pub struct FaultInjector {
    chance: StdRng,
    http: reqwest::Client,
    /// The furthest that any clock was ahead.
    ahead_ms: i64,
    pub done: BTreeMap<String, u64>,
    /// Wrong reactions to faults.
    pub wrong: Vec<String>,
}

impl FaultInjector {
    pub fn new(seed: u64, http: reqwest::Client) -> Self {
        Self { chance: StdRng::seed_from_u64(seed), http, ahead_ms: 0, done: BTreeMap::new(), wrong: Vec::new() }
    }

    pub async fn inject(&mut self, cluster: &mut Cluster, ends_at: Instant) -> Result<(), ClusterError> {
        let mut kinds = EVERYWHERE.to_vec();
        kinds.extend(Outside::of(cluster).into_iter().map(|(kind, weight)| (Kind::Outside(kind), weight)));
        if cluster.servers.is_some() {
            kinds.push((Kind::Server, 4));
        }
        while Instant::now() < ends_at {
            let wait = self.chance.random_range(300..2_500);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let Ok((kind, _)) = kinds.choose_weighted(&mut self.chance, |(_, weight)| *weight) else { continue };
            self.strike(*kind, cluster).await?;
            let revived = cluster.keep_up().await?;
            *self.done.entry("nodes that gave up".to_owned()).or_default() += revived as u64;
        }
        Ok(())
    }

    async fn strike(&mut self, kind: Kind, cluster: &mut Cluster) -> Result<(), ClusterError> {
        let node = self.chance.random_range(0..cluster.nodes());
        let while_ = Duration::from_millis(self.chance.random_range(0..4_000));
        let what = match kind {
            Kind::Kill => {
                cluster.kill_node(node).await;
                tokio::time::sleep(while_ / 2).await;
                cluster.start_node(node).await?;
                "node killed".to_owned()
            }
            Kind::Pause => {
                cluster.pause_node(node, while_).await;
                "node paused".to_owned()
            }
            Kind::Psp => {
                cluster.restart_psp(while_ / 2).await?;
                "psp killed".to_owned()
            }
            Kind::Actor => self.fault_actor(cluster, node).await,
            Kind::Clock => {
                let ahead_ms = self.chance.random_range(-JUMP_MS_MAX..JUMP_MS_MAX);
                self.ahead_ms = self.ahead_ms.max(ahead_ms);
                self.set_clock(cluster, node, ahead_ms).await;
                "clock jumped".to_owned()
            }
            Kind::ClockStep => {
                self.step_clock(cluster, node).await?;
                "clock stepped by years".to_owned()
            }
            Kind::Outside(kind) => {
                let struck = strike(kind, cluster, &mut self.chance, &self.http).await?;
                self.wrong.extend(struck.wrong);
                struck.what
            }
            Kind::Redeliver => self.redeliver(cluster).await?,
            Kind::Server => {
                let name = SERVERS.choose(&mut self.chance).copied().unwrap_or(SERVERS[0]);
                if let Some(servers) = &cluster.servers {
                    servers.run("kill", &[name]).await?;
                    tokio::time::sleep(while_).await;
                    servers.run("up", &[name]).await?;
                }
                format!("{name} killed")
            }
        };
        *self.done.entry(what).or_default() += 1;
        Ok(())
    }

    async fn fault_actor(&mut self, cluster: &Cluster, node: usize) -> String {
        let actor = ACTORS.choose(&mut self.chance).copied().unwrap_or(ACTORS[0]);
        let fault = match self.chance.random_range(0..8) {
            0..3 => json!("panic"),
            3 => json!("hang"),
            4..6 => json!("drop"),
            _ => json!({ "delay": self.chance.random_range(1..2_000) }),
        };
        let times = self.chance.random_range(1..4);
        let body = json!({ "actor": actor, "fault": fault, "times": times });
        self.tell(cluster, node, reqwest::Method::POST, "/admin/faults", &body).await;
        format!("actor {}", fault.as_str().unwrap_or("delay"))
    }

    async fn redeliver(&mut self, cluster: &mut Cluster) -> Result<String, ClusterError> {
        for node in 0..cluster.nodes() {
            cluster.kill_node(node).await;
        }
        let rewound = self.rewind(cluster).await;
        for node in 0..cluster.nodes() {
            cluster.start_node(node).await?;
        }
        Ok(if rewound { "group rewound".to_owned() } else { "all nodes killed".to_owned() })
    }

    /// Sets some group back to the beginning of a partition, so that all of it is delivered again.
    async fn rewind(&mut self, cluster: &Cluster) -> bool {
        let consumer = Consumer::ALL[self.chance.random_range(0..Consumer::ALL.len())];
        let topic = consumer.topics()[self.chance.random_range(0..consumer.topics().len())];
        let partition = self.chance.random_range(0..EVENT_PARTITIONS);
        let Ok(config) = Config::of(&cluster.settings) else { return false };
        rewind(&config, &cluster.data_dir, consumer, topic, &[(partition, 0)]).await.is_ok()
    }

    /// Ends all faults: servers, PSP and nodes run without them. Clocks stay where the furthest one was: otherwise work
    /// that was scheduled by that clock would wait for up to an hour.
    pub async fn heal(&mut self, cluster: &mut Cluster) -> Result<(), ClusterError> {
        if let Some(servers) = &cluster.servers {
            servers.run("up", &SERVERS).await?;
        }
        cluster.heal_psp().await?;
        for node in 0..cluster.nodes() {
            cluster.kill_node(node).await;
            cluster.start_node(node).await?;
            self.set_clock(cluster, node, self.ahead_ms).await;
        }
        Ok(())
    }

    /// Sets a node's clock years ahead for a moment, and right again.
    async fn step_clock(&mut self, cluster: &mut Cluster, node: usize) -> Result<(), ClusterError> {
        let (ahead_ms, lasts) = (self.chance.random_range(STEP_MS), self.chance.random_range(STEP_LASTS_MS));
        self.set_clock(cluster, node, ahead_ms).await;
        tokio::time::sleep(Duration::from_millis(lasts)).await;
        for _ in 0..SET_RIGHT_TRIES {
            if self.set_clock(cluster, node, 0).await {
                return Ok(());
            }
        }
        cluster.kill_node(node).await;
        cluster.start_node(node).await
    }

    async fn set_clock(&self, cluster: &Cluster, node: usize, ahead_ms: i64) -> bool {
        let body = json!({ "aheadMs": ahead_ms });
        self.tell(cluster, node, reqwest::Method::PUT, "/admin/faults/clock", &body).await
    }

    /// Whether the node did as told. A node that cannot be told is faulty enough already.
    async fn tell(&self, cluster: &Cluster, node: usize, method: reqwest::Method, path: &str, body: &Value) -> bool {
        let url = cluster.urls.lock().get(node).cloned().unwrap_or_default();
        let told = self.http.request(method, format!("{url}{path}")).json(body).send().await;
        told.is_ok_and(|answer| answer.status().is_success())
    }
}
