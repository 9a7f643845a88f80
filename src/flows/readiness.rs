//! Readiness as capabilities: what the node can do now, and why not.

use std::time::Duration;

use futures_util::future::join_all;

use super::App;
use super::capability::{Capabilities, Capability, Level, Readiness};
use crate::actors::breaker::BreakerState;
use crate::actors::shards::Shard;
use crate::config::Role;
use crate::domain::commands::Ping;
use crate::runtime::{ActorSnapshot, State};

/// A database that does not answer within this is down.
const PING_DEADLINE: Duration = Duration::from_millis(500);
/// A writer that neither answers nor has committed anything for so long hangs.
const SILENT_MAX: Duration = Duration::from_millis(1_400);
/// Events that wait longer than this make publishing degraded.
const OUTBOX_AGE_MAX: Duration = Duration::from_secs(10);

/// What is found out for each thing that the node is for.
struct Findings {
    authorize: Capability,
    settle: Capability,
    refund: Capability,
    publish: Capability,
    operate: Capability,
}

impl Findings {
    /// Those that work on payments.
    fn all(&mut self) -> [&mut Capability; 4] {
        [&mut self.authorize, &mut self.settle, &mut self.refund, &mut self.publish]
    }

    fn work(&mut self) -> [&mut Capability; 2] {
        [&mut self.settle, &mut self.refund]
    }
}

impl App {
    /// What the node can do now, of what belongs to its roles.
    pub async fn readiness(&self) -> Readiness {
        let [authorize, settle, refund, publish, operate] = std::array::from_fn(|_| Capability::up());
        let mut findings = Findings { authorize, settle, refund, publish, operate };
        self.find_shards(&mut findings).await;
        self.find_files(&mut findings);
        self.find_breakers(&mut findings).await;
        self.find_actors(&mut findings);
        if let Some(doubt) = self.clock.doubt() {
            let (ahead, since) = (doubt.ahead_ms, doubt.since_ms / 1_000);
            let reason = format!("the clock was set by {ahead} ms {since} s ago: expiry waits");
            findings.settle.worsen(Level::Degraded, reason);
        }
        if let Some(reason) = self.conditions.of_storage() {
            findings.all().into_iter().for_each(|capability| capability.worsen(Level::Degraded, reason.clone()));
        }
        self.conditions.of_events(&mut findings.publish);
        let Findings { authorize, publish, operate, .. } = &mut findings;
        self.conditions.of_stores(authorize, publish, operate);

        let of = |role, capability| self.roles.has(role).then_some(capability);
        let capabilities = Capabilities {
            authorize: of(Role::Ingest, findings.authorize),
            settle: of(Role::Settlement, findings.settle),
            refund: of(Role::Refund, findings.refund),
            publish: of(Role::Publisher, findings.publish),
            operate: findings.operate,
        };
        let Capabilities { authorize, settle, refund, publish, operate } = &capabilities;
        let known = [authorize, settle, refund, publish].into_iter().flatten();
        let status = known.map(|capability| capability.status).fold(operate.status, Level::max);
        Readiness { status, capabilities }
    }

    async fn find_shards(&self, findings: &mut Findings) {
        let shards = self.shards.all();
        let pings = shards.iter().map(async |shard| {
            let answer = tokio::time::timeout(PING_DEADLINE, shard.database.outbox_backlog()).await;
            answer.ok().and_then(Result::ok).filter(|_| shard.database.check_file().is_ok())
        });
        let writers = shards.iter().map(writer_trouble);
        let (backlogs, troubles) = tokio::join!(join_all(pings), join_all(writers));
        let silent = |backlog: &Option<_>| backlog.is_none().then(|| "does not answer".to_owned());
        let troubles: Vec<_> =
            backlogs.iter().zip(troubles).map(|(backlog, trouble)| silent(backlog).or(trouble)).collect();
        let down = troubles.iter().flatten().count();
        for ((shard, backlog), trouble) in shards.iter().zip(&backlogs).zip(troubles) {
            let id = shard.database.id;
            if let Some(trouble) = trouble {
                let level = if down == shards.len() { Level::Down } else { Level::Degraded };
                let reason = match shard.database.check_file() {
                    Ok(()) => format!("the database of shard {id} {trouble}"),
                    Err(lost) => format!("the data of shard {id} are lost: {lost}"),
                };
                findings.all().into_iter().for_each(|capability| capability.worsen(level, reason.clone()));
            }
            let Some(backlog) = backlog else { continue };
            if backlog.oldest.is_some_and(|oldest| oldest < self.now().before(OUTBOX_AGE_MAX)) {
                let reason = format!("{} events of shard {id} wait to be published", backlog.pending);
                findings.work().into_iter().for_each(|capability| capability.worsen(Level::Degraded, reason.clone()));
                findings.publish.worsen(Level::Degraded, reason);
            }
        }
    }

