//! The supervision tree: who there is, who supervises whom, in which order they start, and on which thread they sit.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::adapters::{Adapters, is_embedded};
use super::lease_registry::LeaseRegistry;
use crate::actors::admission::{self, Admission};
use crate::actors::breaker::{self, Breaker};
use crate::actors::event_handler::EventHandler;
use crate::actors::event_worker::EventWorker;
use crate::actors::guarded_psp::{GuardedPsp, PspBreakers};
use crate::actors::held_back::Refusals;
use crate::actors::idempotency_cache::{self, IdempotencyCache};
use crate::actors::leases::{self, Leases};
use crate::actors::ledger_writer::LedgerWriter;
use crate::actors::observer::{Observer, ShardObservations};
use crate::actors::outage::Outages;
use crate::actors::outbox_publisher::OutboxPublisher;
use crate::actors::psp_work::{PspWork, RequestMeter};
use crate::actors::rate_limiter::{self, RateLimiter};
use crate::actors::redriver::Redriver;
use crate::actors::refund::Refund;
use crate::actors::resolver::Resolver;
use crate::actors::retrier::Retrier;
use crate::actors::row_reader::{self, RowKey, RowReader};
use crate::actors::settlement::Settlement;
use crate::actors::shard_writer::{Pruning, ShardWriter};
use crate::actors::shards::{Shard, Shards};
use crate::config::{Config, Role, Roles};
use crate::domain::event::EVENT_PARTITIONS;
use crate::domain::policy::Policy;
use crate::domain::{IdGenerator, ShardId, ShardMap};
use crate::flows::{App, Conditions, IdempotencyMeter, Operations, Parts};
use crate::infra::cache::limits::MemoryLimits;
use crate::infra::cache::{AnswerCache, LimitStore};
use crate::infra::database::ShardDatabase;
use crate::infra::event_log::EventLog;
use crate::infra::lease::LeaseStore;
use crate::runtime::{
    Environment, Escalation, Executor, Handle, Intensity, Nudger, Options, Running, Strategy, Supervisor,
};

/// Rows that one prune deletes at most: a batch's time or so.
const PRUNE_ROWS_MAX: u64 = 500;
/// How often a shard's writer sees to itself: whether a database that failed takes writes again, and what is to be pruned.
const WRITER_TICK: Duration = Duration::from_secs(1);
/// How often a shard prunes.
const PRUNE_EVERY: Duration = Duration::from_secs(30);
/// How often workers look at the log even if nobody nudged them.
const LOG_POLL: Duration = Duration::from_millis(500);
/// Seats, which share the threads there are: each shard's writer has one, those in front of it another, and those behind it.
const FRONT: &str = "front";
const PIPELINE: &str = "pipeline";

