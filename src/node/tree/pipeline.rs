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
use crate::actors::observer::{Observer, ShardObservations};
use crate::actors::outbox_publisher::OutboxPublisher;
use crate::actors::psp_work::PspWork;
use crate::actors::redriver::Redriver;
use crate::actors::resolver::Resolver;
use crate::actors::retrier::Retrier;
use crate::actors::shards::Shards;
use crate::domain::IdGenerator;
use crate::domain::event::EVENT_PARTITIONS;
use crate::infra::event_log::EventLog;
use crate::node::lease_registry::LeaseRegistry;
use crate::runtime::{Handle, Supervisor};

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
        for shard in shards.all() {
            let id = shard.database.id;
            let tick = Duration::from_millis(outbox.poll_ms);
            let options = self.options("outbox_publisher", PIPELINE).shard(id.0).tick(tick);
            let (shard, log, breaker, refusals) = (shard.clone(), log.clone(), breaker.clone(), refusals.clone());
            let lease_guard = leases.of("publisher", id);
            let (batch_max, linger) = (outbox.batch_max, Duration::from_millis(outbox.linger_ms));
            let publisher = supervisor.actor(options, move || {
                let (shard, lease_guard, refusals) = (shard.clone(), lease_guard.clone(), refusals.clone());
                OutboxPublisher::new(shard, lease_guard, log.clone(), breaker.clone(), batch_max, linger, refusals)
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
            let batch_max = self.config.requests.batch_max;
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
            for topic in W::CONSUMER.topics() {
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
        name: &'static str,
        work: &PspWork,
        is_for_refunds: bool,
        leases: &mut LeaseRegistry,
    ) {
        let kind = if is_for_refunds { "retrier:refund" } else { "retrier:settlement" };
        let settings = &self.config.requests;
        for shard in work.shards.all() {
            let id = shard.database.id;
            let options = self.options(name, PIPELINE).shard(id.0).tick(Duration::from_millis(settings.poll_ms));
            let (work, shard, lease_guard, batch_max) =
                (work.clone(), shard.clone(), leases.of(kind, id), settings.batch_max);
            supervisor.actor(options, move || {
                Retrier::new(work.clone(), shard.clone(), lease_guard.clone(), is_for_refunds, batch_max)
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
        for shard in shards.all() {
            let id = shard.database.id;
            let tick = Duration::from_millis(self.config.resolver.poll_ms);
            let options = self.options("resolver", PIPELINE).shard(id.0).tick(tick);
            let (shard, psp, lease_guard) = (shard.clone(), psp.clone(), leases.of("resolver", id));
            let batch_max = self.config.requests.batch_max as u64;
            supervisor
                .actor(options, move || Resolver::new(shard.clone(), lease_guard.clone(), psp.clone(), batch_max));
        }
    }

    /// One redriver a shard, which delivers to the consumer's work.
    pub(super) fn redrivers<W: EventHandler + Clone + Send>(
        &self,
        supervisor: &mut Supervisor,
        name: &'static str,
        shards: &Shards,
        work: W,
        leases: &mut LeaseRegistry,
    ) {
        let settings = &self.config.dead_letters;
        for shard in shards.all() {
            let id = shard.database.id;
            let options = self.options(name, PIPELINE).shard(id.0).tick(Duration::from_millis(settings.poll_ms));
            let (work, shard, shards, node) = (work.clone(), shard.clone(), shards.clone(), self.config.node.id);
            let (lease_guard, batch_max) = (leases.of(name, id), settings.batch_max);
            supervisor.actor(options, move || {
                let (shard, shards, lease_guard) = (shard.clone(), shards.clone(), lease_guard.clone());
                Redriver::new(work.clone(), shard, shards, lease_guard, batch_max, IdGenerator::new(node))
            });
        }
    }
}