    fn find_files(&self, findings: &mut Findings) {
        if let Err(lost) = self.files.event_log.check() {
            let reason = format!("the event log is lost: {lost}");
            findings.publish.worsen(Level::Down, reason.clone());
            findings.work().into_iter().for_each(|capability| capability.worsen(Level::Degraded, reason.clone()));
        }
        if let Err(lost) = self.files.psp.check() {
            let reason = format!("the books of the PSP simulator are lost: {lost}");
            findings.authorize.worsen(Level::Down, reason.clone());
            findings.work().into_iter().for_each(|capability| capability.worsen(Level::Down, reason.clone()));
        }
    }

    async fn find_breakers(&self, findings: &mut Findings) {
        for breaker in self.operations.breakers().await.unwrap_or_default() {
            let held = breaker.forced.as_ref().map(|forced| forced.said());
            let reason = match (breaker.state, held) {
                (BreakerState::ForcedClosed, held) => {
                    let by = held.unwrap_or_default();
                    let reason = format!("the breaker of {} is forced closed and protects nobody, {by}", breaker.name);
                    findings.operate.worsen(Level::Degraded, reason);
                    continue;
                }
                (BreakerState::ForcedOpen, Some(by)) => format!("the breaker of {} is open: forced {by}", breaker.name),
                (BreakerState::Open | BreakerState::ForcedOpen, _) => {
                    format!("the breaker of {} is open", breaker.name)
                }
                (BreakerState::Closed | BreakerState::HalfOpen, _) => continue,
            };
            match breaker.name {
                "psp" => findings.authorize.worsen(Level::Down, reason.clone()),
                // Outcomes that are unknown stay so; nothing else waits for them.
                "psp_lookup" => {
                    findings.authorize.worsen(Level::Degraded, reason);
                    continue;
                }
                _ => findings.publish.worsen(Level::Down, reason.clone()),
            }
            findings.work().into_iter().for_each(|capability| capability.worsen(Level::Degraded, reason.clone()));
        }
    }

    fn find_actors(&self, findings: &mut Findings) {
        let tree = self.operations.tree();
        for actor in tree.actors().into_iter().filter(|actor| actor.state != State::Running) {
            let reason = not_running(actor);
            match actor.actor {
                "shard_writer" => findings.authorize.worsen(Level::Degraded, reason),
                "outbox_publisher" => findings.publish.worsen(Level::Degraded, reason),
                "settlement" | "settlement_retrier" => findings.settle.worsen(Level::Degraded, reason),
                "refund" | "refund_retrier" => findings.refund.worsen(Level::Degraded, reason),
                _ => {}
            }
        }
    }
}

/// What is wrong with a shard that can be asked. Whether it writes is asked of its writer: readers may answer while a
/// connection that writes hangs. A writer that has much to do is not in trouble as long as it commits.
async fn writer_trouble(shard: &Shard) -> Option<String> {
    if let Some(trouble) = shard.database.health.trouble() {
        return Some(trouble);
    }
    let answered = tokio::time::timeout(PING_DEADLINE, shard.write(Ping)).await;
    let is_silent = answered.is_err() && shard.database.health.silent_for() > SILENT_MAX;
    is_silent.then(|| "takes no writes: its writer does not answer".to_owned())
}

fn not_running(actor: &ActorSnapshot) -> String {
    let state = match actor.state {
        State::Waiting => "waiting",
        State::Starting => "starting",
        State::Running => "running",
        State::Restarting => "restarting",
        State::Stopped => "stopped",
    };
    match actor.shard {
        Some(shard) => format!("{}/{shard} is {state}", actor.actor),
        None => format!("{} is {state}", actor.actor),
    }
}