/// Writes down the tree of these roles and starts it.
pub async fn build(
    environment: &Environment,
    config: &Config,
    roles: Roles,
    adapters: Adapters,
) -> Result<(App, Arc<Running>), Escalation> {
    let builder = TreeBuilder { environment, config };
    let mut root = builder.supervisor("rialto");
    let policy = Arc::new(config.policy());
    let mut tenures = LeaseRegistry::new(adapters.leases.is_none(), environment.clock.instant());

    let mut guards = builder.supervisor("guards");
    let psp_breaker = builder.breaker(&mut guards, "breaker_psp", "psp");
    let lookup_breaker = builder.breaker(&mut guards, "breaker_psp_lookup", "psp_lookup");
    let log_breaker = builder.breaker(&mut guards, "breaker_event_log", "event_log");
    let free_min_bytes = if is_embedded(config) { config.storage.free_min_bytes } else { 0 };
    let storage = adapters.storage.map(|storage| (storage, free_min_bytes));
    let mut conditions = Conditions { storage, ..Conditions::default() };
    let limiter = builder.rate_limiter(&mut guards, adapters.limits, &conditions.outages);
    let cache = builder.idempotency_cache(&mut guards, adapters.answers, &conditions.outages);

    let (mut writers, nudges) = (builder.supervisor("shards"), Nudges::default());
    let shards = builder.shards(&mut writers, adapters.map, adapters.databases, &policy, &nudges);
    let readers = builder.readers(&mut writers, &shards);
    let claim_readers = builder.readers(&mut writers, &shards);
    let mut behind = Vec::new();

    let timeout = Duration::from_millis(config.psp.timeout_ms);
    let psp_breakers = PspBreakers { operations: psp_breaker.clone(), lookups: lookup_breaker.clone() };
    let psp = GuardedPsp::new(adapters.psp, psp_breakers, environment.clock.clone(), timeout);
    let work =
        PspWork { psp: psp.clone(), shards: shards.clone(), policy: policy.clone(), meter: RequestMeter::default() };
    if let Some(log) = &adapters.log {
        if roles.has(Role::Publisher) {
            let mut publishers = builder.supervisor("publishers");
            conditions.refusals =
                builder.publishers(&mut publishers, &shards, log, &log_breaker, &mut tenures, &nudges);
            behind.push(publishers);
        }
        if roles.has(Role::Ledger) {
            let mut ledger = builder.supervisor("ledger");
            let booking = LedgerWriter(shards.clone());
            builder.workers(&mut ledger, "ledger_writer", log, &shards, &booking);
            builder.redrivers(&mut ledger, "ledger_redriver", &shards, booking, &mut tenures);
            behind.push(ledger);
        }
        if roles.has(Role::Settlement) {
            let mut settlement = builder.supervisor("settlement");
            let settling = Settlement(work.clone());
            builder.workers(&mut settlement, "settlement", log, &shards, &settling);
            builder.redrivers(&mut settlement, "settlement_redriver", &shards, settling, &mut tenures);
            builder.retriers(&mut settlement, "settlement_retrier", &work, false, &mut tenures);
            behind.push(settlement);
        }
        if roles.has(Role::Refund) {
            let mut refund = builder.supervisor("refund");
            let refunding = Refund(work.clone());
            builder.workers(&mut refund, "refund", log, &shards, &refunding);
            builder.redrivers(&mut refund, "refund_redriver", &shards, refunding, &mut tenures);
            builder.retriers(&mut refund, "refund_retrier", &work, true, &mut tenures);
            behind.push(refund);
        }
    }
    if roles.has(Role::Resolver) {
        let mut resolver = builder.supervisor("resolver");
        builder.resolvers(&mut resolver, &shards, &psp, &mut tenures);
        behind.push(resolver);
    }
    if config.telemetry.metrics {
        let mut observers = builder.supervisor("observers");
        builder.observers(&mut observers, &shards);
        behind.push(observers);
    }
    if let Some(store) = adapters.leases {
        builder.leases(&mut guards, store, tenures, &conditions.outages);
    }

    // Who is in front starts first and stops last.
    root.adopt(guards);
    root.adopt(writers);
    behind.into_iter().for_each(|supervisor| root.adopt(supervisor));
    let running = Arc::new(root.start().await);
    if let Some(escalation) = futures_util::FutureExt::now_or_never(running.failed()) {
        return Err(escalation);
    }
    let breakers = vec![("psp", psp_breaker), ("event_log", log_breaker), ("psp_lookup", lookup_breaker)];
    let app = App::new(Parts {
        roles,
        clock: environment.clock.clone(),
        chance: environment.chance.clone(),
        executor: Executor::at(FRONT, environment),
        patience: builder.patience(),
        policy,
        ids: Mutex::new(builder.ids()),
        shards: shards.clone(),
        readers,
        claim_readers,
        admission: builder.admission(&shards),
        limiter,
        cache,
        idempotency: IdempotencyMeter::default(),
        psp,
        conditions,
        operations: Operations::new(running.clone(), breakers, shards, adapters.fault_switch),
        files: adapters.files,
    });
    Ok((app, running))
}

/// How a shard's writer reaches the shard's publisher, where this process has one.
#[derive(Default)]
struct Nudges(RefCell<HashMap<ShardId, Arc<OnceLock<Nudger>>>>);

impl Nudges {
    fn of(&self, shard: ShardId) -> Arc<OnceLock<Nudger>> {
        self.0.borrow_mut().entry(shard).or_default().clone()
    }
}

struct TreeBuilder<'a> {
    environment: &'a Environment,
    config: &'a Config,
}

