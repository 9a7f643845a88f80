//! Outbox publisher: tells the event log what a shard has committed.
//! A step of a job (see `job`), nudged after commits; a nudge and a tick do the same scan.   Sends: marks to the shard
//! writer. Durable: nothing of its own; an event is marked only after the log has it.   In memory: what the log
//! refuses. A panic between append and mark has the events appended again; consumers apply one of each id. What the log
//! refuses waits with the rest of its payment, and nobody else: see [`HeldBack`]. Limits: `outbox.batch_max` events at
//! a time, in the order of their commits; they gather for `outbox.linger_ms`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use opentelemetry::trace::SpanKind;
use tokio::time::Instant;

use super::breaker::{Breaker, CallOutcome, guarded};
use super::held_back::{HeldBack, Refusals};
use super::job::{Step, StepDone, StepFailure};
use super::shards::Shard;
use crate::domain::commands::MarkPublished;
use crate::domain::event::known_topic;
use crate::domain::{EventId, PaymentId};
use crate::infra::database::OutboxRow;
use crate::infra::event_log::{Appended, EventLog, OUR_SOURCE, Record};
use crate::infra::telemetry::catalogue;
use crate::infra::telemetry::traces::Span;
use crate::runtime::{Context, Failure, Handle};

/// See the file's header.
pub struct OutboxPublisher {
    shard: Shard,
    log: Arc<dyn EventLog>,
    breaker: Handle<Breaker>,
    batch_max: u64,
    /// Publishing starts no sooner than so long after it last ended.
    linger: Duration,
    last_end: Option<Instant>,
    /// Events that the log took in this step.
    taken: u64,
    held_back: HeldBack,
    refusals: Refusals,
    published: Counter<u64>,
    failures: Counter<u64>,
    labels: [KeyValue; 1],
}

impl OutboxPublisher {
    /// Publishes what `shard` has committed to `log`, and shows which events the log refuses.
    pub fn new(
        shard: Shard,
        log: Arc<dyn EventLog>,
        breaker: Handle<Breaker>,
        batch_max: u64,
        linger: Duration,
        refusals: Refusals,
    ) -> Self {
        let labels = [KeyValue::new("shard", i64::from(shard.database.id.0))];
        Self {
            shard,
            log,
            breaker,
            batch_max,
            linger,
            last_end: None,
            taken: 0,
            held_back: HeldBack::default(),
            refusals,
            published: catalogue::OUTBOX_PUBLISHED.to_counter_from_zero([labels.as_slice()]),
            failures: catalogue::OUTBOX_FAILURES.to_counter_from_zero([labels.as_slice()]),
            labels,
        }
    }

