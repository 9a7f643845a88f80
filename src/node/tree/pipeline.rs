//! The branches behind the shards: publishers, the workers of the consumer groups, and what looks after what is due.

use std::sync::Arc;
use std::time::Duration;

use super::builder::{PIPELINE, TreeBuilder};
use super::shards::Nudges;
use crate::actors::breaker::Breaker;
use crate::actors::event_handler::EventHandler;
use crate::actors::event_worker::EventWorker;
use crate::actors::guarded_psp::GuardedPsp;
use crate::actors::held_back::Refusals;
use crate::actors::job::{Job, Step};
use crate::actors::lease_guard::LeaseGuard;
use crate::actors::observer::{Observer, ShardObservations};
use crate::actors::outbox_publisher::OutboxPublisher;
use crate::actors::pruner::Pruner;
use crate::actors::psp_worker::PspWorker;
use crate::actors::redriver::Redriver;
use crate::actors::resolver::Resolver;
use crate::actors::retrier::Retrier;
use crate::actors::shards::Shards;
use crate::domain::event::{Consumer, EVENT_PARTITIONS};
use crate::domain::{IdGenerator, ShardId};
use crate::infra::event_log::EventLog;
use crate::node::lease_registry::LeaseRegistry;
use crate::runtime::{Handle, Supervisor};

/// Rows that one prune deletes at most: a batch's time or so.
const PRUNE_ROWS_MAX: u64 = 500;
/// How often a shard prunes.
const PRUNE_EVERY: Duration = Duration::from_secs(30);
/// How often workers look at the log even if nobody nudged them.
const LOG_POLL: Duration = Duration::from_millis(500);

