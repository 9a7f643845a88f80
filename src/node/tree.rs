//! The supervision tree: who there is, who supervises whom, in which order they start, and on which thread they sit.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::actors::breaker::{self, Breaker};
use crate::actors::event_worker::{EventWorker, Work};
use crate::actors::guarded_psp::GuardedPsp;
use crate::actors::idempotency_cache::{self, IdempotencyCache};
use crate::actors::ledger_writer::LedgerWriter;
use crate::actors::outbox_publisher::OutboxPublisher;
use crate::actors::psp_work::PspWork;
use crate::actors::rate_limiter::{self, RateLimiter};
use crate::actors::refund::Refund;
use crate::actors::resolver::Resolver;
use crate::actors::retrier::Retrier;
use crate::actors::settlement::Settlement;
use crate::actors::shard_writer::{Pruning, ShardWriter};
use crate::actors::shards::{Shard, Shards};
use crate::actors::tenure::Tenure;
use crate::config::Config;
use crate::domain::event::EVENT_PARTITIONS;
use crate::domain::{IdGenerator, ShardMap};
use crate::flows::{App, Operations, Parts};
use crate::infra::cache::limits::MemoryLimits;
use crate::infra::cache::{AnswerCache, LimitStore};
use crate::infra::database::ShardDatabase;
use crate::infra::event_log::EventLog;
use crate::infra::psp::Psp;
use crate::runtime::{Environment, Escalation, Handle, Intensity, Options, Running, Strategy, Supervisor};

/// Everything outside, behind its port.
pub struct Adapters {
    pub map: ShardMap,
    /// In the map's order.
    pub databases: Vec<ShardDatabase>,
    pub log: Arc<dyn EventLog>,
    pub psp: Arc<dyn Psp>,
    pub answers: Arc<dyn AnswerCache>,
    pub limits: Arc<dyn LimitStore>,
}

/// Rows that one prune deletes at most: a batch's time or so.
const PRUNE_ROWS_MAX: u64 = 500;
/// How often a shard prunes.
const PRUNE_EVERY: Duration = Duration::from_secs(30);
/// How often workers look at the log even if nobody nudged them.
const LOG_POLL: Duration = Duration::from_millis(500);
/// Seats, each a thread: a shard's writer has one to itself, those in front of it share one, those behind it another.
const FRONT: &str = "front";
const PIPELINE: &str = "pipeline";

/// Writes the tree down and starts it.
pub async fn grow(
    environment: &Environment,
    config: &Config,
    adapters: Adapters,
) -> Result<(App, Arc<Running>), Escalation> {
    let grower = Grower { environment, config, log: adapters.log, limits: adapters.limits };
    let mut root = grower.supervisor("rialto");
    let policy = Arc::new(config.policy());

    let mut guards = grower.supervisor("guards");
    let psp_breaker = grower.breaker(&mut guards, "breaker_psp", "psp");
    let log_breaker = grower.breaker(&mut guards, "breaker_event_log", "event_log");
    let limiter = grower.rate_limiter(&mut guards);
    let cache = grower.idempotency_cache(&mut guards, adapters.answers);
    root.adopt(guards);

    let mut writers = grower.supervisor("shards");
    let mut publishers = grower.supervisor("publishers");
    let shards = grower.shards(&mut writers, &mut publishers, adapters.map, adapters.databases, &policy, &log_breaker);
    root.adopt(writers);
    root.adopt(publishers);

    let timeout = Duration::from_millis(config.psp.timeout_ms);
    let psp = GuardedPsp::new(adapters.psp, psp_breaker.clone(), environment.clock.clone(), timeout);
    let work = PspWork { psp: psp.clone(), shards: shards.clone(), policy: policy.clone() };

    let mut ledger = grower.supervisor("ledger");
    let booking = shards.clone();
    grower.workers(&mut ledger, "ledger_writer", &shards, move || LedgerWriter(booking.clone()));
    root.adopt(ledger);

    let mut settlement = grower.supervisor("settlement");
    let settling = work.clone();
    grower.workers(&mut settlement, "settlement", &shards, move || Settlement(settling.clone()));
    grower.retriers(&mut settlement, "settlement_retrier", &work, false);
    root.adopt(settlement);

    let mut refund = grower.supervisor("refund");
    let refunding = work.clone();
    grower.workers(&mut refund, "refund", &shards, move || Refund(refunding.clone()));
    grower.retriers(&mut refund, "refund_retrier", &work, true);
    root.adopt(refund);

    let mut resolver = grower.supervisor("resolver");
    grower.resolvers(&mut resolver, &shards, &psp);
    root.adopt(resolver);

    let running = Arc::new(root.start().await);
    if let Some(escalation) = futures_util::FutureExt::now_or_never(running.failed()) {
        return Err(escalation);
    }
    let breakers = vec![("psp", psp_breaker), ("event_log", log_breaker)];
    let app = App::new(Parts {
        clock: environment.clock.clone(),
        chance: environment.chance.clone(),
        policy,
        ids: Mutex::new(grower.ids()),
        shards: shards.clone(),
        limiter,
        cache,
        psp,
        operations: Operations::new(running.clone(), breakers, shards),
    });
    Ok((app, running))
}