    /// Publishes one batch.
    async fn publish(&mut self, ctx: &Context) -> Result<Found, StepFailure> {
        self.try_refused(ctx).await?;
        let after = self.held_back.read_after(ctx.clock().instant());
        let rows = self.shard.database.unpublished_after(after, self.batch_max).await.map_err(Failure::new)?;
        let is_full = rows.len() as u64 == self.batch_max;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(Found::Nothing) };
        self.append(rows, ctx).await?;
        // A full batch: there may be more.
        Ok(if is_full && self.held_back.has_read(last) { Found::More } else { Found::All })
    }

    /// Tries refused events again, if they are due.
    async fn try_refused(&mut self, ctx: &Context) -> Result<(), StepFailure> {
        let now = ctx.clock().instant();
        let Some(trial) = self.held_back.take_due(now) else { return Ok(()) };
        let tried = match self.shard.database.unpublished_at(&trial.seqs).await {
            Ok(rows) => self.append(rows, ctx).await,
            Err(error) => Err(Failure::new(error).into()),
        };
        // A trial without an answer leaves nothing to remember: its events come again with all others of the topic.
        let is_mended = match &tried {
            Ok(refused) => *refused < trial.seqs.len(),
            Err(_) => true,
        };
        self.held_back.tried(&trial.topic, is_mended, now);
        if is_mended && tried.is_ok() {
            tracing::info!(shard.id = self.shard.database.id.0, topic = &*trial.topic, "topic takes events again");
        }
        tried.map(drop)
    }

    /// Appends events, except those that are held back, and marks what the log has taken. Returns how many it refuses.
    async fn append(&mut self, rows: Vec<OutboxRow>, ctx: &Context) -> Result<usize, StepFailure> {
        let mut refused = 0;
        let (mut places, mut records) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in rows {
            if self.held_back.holds(row.payment_id) {
                continue;
            }
            let (seq, payment) = (row.seq, row.payment_id);
            match known_topic(&row.topic) {
                Some(topic) => {
                    places.push(Place { seq, payment, topic });
                    records.push(record(topic, row));
                }
                None => {
                    refused += 1;
                    // A newer process wrote it.
                    self.refuse(&Place { seq, payment, topic: &row.topic }, "this version knows no such topic", ctx);
                }
            }
        }
        #[cfg(test)]
        self.misbehave(&mut places, &mut records).await?;
        let appended = self.append_records(records, ctx).await?;
        for (place, why) in &appended.refused {
            refused += 1;
            self.refuse(&places[*place], why, ctx);
        }
        self.refusals.show(self.shard.database.id.0, &self.held_back);
        let stored = places.iter().enumerate().filter(|(place, _)| appended.has(*place));
        let seqs: Vec<i64> = stored.map(|(_, place)| place.seq).collect();
        let count = seqs.len();
        if count > 0 {
            self.shard.write(MarkPublished { seqs }).await.map_err(Failure::new)?;
            self.published.add(count as u64, &self.labels);
            self.taken += count as u64;
        }
        Ok(refused)
    }

    /// A publisher with a planted bug does this.
    #[cfg(test)]
    async fn misbehave(&self, places: &mut [Place<'_>], records: &mut [Record]) -> Result<(), StepFailure> {
        use crate::domain::planted::{Bug, is_planted};
        if is_planted(Bug::PublishOutOfOrder) {
            records.reverse();
            places.reverse();
        }
        if is_planted(Bug::PublishedBeforeAck) && !places.is_empty() {
            let seqs = places.iter().map(|place| place.seq).collect();
            self.shard.write(MarkPublished { seqs }).await.map_err(Failure::new)?;
        }
        Ok(())
    }

    /// Appends records, guarded by the breaker.
    async fn append_records(&self, mut records: Vec<Record>, ctx: &Context) -> Result<Appended, StepFailure> {
        if records.is_empty() {
            return Ok(Appended::default());
        }
        let mut spans: Vec<Option<Span>> = records.iter_mut().map(|record| self.span(record)).collect();
        let append = self.log.append(records);
        // A refused record says nothing about the log's health.
        let appended = guarded(&self.breaker, ctx.clock(), append, CallOutcome::of).await;
        for (place, span) in spans.iter_mut().enumerate() {
            let is_stored = matches!(&appended, Ok(Ok(appended)) if appended.has(place));
            if let Some(span) = span.as_mut().filter(|_| !is_stored) {
                span.fail("not_published");
            }
        }
        drop(spans);
        Ok(appended?.map_err(Failure::new)?)
    }

    /// Holds back a refused event, and the later ones of its payment.
    fn refuse(&mut self, place: &Place<'_>, why: &str, ctx: &Context) {
        let Place { seq, payment, topic } = *place;
        if self.held_back.refuse(seq, payment, topic, why, ctx.clock().instant()) {
            let shard = self.shard.database.id.0;
            tracing::warn!(shard.id = shard, topic, why, outbox.seq = seq, "the event log refuses events of a topic");
        }
    }

    /// The span of a record's way into the log, which consumers continue; none unless it is recorded.
    fn span(&self, record: &mut Record) -> Option<Span> {
        let caused_by = record.traceparent.as_ref()?.parse().ok()?;
        let mut span = Span::begin(caused_by, SpanKind::Producer, || format!("send {}", record.topic));
        record.traceparent = Some(span.context()?.to_string());
        span.set("messaging.system", self.log.system());
        span.set("messaging.operation.type", "send");
        span.set("messaging.operation.name", "send");
        span.set("messaging.destination.name", record.topic);
        span.set("messaging.message.id", record.id.clone());
        Some(span)
    }
}