impl TreeBuilder<'_> {
    pub(super) fn publishers(
        &self,
        supervisor: &mut Supervisor,
        shards: &Shards,
        log: &Arc<dyn EventLog>,
        breaker: &Handle<Breaker>,
        leases: &mut LeaseRegistry,
        nudges: &Nudges,
    ) -> Refusals {
        let refusals = Refusals::exported();
        let outbox = &self.config.outbox;
        let (every, linger) = (Duration::from_millis(outbox.poll_ms), Duration::from_millis(outbox.linger_ms));
        let batch_max = outbox.batch_max;
        for shard in shards.all() {
            let id = shard.database.id;
            let (shard, log, breaker, refused) = (shard.clone(), log.clone(), breaker.clone(), refusals.clone());
            let lease_guard = leases.of("publisher", id);
            let schedule = Schedule { name: "outbox_publisher", job: "publish", every, lease_guard };
            let publisher = self.job(supervisor, id, schedule, move || {
                OutboxPublisher::new(shard.clone(), log.clone(), breaker.clone(), batch_max, linger, refused.clone())
            });
            // Set once, here: before the start nobody nudges.
            let _ = nudges.of(id).set(publisher.nudger());
        }
        refusals
    }

    /// One observer a shard, whichever the roles: each process tells how it sees them.
    pub(super) fn observers(&self, supervisor: &mut Supervisor, shards: &Shards) {
        let settings = &self.config.telemetry;
        let (every, ledger_every) =
            (Duration::from_millis(settings.observe_every_ms), Duration::from_millis(settings.ledger_every_ms));
        let sights = ShardObservations::exported();
        for shard in shards.all() {
            let options = self.options("observer", PIPELINE).shard(shard.database.id.0).tick(every);
            let (database, sights) = (shard.database.clone(), sights.clone());
            supervisor.actor(options, move || Observer::new(database.clone(), sights.clone(), ledger_every));
        }
    }

    /// One worker for each partition of the consumer's topics, woken by what is appended there.
    pub(super) fn workers<W: EventHandler + Clone + Send>(
        &self,
        supervisor: &mut Supervisor,
        name: &'static str,
        log: &Arc<dyn EventLog>,
        shards: &Shards,
        work: &W,
    ) {
        for partition in 0..EVENT_PARTITIONS {
            let options = self.options(name, PIPELINE).shard(partition).tick(LOG_POLL);
            let (read, shards, work, node) = (log.clone(), shards.clone(), work.clone(), self.config.node.id);
            let (batch_max, topics) = (self.config.requests.batch_max, work.consumer().topics());
            let worker = supervisor.actor(options, move || {
                EventWorker::new(
                    work.clone(),
                    read.clone(),
                    shards.clone(),
                    partition,
                    batch_max,
                    IdGenerator::new(node),
                )
            });
            for topic in topics {
                let nudger = worker.nudger();
                let nudged = log.on_append(topic.name(), partition, Arc::new(move || nudger.nudge()));
                if let Err(error) = nudged {
                    tracing::warn!(topic = topic.name(), partition, %error, "worker will poll");
                }
            }
        }
    }

    pub(super) fn retriers(
        &self,
        supervisor: &mut Supervisor,
        (name, lease, job): (&'static str, &str, &'static str),
        worker: &PspWorker,
        leases: &mut LeaseRegistry,
    ) {
        let (work, is_for_refunds) = (&worker.work, worker.consumer == Consumer::Refund);
        let settings = &self.config.requests;
        let (every, batch_max) = (Duration::from_millis(settings.poll_ms), settings.batch_max);
        for shard in work.shards.all() {
            let (id, work, shard) = (shard.database.id, work.clone(), shard.clone());
            let schedule = Schedule { name, job, every, lease_guard: leases.of(lease, id) };
            self.job(supervisor, id, schedule, move || {
                Retrier::new(work.clone(), shard.clone(), is_for_refunds, batch_max)
            });
        }
    }

    pub(super) fn resolvers(
        &self,
        supervisor: &mut Supervisor,
        shards: &Shards,
        psp: &GuardedPsp,
        leases: &mut LeaseRegistry,
    ) {
        let every = Duration::from_millis(self.config.resolver.poll_ms);
        let batch_max = self.config.requests.batch_max as u64;
        for shard in shards.all() {
            let (id, shard, psp) = (shard.database.id, shard.clone(), psp.clone());
            let schedule = Schedule { name: "resolver", job: "resolve", every, lease_guard: leases.of("resolver", id) };
            self.job(supervisor, id, schedule, move || Resolver::new(shard.clone(), psp.clone(), batch_max));
        }
    }

    /// One redriver a shard, which delivers to the consumer's work.
    pub(super) fn redrivers<W: EventHandler + Clone + Send>(
        &self,
        supervisor: &mut Supervisor,
        (name, job): (&'static str, &'static str),
        shards: &Shards,
        work: W,
        leases: &mut LeaseRegistry,
    ) {
        let settings = &self.config.dead_letters;
        let (every, batch_max) = (Duration::from_millis(settings.poll_ms), settings.batch_max);
        for shard in shards.all() {
            let (id, node) = (shard.database.id, self.config.node.id);
            let (work, shard, shards) = (work.clone(), shard.clone(), shards.clone());
            let schedule = Schedule { name, job, every, lease_guard: leases.of(name, id) };
            self.job(supervisor, id, schedule, move || {
                Redriver::new(work.clone(), shard.clone(), shards.clone(), batch_max, IdGenerator::new(node))
            });
        }
    }

    pub(super) fn pruners(&self, supervisor: &mut Supervisor, shards: &Shards, leases: &mut LeaseRegistry) {
        let events_kept = Duration::from_millis(self.config.outbox.kept_ms);
        for shard in shards.all() {
            let (id, database) = (shard.database.id, shard.database.clone());
            let lease_guard = leases.of("pruner", id);
            let schedule = Schedule { name: "pruner", job: "prune", every: PRUNE_EVERY, lease_guard };
            self.job(supervisor, id, schedule, move || Pruner::new(database.clone(), events_kept, PRUNE_ROWS_MAX));
        }
    }

    /// A job on a shard.
    pub(super) fn job<S: Step>(
        &self,
        supervisor: &mut Supervisor,
        shard: ShardId,
        schedule: Schedule,
        step: impl Fn() -> S + Send + 'static,
    ) -> Handle<Job<S>> {
        let Schedule { name, job, every, lease_guard } = schedule;
        let options = self.options(name, PIPELINE).shard(shard.0).tick(every);
        let place = self.jobs.place(job, shard, every);
        let actor = supervisor.actor(options, move || Job::new(step(), lease_guard.clone(), place.clone()));
        // The first look is not a tick away.
        actor.nudge();
        actor
    }
}

/// Which actor does which job, how often, and under which lease.
pub(super) struct Schedule {
    pub name: &'static str,
    pub job: &'static str,
    pub every: Duration,
    pub lease_guard: LeaseGuard,
}