struct Grower<'a> {
    environment: &'a Environment,
    config: &'a Config,
    log: Arc<dyn EventLog>,
    limits: Arc<dyn LimitStore>,
}

impl Grower<'_> {
    fn supervisor(&self, name: &str) -> Supervisor {
        let settings = &self.config.supervision;
        let within = Duration::from_millis(settings.within_ms);
        let intensity = Intensity { restarts: settings.restarts_max, within };
        Supervisor::new(name, Strategy::OneForOne, intensity, self.environment)
    }

    /// What all actors have in common, over what each has of its own.
    fn common(&self, options: Options, seat: &str) -> Options {
        let drain = Duration::from_millis(self.config.node.drain_ms);
        let hang_after = Duration::from_millis(self.config.supervision.hang_after_ms);
        options.seat(seat).hang_after(hang_after).drain_deadline(drain)
    }

    fn options(&self, name: &'static str, seat: &str) -> Options {
        self.common(Options::new(name), seat)
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

    fn rate_limiter(&self, guards: &mut Supervisor) -> Handle<RateLimiter> {
        let figures = &self.config.limits;
        let limits = rate_limiter::Limits {
            authorize_per_minute: figures.authorize_per_minute,
            capture_per_minute: figures.capture_per_minute,
            refund_per_minute: figures.refund_per_minute,
        };
        let store = self.limits.clone();
        let local = Arc::new(MemoryLimits::default());
        let options = self.common(rate_limiter::options(), FRONT);
        guards.actor(options, move || RateLimiter::new(store.clone(), local.clone(), limits, NonZeroU32::MIN))
    }

    fn idempotency_cache(&self, guards: &mut Supervisor, answers: Arc<dyn AnswerCache>) -> Handle<IdempotencyCache> {
        guards.actor(self.common(idempotency_cache::options(), FRONT), move || IdempotencyCache::new(answers.clone()))
    }

    /// Each shard's writer and its publisher. They know each other: the one nudges, the other has its marks written.
    fn shards(
        &self,
        writers: &mut Supervisor,
        publishers: &mut Supervisor,
        map: ShardMap,
        databases: Vec<ShardDatabase>,
        policy: &Arc<crate::domain::policy::Policy>,
        breaker: &Handle<Breaker>,
    ) -> Shards {
        let settings = &self.config.shard;
        let outbox = &self.config.outbox;
        let pruning = Pruning { events_kept: Duration::from_millis(outbox.kept_ms), rows_max: PRUNE_ROWS_MAX };
        let mut shards = Vec::with_capacity(databases.len());
        for database in databases {
            let id = database.id.0;
            let nudge_publisher = Arc::new(std::sync::OnceLock::<crate::runtime::Nudger>::new());
            let options = self
                .options("shard_writer", &format!("shard-{id}"))
                .shard(id)
                .capacity(settings.mailbox_capacity)
                .max_batch(settings.max_batch)
                .ask_deadline(Duration::from_millis(settings.ask_deadline_ms))
                .tick(PRUNE_EVERY);
            let (ids_node, policy, writes) = (self.config.node.id, policy.clone(), database.clone());
            let nudge = nudge_publisher.clone();
            let writer = writers.actor(options, move || {
                let nudge = nudge.clone();
                let nudger = crate::runtime::Nudger::from_fn(move || {
                    if let Some(publisher) = nudge.get() {
                        publisher.nudge();
                    }
                });
                ShardWriter::new(writes.clone(), policy.clone(), IdGenerator::new(ids_node), nudger, pruning)
            });
            let shard = Shard { writer, database };
            let options =
                self.options("outbox_publisher", PIPELINE).shard(id).tick(Duration::from_millis(outbox.poll_ms));
            let (publishes, log, breaker) = (shard.clone(), self.log.clone(), breaker.clone());
            let (batch_max, linger) = (outbox.batch_max, Duration::from_millis(outbox.linger_ms));
            let publisher = publishers.actor(options, move || {
                OutboxPublisher::new(
                    publishes.clone(),
                    Tenure::always(),
                    log.clone(),
                    breaker.clone(),
                    batch_max,
                    linger,
                )
            });
            // Set once, here: before the start nobody nudges.
            let _ = nudge_publisher.set(publisher.nudger());
            shards.push(shard);
        }
        Shards::new(map, shards)
    }

    /// One worker for each partition of the consumer's topics, woken by what is appended there.
    fn workers<W: Work>(
        &self,
        supervisor: &mut Supervisor,
        name: &'static str,
        shards: &Shards,
        work: impl Fn() -> W + Clone + Send + 'static,
    ) {
        for partition in 0..EVENT_PARTITIONS {
            let options = self.options(name, PIPELINE).shard(partition).tick(LOG_POLL);
            let (log, shards, work, node) = (self.log.clone(), shards.clone(), work.clone(), self.config.node.id);
            let batch_max = self.config.requests.batch_max;
            let worker = supervisor.actor(options, move || {
                EventWorker::new(work(), log.clone(), shards.clone(), partition, batch_max, IdGenerator::new(node))
            });
            for topic in W::CONSUMER.topics() {
                let nudger = worker.nudger();
                let nudged = self.log.on_append(topic.name(), partition, Arc::new(move || nudger.nudge()));
                if let Err(error) = nudged {
                    tracing::warn!(topic = topic.name(), partition, %error, "worker will poll");
                }
            }
        }
    }

    fn retriers(&self, supervisor: &mut Supervisor, name: &'static str, work: &PspWork, is_for_refunds: bool) {
        for shard in work.shards.all() {
            let settings = &self.config.requests;
            let options =
                self.options(name, PIPELINE).shard(shard.database.id.0).tick(Duration::from_millis(settings.poll_ms));
            let (work, shard, batch_max) = (work.clone(), shard.clone(), settings.batch_max);
            supervisor.actor(options, move || {
                Retrier::new(work.clone(), shard.clone(), Tenure::always(), is_for_refunds, batch_max)
            });
        }
    }

    fn resolvers(&self, supervisor: &mut Supervisor, shards: &Shards, psp: &GuardedPsp) {
        for shard in shards.all() {
            let options = self
                .options("resolver", PIPELINE)
                .shard(shard.database.id.0)
                .tick(Duration::from_millis(self.config.resolver.poll_ms));
            let (shard, psp, batch_max) = (shard.clone(), psp.clone(), self.config.requests.batch_max as u64);
            supervisor.actor(options, move || Resolver::new(shard.clone(), Tenure::always(), psp.clone(), batch_max));
        }
    }
}