/// What a batch found in the outbox.
#[derive(PartialEq, Eq)]
enum Found {
    Nothing,
    /// Everything that was there.
    All,
    /// As much as a batch may hold.
    More,
}

/// An event's place in the outbox, and its topic and payment.
struct Place<'a> {
    seq: i64,
    payment: i64,
    topic: &'a str,
}

/// The record of an outbox row.
fn record(topic: &'static str, row: OutboxRow) -> Record {
    let payment_id = PaymentId::from_stored(row.payment_id).to_string();
    Record {
        topic,
        key: payment_id.clone(),
        id: EventId::from_stored(row.event_id).to_string(),
        kind: Cow::Borrowed(topic),
        source: Cow::Borrowed(OUR_SOURCE),
        time_ms: row.occurred_at,
        subject: payment_id,
        traceparent: Some(row.traceparent),
        payload: row.payload,
    }
}

impl Step for OutboxPublisher {
    async fn step(&mut self, ctx: &Context) -> Result<StepDone, StepFailure> {
        // Commits come in quick succession: one append for several of them saves syncs of the log. The first event
        // after a pause does not wait.
        if let Some(last_end) = self.last_end {
            tokio::time::sleep_until(last_end + self.linger).await;
        }
        self.taken = 0;
        let published = self.publish(ctx).await;
        self.last_end = matches!(published, Ok(Found::All) | Err(_)).then(|| ctx.clock().instant());
        if published.is_err() {
            self.failures.add(1, &self.labels);
        }
        Ok(StepDone { again: published? == Found::More, count: self.taken })
    }