impl TreeBuilder<'_> {
    fn supervisor(&self, name: &str) -> Supervisor {
        let settings = &self.config.supervision;
        let within = Duration::from_millis(settings.within_ms);
        let intensity = Intensity { restarts: settings.restarts_max, within };
        Supervisor::new(name, Strategy::OneForOne, intensity, self.environment)
    }

    /// What all actors have in common, over what each has of its own.
    fn common(&self, options: Options, slot: &str) -> Options {
        let drain = Duration::from_millis(self.config.node.drain_ms);
        let hang_after = Duration::from_millis(self.config.supervision.hang_after_ms);
        options.slot(slot).hang_after(hang_after).drain_deadline(drain)
    }

    fn options(&self, name: &'static str, slot: &str) -> Options {
        self.common(Options::new(name), slot)
    }

    /// How long a call takes at most that asks its shard twice and the PSP once.
    fn patience(&self) -> Duration {
        let (shard, psp) = (self.config.shard.ask_deadline_ms, self.config.psp.timeout_ms);
        Duration::from_millis(shard.saturating_mul(3).saturating_add(psp))
    }

    fn ids(&self) -> IdGenerator {
        IdGenerator::new(self.config.node.id)
    }

    fn breaker(&self, guards: &mut Supervisor, name: &'static str, guarded: &'static str) -> Handle<Breaker> {
        let figures = &self.config.breaker;
        let settings = breaker::Settings {
            window: Duration::from_millis(figures.window_ms),
            minimum_calls: figures.minimum_calls,
            failure_rate_percent: figures.failure_rate_percent,
            slow_rate_percent: figures.slow_rate_percent,
            slow_call: Duration::from_millis(figures.slow_call_ms),
            open: Duration::from_millis(figures.open_ms),
            trial_calls: figures.trial_calls,
        };
        guards.actor(self.common(breaker::options(name), FRONT), move || Breaker::new(guarded, settings.clone()))
    }

    fn rate_limiter(
        &self,
        guards: &mut Supervisor,
        store: Arc<dyn LimitStore>,
        outages: &Outages,
    ) -> Handle<RateLimiter> {
        let figures = &self.config.limits;
        let limits = rate_limiter::RateLimits {
            authorize_per_minute: figures.authorize_per_minute,
            capture_per_minute: figures.capture_per_minute,
            refund_per_minute: figures.refund_per_minute,
        };
        let hosts = figures.hosts;
        let local = Arc::new(MemoryLimits::default());
        let options = self.common(rate_limiter::options(), FRONT);
        let outages = outages.clone();
        guards.actor(options, move || RateLimiter::new(store.clone(), local.clone(), limits, hosts, outages.clone()))
    }

    fn idempotency_cache(
        &self,
        guards: &mut Supervisor,
        answers: Arc<dyn AnswerCache>,
        outages: &Outages,
    ) -> Handle<IdempotencyCache> {
        let outages = outages.clone();
        guards.actor(self.common(idempotency_cache::options(), FRONT), move || {
            IdempotencyCache::new(answers.clone(), outages.clone())
        })
    }

    /// Renews this process's leases.
    fn leases(&self, guards: &mut Supervisor, store: Arc<dyn LeaseStore>, tenures: LeaseRegistry, outages: &Outages) {
        let outages = outages.clone();
        // Another one for every process, also for one that starts anew.
        let holder: Arc<str> = format!("node-{}-{:016x}", self.config.node.id, self.environment.chance.u64()).into();
        let leases = tenures.into_leases();
        guards.actor(self.common(leases::options(), FRONT), move || {
            Leases::new(store.clone(), holder.clone(), leases.clone(), outages.clone())
        });
    }

    fn shards(
        &self,
        writers: &mut Supervisor,
        map: ShardMap,
        databases: Vec<ShardDatabase>,
        policy: &Arc<Policy>,
        nudges: &Nudges,
    ) -> Shards {
        let settings = &self.config.shard;
        let events_kept = Duration::from_millis(self.config.outbox.kept_ms);
        let pruning = Pruning { events_kept, rows_max: PRUNE_ROWS_MAX, every: PRUNE_EVERY };
        let shard = |database: ShardDatabase| {
            let id = database.id.0;
            let options = self
                .options("shard_writer", &format!("shard-{id}"))
                .shard(id)
                .capacity(settings.mailbox_capacity)
                .max_batch(settings.max_batch)
                .ask_deadline(Duration::from_millis(settings.ask_deadline_ms))
                .tick(WRITER_TICK);
            let (node, policy, writes) = (self.config.node.id, policy.clone(), database.clone());
            let publisher = nudges.of(database.id);
            let writer = writers.actor(options, move || {
                let publisher = publisher.clone();
                let nudger = Nudger::from_fn(move || {
                    if let Some(publisher) = publisher.get() {
                        publisher.nudge();
                    }
                });
                ShardWriter::new(writes.clone(), policy.clone(), IdGenerator::new(node), nudger, pruning)
            });
            Shard { writer, database }
        };
        Shards::new(map, databases.into_iter().map(shard).collect())
    }

    fn readers<K: RowKey>(&self, supervisor: &mut Supervisor, shards: &Shards) -> Vec<Handle<RowReader<K>>> {
        let reader = |shard: &Shard| {
            let options = self.common(row_reader::options::<K>().shard(shard.database.id.0), FRONT);
            let database = shard.database.clone();
            supervisor.actor(options, move || RowReader::new(database.clone()))
        };
        shards.all().iter().map(reader).collect()
    }

    fn admission(&self, shards: &Shards) -> Admission {
        let settings = &self.config.shard;
        let limits = admission::ShedLimits {
            shed_above: settings.shed_above,
            shed_after: Duration::from_millis(settings.shed_after_ms),
            shed_target: Duration::from_millis(settings.shed_target_ms),
        };
        Admission::new(shards.clone(), limits, self.environment.clock.clone())
    }

    fn publishers(
        &self,
        supervisor: &mut Supervisor,
        shards: &Shards,
        log: &Arc<dyn EventLog>,
        breaker: &Handle<Breaker>,
        tenures: &mut LeaseRegistry,
        nudges: &Nudges,
    ) -> Refusals {
        let refusals = Refusals::exported();
        let outbox = &self.config.outbox;
        for shard in shards.all() {
            let id = shard.database.id;
            let tick = Duration::from_millis(outbox.poll_ms);
            let options = self.options("outbox_publisher", PIPELINE).shard(id.0).tick(tick);
            let (shard, log, breaker, refusals) = (shard.clone(), log.clone(), breaker.clone(), refusals.clone());
            let lease_guard = tenures.of("publisher", id);
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
    fn observers(&self, supervisor: &mut Supervisor, shards: &Shards) {
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
    fn workers<W: EventHandler + Clone + Send>(
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

    fn retriers(
        &self,
        supervisor: &mut Supervisor,
        name: &'static str,
        work: &PspWork,
        is_for_refunds: bool,
        tenures: &mut LeaseRegistry,
    ) {
        let kind = if is_for_refunds { "retrier:refund" } else { "retrier:settlement" };
        let settings = &self.config.requests;
        for shard in work.shards.all() {
            let id = shard.database.id;
            let options = self.options(name, PIPELINE).shard(id.0).tick(Duration::from_millis(settings.poll_ms));
            let (work, shard, lease_guard, batch_max) =
                (work.clone(), shard.clone(), tenures.of(kind, id), settings.batch_max);
            supervisor.actor(options, move || {
                Retrier::new(work.clone(), shard.clone(), lease_guard.clone(), is_for_refunds, batch_max)
            });
        }
    }

    fn resolvers(&self, supervisor: &mut Supervisor, shards: &Shards, psp: &GuardedPsp, tenures: &mut LeaseRegistry) {
        for shard in shards.all() {
            let id = shard.database.id;
            let tick = Duration::from_millis(self.config.resolver.poll_ms);
            let options = self.options("resolver", PIPELINE).shard(id.0).tick(tick);
            let (shard, psp, lease_guard) = (shard.clone(), psp.clone(), tenures.of("resolver", id));
            let batch_max = self.config.requests.batch_max as u64;
            supervisor
                .actor(options, move || Resolver::new(shard.clone(), lease_guard.clone(), psp.clone(), batch_max));
        }
    }

    /// One redriver a shard, which delivers to the consumer's work.
    fn redrivers<W: EventHandler + Clone + Send>(
        &self,
        supervisor: &mut Supervisor,
        name: &'static str,
        shards: &Shards,
        work: W,
        tenures: &mut LeaseRegistry,
    ) {
        let settings = &self.config.dead_letters;
        for shard in shards.all() {
            let id = shard.database.id;
            let options = self.options(name, PIPELINE).shard(id.0).tick(Duration::from_millis(settings.poll_ms));
            let (work, shard, shards, node) = (work.clone(), shard.clone(), shards.clone(), self.config.node.id);
            let (lease_guard, batch_max) = (tenures.of(name, id), settings.batch_max);
            supervisor.actor(options, move || {
                let (shard, shards, lease_guard) = (shard.clone(), shards.clone(), lease_guard.clone());
                Redriver::new(work.clone(), shard, shards, lease_guard, batch_max, IdGenerator::new(node))
            });
        }
    }
}
