//! Outbox publisher: tells the event log what a shard has committed.
//! Receives: nudges after commits, and a tick; both do the same scan, where it has the tenure.   Sends: marks to the shard writer.
//! Durable: nothing of its own; an event is marked only after the log has it.   In memory: nothing.
//! A panic between append and mark has the events appended again; consumers apply one of each id.
//! Limits: `outbox.batch_max` events at a time, in the order of their commits; they gather for `outbox.linger_ms`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use opentelemetry::trace::SpanKind;
use tokio::time::Instant;

use super::breaker::{Breaker, guarded};
use super::shards::Shard;
use super::tenure::Tenure;
use crate::domain::command::Published;
use crate::domain::event::known_topic;
use crate::domain::{EventId, PaymentId};
use crate::infra::database::OutboxRow;
use crate::infra::event_log::{EventLog, OUR_SOURCE, Record};
use crate::infra::telemetry::catalogue;
use crate::infra::telemetry::traces::Span;
use crate::runtime::{Actor, Context, Failure, Handle, Never, Wake};

/// See the file's header.
pub struct OutboxPublisher {
    shard: Shard,
    tenure: Tenure,
    log: Arc<dyn EventLog>,
    breaker: Handle<Breaker>,
    batch_max: u64,
    /// Publishing begins so long after it last ended, at the soonest.
    linger: Duration,
    last_end: Option<Instant>,
    published: Counter<u64>,
    failures: Counter<u64>,
    labels: [KeyValue; 1],
}

impl OutboxPublisher {
    /// Publishes what `shard` has committed to `log`, while it has the `tenure`.
    pub fn new(
        shard: Shard,
        tenure: Tenure,
        log: Arc<dyn EventLog>,
        breaker: Handle<Breaker>,
        batch_max: u64,
        linger: Duration,
    ) -> Self {
        let labels = [KeyValue::new("shard", i64::from(shard.database.id.0))];
        Self {
            shard,
            tenure,
            log,
            breaker,
            batch_max,
            linger,
            last_end: None,
            published: catalogue::OUTBOX_PUBLISHED.to_counter_from_zero([labels.as_slice()]),
            failures: catalogue::OUTBOX_FAILURES.to_counter_from_zero([labels.as_slice()]),
            labels,
        }
    }

    /// Publishes one batch. Returns how many events it was.
    async fn publish(&self, ctx: &Context) -> Result<usize, Failure> {
        let rows = self.shard.database.unpublished(self.batch_max).await.map_err(Failure::new)?;
        if rows.is_empty() {
            return Ok(0);
        }
        let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        let mut records = rows.into_iter().map(record).collect::<Result<Vec<_>, _>>()?;
        #[cfg(test)]
        {
            use crate::domain::planted::{Bug, is_planted};
            if is_planted(Bug::PublishOutOfOrder) {
                records.reverse();
            }
            if is_planted(Bug::PublishedBeforeAck) {
                self.shard.write(Published { seqs: seqs.clone() }).await.map_err(Failure::new)?;
            }
        }
        let mut spans: Vec<Span> = records.iter_mut().filter_map(|record| self.span(record)).collect();
        let append = self.log.append(records);
        let appended = guarded(&self.breaker, ctx.clock(), append, Result::is_err).await;
        if !matches!(appended, Ok(Ok(()))) {
            spans.iter_mut().for_each(|span| span.fail("not_published"));
        }
        drop(spans);
        appended.map_err(Failure::new)?.map_err(Failure::new)?;
        let count = seqs.len();
        self.shard.write(Published { seqs }).await.map_err(Failure::new)?;
        self.published.add(count as u64, &self.labels);
        Ok(count)
    }

    /// The span of a record's way into the log, in which whoever reads it goes on; none unless it is recorded.
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

/// The record of an outbox row.
fn record(row: OutboxRow) -> Result<Record, Failure> {
    let topic = known_topic(&row.topic).ok_or_else(|| Failure::new(format!("no topic {}", row.topic)))?;
    let payment_id = PaymentId::from_stored(row.payment_id).to_string();
    Ok(Record {
        topic,
        key: payment_id.clone(),
        id: EventId::from_stored(row.event_id).to_string(),
        kind: Cow::Borrowed(topic),
        source: Cow::Borrowed(OUR_SOURCE),
        time_ms: row.occurred_at,
        subject: payment_id,
        traceparent: Some(row.traceparent),
        payload: row.payload,
    })
}

impl Actor for OutboxPublisher {
    type Message = Never;

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        if !self.tenure.is_to_work(ctx.clock().instant()) {
            return Ok(Wake::Idle);
        }
        // Commits come in quick succession: one append for several of them spares the log a sync each. The first one after a
        // while does not wait.
        if let Some(last_end) = self.last_end {
            tokio::time::sleep_until(last_end + self.linger).await;
        }
        let published = self.publish(ctx).await;
        // A full batch: there may be more.
        let is_full = published.as_ref().is_ok_and(|count| *count as u64 == self.batch_max);
        let found_nothing = published.as_ref().is_ok_and(|count| *count == 0);
        self.last_end = (!is_full && !found_nothing).then(|| ctx.clock().instant());
        match published {
            Ok(_) if is_full => Ok(Wake::Again),
            Ok(_) => Ok(Wake::Idle),
            Err(error) => {
                // The outside's failure is no reason to start afresh: the events wait for the next tick.
                self.failures.add(1, &self.labels);
                tracing::warn!(shard.id = self.shard.database.id.0, %error, "events not published for now");
                Ok(Wake::Idle)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tokio::task::LocalSet;

    use super::*;
    use crate::actors::breaker;
    use crate::actors::testing::{self, START_MS};
    use crate::domain::ShardId;
    use crate::domain::command::Conclusion;
    use crate::domain::testing::{approved, order};
    use crate::infra::database::ShardDatabase;
    use crate::infra::database::memory::Memory;
    use crate::infra::event_log::memory::{Held, MemoryLog};
    use crate::infra::testing::Fair;
    use crate::runtime::{Environment, Intensity, Options, Strategy, Supervisor};

    const LINGER: Duration = Duration::from_millis(20);

    /// Has a payment authorized, which is one event.
    async fn authorize(shard: &Shard, id: i64) {
        let order = order(id, 100);
        let (payment_id, scope, trace) = (order.payment_id, order.key_use.scope, order.trace);
        shard.write(order).await.unwrap();
        let verdict = approved(100);
        let conclusion = Conclusion { payment_id, scope, verdict, took_ms: 1, request_id: "r".into(), trace };
        shard.write(conclusion).await.unwrap().unwrap();
    }

    async fn story() {
        let environment = Environment::simulated(7, START_MS);
        let held = Arc::<Mutex<Held>>::default();
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog { held: held.clone(), fate: Arc::new(Fair) });
        let memory = Memory::new(Arc::default(), Arc::new(Fair));
        let database = ShardDatabase::in_memory(ShardId(1), memory);
        let mut root = Supervisor::new("story", Strategy::OneForOne, Intensity::default(), &environment);
        let breaker = root.actor(breaker::options("breaker"), || Breaker::new("log", breaker::Settings::default()));
        let shard = testing::shard(&mut root, database, Arc::default());
        let (own, tenure) = (shard.clone(), Tenure::always());
        let publisher = root.actor(Options::new("outbox_publisher"), move || {
            OutboxPublisher::new(own.clone(), tenure.clone(), log.clone(), breaker.clone(), 10, LINGER)
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
    async fn the_first_event_is_published_at_once_and_the_next_ones_gather() {
        LocalSet::new().run_until(story()).await;
    }
}
