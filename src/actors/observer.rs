//! Observer: has the metrics show what only a shard's database knows.
//! Receives: nothing but a tick.   Sends: nothing.
//! Durable: nothing.   In memory: when it last looked at the ledger; what it has seen is in [`ShardObservations`],
//! which outlive it. A panic costs one look.   A database that does not answer is shown as down, and its figures are
//! shown no more. Limit: one look at a time, each question bounded by the database's deadline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::Timestamp;
use crate::domain::event::DeadLetterTopic;
use crate::infra::database::{ActionBacklog, DatabaseError, OutboxBacklog, ShardDatabase};
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Clock, Context, Failure, Metric, Never, Wake, meter};

/// The last observation of a shard that answered.
#[derive(Debug, Clone)]
struct ShardObservation {
    /// Whether the last write succeeded and the file is whole.
    takes_writes: bool,
    outbox: OutboxBacklog,
    /// How old the oldest event in it was then.
    age: Duration,
    /// Operators' actions that wait.
    actions: ActionBacklog,
    /// How old the oldest of them was then.
    actions_age: Duration,
    /// Open letters by topic; a topic without any is not named.
    letters: Vec<(String, u64)>,
    /// In minor units.
    imbalance: u64,
}

/// The last observation of each shard; none for a shard that did not answer.
#[derive(Clone, Default)]
pub struct ShardObservations(Arc<Mutex<BTreeMap<u32, Option<ShardObservation>>>>);

type Seen = BTreeMap<u32, Option<ShardObservation>>;

impl ShardObservations {
    /// Shown by the metrics for as long as somebody holds them.
    pub fn exported() -> Self {
        let observations = Self::default();
        observations
            .show_shards(&catalogue::SHARD_UP, |sight| Some(sight.is_some_and(|sight| sight.takes_writes).into()));
        observations.show_shards(&catalogue::OUTBOX_PENDING, |sight| sight.map(|sight| sight.outbox.pending));
        observations.show_shards(&catalogue::OUTBOX_OLDEST_AGE, |sight| sight.map(|sight| sight.age.as_secs()));
        observations.show_shards(&catalogue::ACTIONS_WAITING, |sight| sight.map(|sight| sight.actions.waiting));
        observations
            .show_shards(&catalogue::ACTIONS_OLDEST_AGE, |sight| sight.map(|sight| sight.actions_age.as_secs()));
        observations.show_shards(&catalogue::LEDGER_IMBALANCE, |sight| sight.map(|sight| sight.imbalance));
        observations.show(&catalogue::DEAD_LETTERS_OPEN, |seen, tell| {
            for topic in DeadLetterTopic::ALL {
                let letters = seen.values().flatten().flat_map(|sight| &sight.letters);
                let open = letters.filter(|(name, _)| name == topic.name()).map(|(_, count)| count).sum();
                tell(open, KeyValue::new("topic", topic.name()));
            }
        });
        observations
    }

    fn show_shards(
        &self,
        metric: &Metric,
        figure: impl Fn(Option<&ShardObservation>) -> Option<u64> + Send + Sync + 'static,
    ) {
        self.show(metric, move |seen, tell| {
            for (shard, sight) in seen {
                if let Some(figure) = figure(sight.as_ref()) {
                    tell(figure, KeyValue::new("shard", i64::from(*shard)));
                }
            }
        });
    }

    fn show(&self, metric: &Metric, read: impl Fn(&Seen, &mut dyn FnMut(u64, KeyValue)) + Send + Sync + 'static) {
        let observations = Arc::downgrade(&self.0);
        let meter = meter();
        let gauge = meter.u64_observable_gauge(metric.name).with_description(metric.about).with_unit(metric.unit);
        let observed = gauge.with_callback(move |gauge| {
            if let Some(observations) = observations.upgrade() {
                read(&observations.lock(), &mut |figure, label| gauge.observe(figure, &[label]));
            }
        });
        observed.build();
    }
}

/// See the file's header.
pub struct Observer {
    database: ShardDatabase,
    observations: ShardObservations,
    /// How often the balances are summed: there is one for each merchant and currency.
    ledger_every: Duration,
    /// When the balances were summed last, and by how much they differed.
    ledger: Option<(Instant, u64)>,
    clock_doubted: Gauge<u64>,
}

impl Observer {
    pub fn new(database: ShardDatabase, observations: ShardObservations, ledger_every: Duration) -> Self {
        Self { database, observations, ledger_every, ledger: None, clock_doubted: catalogue::CLOCK_DOUBTED.to_gauge() }
    }

    async fn observe(&mut self, clock: &Clock) {
        let shard = self.database.id.0;
        let looked = self.look(clock).await;
        self.database.health.observed(looked.as_ref().err());
        let sight = match looked {
            Ok(sight) => Some(sight),
            Err(error) => {
                let was_up = self.observations.0.lock().get(&shard).is_none_or(Option::is_some);
                if was_up {
                    tracing::warn!(shard.id = shard, %error, "shard does not answer");
                }
                None
            }
        };
        self.observations.0.lock().insert(shard, sight);
    }

    async fn look(&mut self, clock: &Clock) -> Result<ShardObservation, DatabaseError> {
        let outbox = self.database.outbox_backlog().await?;
        let now = Timestamp(clock.now_ms());
        let actions = self.database.action_backlog().await?;
        let age_of = |oldest: Option<Timestamp>| oldest.map(|oldest| now.since(oldest)).unwrap_or_default();
        let (age, actions_age) = (age_of(outbox.oldest), age_of(actions.oldest));
        let letters = self.database.open_letters().await?;
        let imbalance = match self.ledger {
            Some((at, imbalance)) if clock.instant() < at + self.ledger_every => imbalance,
            _ => {
                let imbalance = self.database.imbalance().await?;
                self.ledger = Some((clock.instant(), imbalance));
                imbalance
            }
        };
        let takes_writes = self.database.health.trouble().is_none();
        Ok(ShardObservation { takes_writes, outbox, age, actions, actions_age, letters, imbalance })
    }
}

impl Actor for Observer {
    type Message = Never;

    async fn started(&mut self, ctx: &Context) -> Result<(), Failure> {
        self.clock_doubted.record(ctx.clock().doubt().is_some().into(), &[]);
        self.observe(ctx.clock()).await;
        Ok(())
    }

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        self.clock_doubted.record(ctx.clock().doubt().is_some().into(), &[]);
        self.observe(ctx.clock()).await;
        Ok(Wake::Idle)
    }
}