    fn yields(&mut self) {
        // Another process learns it by itself.
        if !self.held_back.is_empty() {
            self.held_back = HeldBack::default();
            self.refusals.show(self.shard.database.id.0, &self.held_back);
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tokio::task::LocalSet;

    use super::*;
    use crate::actors::breaker;
    use crate::actors::job::{Job, JobBoard};
    use crate::actors::lease_guard::LeaseGuard;
    use crate::actors::testing::{self, START_MS};
    use crate::domain::ShardId;
    use crate::domain::commands::{Authorize, Change, ChangePayment};
    use crate::domain::testing::{approved, concluded, order};
    use crate::infra::database::ShardDatabase;
    use crate::infra::database::memory::Memory;
    use crate::infra::event_log::memory::{Held, MemoryLog};
    use crate::infra::testing::NoFaults;
    use crate::runtime::{Environment, Intensity, Options, Strategy, Supervisor};

    const LINGER: Duration = Duration::from_millis(20);

    /// Has a payment authorized, which is one event.
    async fn authorize(shard: &Shard, id: i64) {
        let order = order(id, 100);
        shard.write(order.clone()).await.unwrap();
        let conclusion = concluded(&order, approved(100));
        shard.write(conclusion).await.unwrap().unwrap();
    }

    async fn story() {
        let environment = Environment::simulated(7, START_MS);
        let held = Arc::<Mutex<Held>>::default();
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog { held: held.clone(), fate: Arc::new(NoFaults) });
        let memory = Memory::new(Arc::default(), Arc::new(NoFaults));
        let database = ShardDatabase::in_memory(ShardId(1), memory);
        let mut root = Supervisor::new("story", Strategy::OneForOne, Intensity::default(), &environment);
        let breaker = root.actor(breaker::options("breaker"), || {
            Breaker::new("log", breaker::Settings::default(), breaker::Forces::default())
        });
        let shard = testing::shard(&mut root, database, Arc::default());
        let own = shard.clone();
        let publisher = root.actor(Options::new("outbox_publisher"), move || {
            let refusals = Refusals::default();
            let step = OutboxPublisher::new(own.clone(), log.clone(), breaker.clone(), 10, LINGER, refusals);
            Job::new(step, LeaseGuard::always(), JobBoard::default().place("publish", ShardId(1), LINGER))
        });
        let running = root.start().await;
        let appended = || held.lock().appended.len();

        authorize(&shard, 1).await;
        publisher.nudge();
        tokio::time::sleep(LINGER / 10).await;
        assert_eq!(appended(), 1, "after a pause nothing is waited for");
        for id in 2..=4 {
            authorize(&shard, id).await;
            publisher.nudge();
        }
        tokio::time::sleep(LINGER / 2).await;
        assert_eq!(appended(), 1, "they gather");
        tokio::time::sleep(LINGER).await;
        assert_eq!(appended(), 4);
        running.stop(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn first_event_is_published_at_once_and_later_ones_are_batched() {
        LocalSet::new().run_until(story()).await;
    }

    /// Has an authorized payment asked to capture, which is one more event.
    async fn capture(shard: &Shard, id: i64) {
        let Authorize { payment_id, merchant_id, trace, .. } = order(id, 100);
        let change = Change::Capture { amount: None };
        let (keyed_request, request_id) = (None, "r".to_owned());
        let order = ChangePayment { payment_id, merchant_id, change, keyed_request, request_id, trace };
        shard.write(order).await.unwrap();
    }

    /// A topic refuses more events than a batch holds, with other events before, between and behind them.
    async fn refused() {
        const BATCH_MAX: u64 = 4;
        let environment = Environment::simulated(7, START_MS);
        let held = Arc::<Mutex<Held>>::default();
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog { held: held.clone(), fate: Arc::new(NoFaults) });
        let memory = Memory::new(Arc::default(), Arc::new(NoFaults));
        let database = ShardDatabase::in_memory(ShardId(1), memory);
        let mut root = Supervisor::new("story", Strategy::OneForOne, Intensity::default(), &environment);
        let breaker = root.actor(breaker::options("breaker"), || {
            Breaker::new("log", breaker::Settings::default(), breaker::Forces::default())
        });
        let shard = testing::shard(&mut root, database.clone(), Arc::default());
        let refusals = Refusals::default();
        let (own, guard, told) = (shard.clone(), breaker.clone(), refusals.clone());
        root.actor(Options::new("outbox_publisher").tick(Duration::from_millis(50)), move || {
            let step = OutboxPublisher::new(own.clone(), log.clone(), guard.clone(), BATCH_MAX, LINGER, told.clone());
            Job::new(step, LeaseGuard::always(), JobBoard::default().place("publish", ShardId(1), LINGER))
        });
        let running = root.start().await;
        let soon = async || tokio::time::sleep(Duration::from_secs(2)).await;
        let appended = || held.lock().appended.len();

        held.lock().refusing.insert("payment.authorized".to_owned());
        let stuck = 3 * BATCH_MAX as i64;
        for id in 1..=stuck {
            authorize(&shard, id).await;
        }
        // The event behind a refused one of its payment waits, though its topic takes events.
        capture(&shard, 1).await;
        soon().await;
        assert_eq!(appended(), 0);
        let [(1, topic, refusal)] = &refusals.all()[..] else { panic!("{:?}", refusals.all()) };
        assert_eq!((&**topic, refusal.events, refusal.why.as_str()), ("payment.authorized", stuck as u64, "too large"));
        let view = breaker.ask(|reply| breaker::BreakerMessage::View { reply }).await.unwrap();
        assert_eq!((view.failures, view.state), (0, breaker::BreakerState::Closed), "no fault of the log's");

        // Events of other payments do not wait behind them.
        held.lock().refusing.clear();
        held.lock().refusing.insert("payment.capture-requested".to_owned());
        soon().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(appended(), stuck as usize, "the topic is mended");
        authorize(&shard, stuck + 1).await;
        soon().await;
        assert_eq!(appended(), stuck as usize + 1, "past what is refused");
        assert_eq!(refusals.all()[0].1.to_string(), "payment.capture-requested");

        held.lock().refusing.clear();
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(refusals.all(), []);
        assert_eq!(database.outbox_backlog().await.unwrap().pending, 0);
        let keys: Vec<_> = held.lock().appended.iter().map(|(key, _)| key.clone()).collect();
        let of_first = keys.iter().filter(|key| **key == keys[0]).count();
        assert_eq!((keys.len(), of_first), (stuck as usize + 2, 2), "each once");
        running.stop(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn refused_event_delays_only_its_payment_until_its_topic_recovers() {
        LocalSet::new().run_until(refused()).await;
    }
}
