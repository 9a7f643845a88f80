//! Event worker: brings one partition of a consumer group's topics to the work that is done on each event.
//! Receives: nudges when records were appended, and a tick; both do the same fetch.   Sends: what its work sends.
//! Durable: the group's offset, committed only after the effects of all records below it.   In memory: what is put off.
//! A panic costs nothing, nor does a partition that changes hands: whoever is next goes on from the committed offset.
//! Limits: `batch_max` records at once; `PUT_OFF_MAX` records that wait for their shard before the partition does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::SpanKind;

use super::burial::{Failed, bury};
use super::event_handler::{EventHandler, EventOutcome, trace_of};
use super::shards::Shards;
use crate::domain::{IdGenerator, Timestamp};
use crate::infra::event_log::{self, Delivery, EventLog, EventLogError};
use crate::infra::telemetry::traces::Span;
use crate::runtime::{Actor, Context, Failure, Never, Wake};

/// How many records of each topic may be postponed before fetching stops: a shard that is down must neither hold up the
/// others nor fill the memory.
const PUT_OFF_MAX: usize = 4_096;
/// How long a postponed record waits.
const PUT_OFF_FOR: Duration = Duration::from_millis(500);

/// See the file's header.
pub struct EventWorker<W> {
    work: W,
    log: Arc<dyn EventLog>,
    shards: Shards,
    partition: u32,
    batch_max: usize,
    ids: IdGenerator,
    topics: Vec<TopicReader>,
    /// Whether the log could not be read at the last wake.
    is_cut_off: bool,
}

/// The place in one topic, and the records before it that are not done yet.
struct TopicReader {
    consumer: Box<dyn event_log::Consumer>,
    /// By offset.
    put_off: BTreeMap<i64, PutOff>,
    next_offset: i64,
    committed: i64,
}

struct PutOff {
    delivery: Delivery,
    until: tokio::time::Instant,
    tries: u32,
    first_failed_at: Timestamp,
}

impl<W: EventHandler> EventWorker<W> {
    pub fn new(
        work: W,
        log: Arc<dyn EventLog>,
        shards: Shards,
        partition: u32,
        batch_max: usize,
        ids: IdGenerator,
    ) -> Self {
        Self { work, log, shards, partition, batch_max, ids, topics: Vec::new(), is_cut_off: false }
    }

    async fn open(&mut self) -> Result<(), EventLogError> {
        let mut opened = Vec::new();
        for topic in self.work.consumer().topics() {
            let consumer = self.log.consumer(self.work.consumer().name(), topic.name(), self.partition).await?;
            opened.push(TopicReader::new(consumer));
        }
        self.topics = opened;
        Ok(())
    }

    /// Logs once that the log cannot be read, and once that it can again.
    fn note(&mut self, failure: Option<&EventLogError>) {
        let was_cut_off = std::mem::replace(&mut self.is_cut_off, failure.is_some());
        let (consumer, partition) = (self.work.consumer().name(), self.partition);
        match failure {
            Some(error) if !was_cut_off => tracing::warn!(consumer, partition, %error, "events cannot be read"),
            None if was_cut_off => tracing::info!(consumer, partition, "events are read again"),
            _ => {}
        }
    }

    /// Applies the next records of all topics, which are opened first if they are not. Returns whether there may be
    /// more.
    async fn advance_all(&mut self, ctx: &Context) -> Result<bool, EventLogError> {
        if self.topics.is_empty() {
            self.open().await?;
        }
        let mut again = false;
        for topic in 0..self.topics.len() {
            again |= self.advance(topic, ctx).await?;
        }
        Ok(again)
    }

    /// Applies the next records of one topic. Returns whether there may be more at once.
    async fn advance(&mut self, topic: usize, ctx: &Context) -> Result<bool, EventLogError> {
        let reader = &mut self.topics[topic];
        let now = ctx.clock().instant();
        let mut batch: Vec<(Delivery, u32, Timestamp)> = reader.due(now, self.batch_max);
        let room = self.batch_max - batch.len();
        let mut is_full = false;
        if room > 0 && reader.put_off.len() + batch.len() < PUT_OFF_MAX {
            let fetched = match reader.consumer.fetch(room).await {
                Ok(fetched) => fetched,
                // The partition's present owner starts from the committed offset, so nothing is owed here.
                Err(EventLogError::Reassigned) => {
                    reader.forget();
                    return Ok(true);
                }
                Err(error) => return Err(error),
            };
            is_full = fetched.len() == room;
            if let Some(last) = fetched.last() {
                reader.next_offset = last.offset + 1;
            }
            batch.extend(fetched.into_iter().map(|delivery| (delivery, 0, Timestamp(ctx.clock().now_ms()))));
        }
        if batch.is_empty() {
            return Ok(false);
        }
        #[cfg(test)]
        if crate::domain::planted::is_planted(crate::domain::planted::Bug::OffsetBeforeEffect) {
            self.topics[topic].commit().await?;
        }
        let (deliveries, mut spans): (Vec<Delivery>, Vec<Span>) =
            batch.iter().map(|(delivery, ..)| self.received(delivery)).unzip();
        let applied = self.work.apply(&deliveries, ctx).await;
        for (span, applied) in spans.iter_mut().zip(&applied) {
            match applied {
                EventOutcome::Done => {}
                EventOutcome::Later => span.fail("put_off"),
                EventOutcome::Never(why) => span.fail(why.error_type),
            }
        }
        drop(spans);
        for ((delivery, tries, first_failed_at), applied) in batch.into_iter().zip(applied) {
            let is_done = match applied {
                EventOutcome::Done => true,
                EventOutcome::Later => false,
                EventOutcome::Never(why) => {
                    let failed = Failed { delivery: &delivery, why, tries, first_failed_at };
                    bury(self.work.consumer(), failed, &self.shards, &mut self.ids, ctx).await
                }
            };
            if !is_done {
                let put_off = PutOff { until: now + PUT_OFF_FOR, tries: tries + 1, first_failed_at, delivery };
                self.topics[topic].put_off.insert(put_off.delivery.offset, put_off);
            }
        }
        self.topics[topic].commit().await?;
        Ok(is_full)
    }
}

impl<W: EventHandler> EventWorker<W> {
    /// The delivery to apply: the same, but within the span of its processing. The span ends when it is dropped.
    fn received(&self, delivery: &Delivery) -> (Delivery, Span) {
        let mut delivery = delivery.clone();
        let mut span =
            Span::begin(trace_of(&delivery), SpanKind::Consumer, || format!("process {}", delivery.record.topic));
        if let Some(within) = span.context() {
            delivery.record.traceparent = Some(within.to_string());
            span.set("messaging.system", self.log.system());
            span.set("messaging.operation.type", "process");
            span.set("messaging.operation.name", "process");
            span.set("messaging.consumer.group.name", self.work.consumer().name());
            span.set("messaging.destination.name", delivery.record.topic);
            span.set("messaging.destination.partition.id", delivery.partition.to_string());
            span.set("messaging.kafka.offset", delivery.offset);
            span.set("messaging.message.id", delivery.record.id.clone());
        }
        (delivery, span)
    }
}

impl TopicReader {
    fn new(consumer: Box<dyn event_log::Consumer>) -> Self {
        Self { consumer, put_off: BTreeMap::new(), next_offset: 0, committed: 0 }
    }

    /// Forgets the partition's records and offsets.
    fn forget(&mut self) {
        self.put_off.clear();
        (self.next_offset, self.committed) = (0, 0);
    }

    /// Takes out the records whose wait is over.
    fn due(&mut self, now: tokio::time::Instant, max: usize) -> Vec<(Delivery, u32, Timestamp)> {
        let offsets: Vec<i64> = self
            .put_off
            .iter()
            .filter(|(_, put_off)| put_off.until <= now)
            .map(|(offset, _)| *offset)
            .take(max)
            .collect();
        let taken = offsets.into_iter().filter_map(|offset| self.put_off.remove(&offset));
        taken.map(|put_off| (put_off.delivery, put_off.tries, put_off.first_failed_at)).collect()
    }

    /// Commits up to the first record that is not done.
    async fn commit(&mut self) -> Result<(), EventLogError> {
        let done = self.put_off.keys().next().copied().unwrap_or(self.next_offset);
        if done > self.committed {
            self.consumer.commit(done).await?;
            self.committed = done;
        }
        Ok(())
    }
}

impl<W: EventHandler> Actor for EventWorker<W> {
    type Message = Never;

    /// Joins its group at once, so that waiting records are counted from here on.
    async fn started(&mut self, _: &Context) -> Result<(), Failure> {
        let opened = self.open().await;
        self.note(opened.as_ref().err());
        Ok(())
    }

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        let advanced = self.advance_all(ctx).await;
        self.note(advanced.as_ref().err());
        match advanced {
            Ok(true) => Ok(Wake::Again),
            Ok(false) => Ok(Wake::Idle),
            Err(_) => {
                // An outage outside is no reason to die: six deaths would end the process. Records in hand are read
                // again from the committed offset.
                self.topics.clear();
                Ok(Wake::Idle)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use async_trait::async_trait;
    use parking_lot::Mutex;

    use super::*;
    use crate::actors::shard_writer::ShardWriter;
    use crate::actors::shards::Shard;
    use crate::actors::testing::story;
    use crate::domain::event::Consumer;
    use crate::domain::{ShardId, ShardMap};
    use crate::infra::database::ShardDatabase;
    use crate::infra::event_log::{Appended, Nudge, Record};
    use crate::runtime::{Environment, Intensity, Options, Strategy, Supervisor};

    type Fetched = Result<Vec<Delivery>, EventLogError>;

    /// A log whose only partition gives what the test says, and the commits made on it.
    #[derive(Default)]
    struct Script {
        fetches: Mutex<VecDeque<Fetched>>,
        commits: Mutex<Vec<i64>>,
        applied: Mutex<Vec<i64>>,
    }

    struct Scripted(Arc<Script>);

    #[async_trait]
    impl EventLog for Scripted {
        async fn consumer(&self, _: &str, _: &str, _: u32) -> Result<Box<dyn event_log::Consumer>, EventLogError> {
            Ok(Box::new(Self(self.0.clone())))
        }

        async fn append(&self, _: Vec<Record>) -> Result<Appended, EventLogError> {
            unreachable!("workers only read")
        }

        fn on_append(&self, _: &str, _: u32, _: Nudge) -> Result<(), EventLogError> {
            unreachable!("workers are nudged by others")
        }
    }

    #[async_trait]
    impl event_log::Consumer for Scripted {
        async fn fetch(&mut self, _: usize) -> Fetched {
            self.0.fetches.lock().pop_front().unwrap_or_else(|| Ok(Vec::new()))
        }

        async fn commit(&self, next_offset: i64) -> Result<(), EventLogError> {
            self.0.commits.lock().push(next_offset);
            Ok(())
        }

        async fn seek(&mut self, _: i64) -> Result<(), EventLogError> {
            unreachable!("workers go on")
        }
    }

    /// Finds something else down at offset 5.
    struct NotFive(Arc<Script>);

    impl EventHandler for NotFive {
        fn consumer(&self) -> Consumer {
            Consumer::Refund
        }

        async fn apply(&self, deliveries: &[Delivery], _: &Context) -> Vec<EventOutcome> {
            let offsets = deliveries.iter().map(|delivery| delivery.offset);
            self.0.applied.lock().extend(offsets.clone());
            offsets.map(|offset| if offset == 5 { EventOutcome::Later } else { EventOutcome::Done }).collect()
        }
    }

    fn delivery(offset: i64) -> Delivery {
        let record = Record {
            topic: "payment.refund-requested",
            key: String::new(),
            id: offset.to_string(),
            kind: "".into(),
            source: "".into(),
            time_ms: 0,
            subject: String::new(),
            traceparent: None,
            payload: String::new(),
        };
        Delivery { partition: 0, offset, record }
    }

    /// What a worker of these fetches commits and applies in ten seconds.
    async fn work(fetches: impl IntoIterator<Item = Fetched>) -> (Vec<i64>, Vec<i64>) {
        let dir = tempfile::tempdir().unwrap();
        let database = ShardDatabase::open_sqlite(ShardId(1), &dir.path().join("shard.db"), true).await.unwrap();
        let mut idle = Supervisor::new("idle", Strategy::OneForOne, Intensity::default(), &Environment::service());
        let writer = idle.actor(Options::new("shard_writer"), || -> ShardWriter { unreachable!("nothing is buried") });
        let shards = Shards::new(ShardMap::dealt(std::num::NonZeroU32::MIN), vec![Shard { writer, database }]);
        let script = Arc::new(Script { fetches: Mutex::new(fetches.into_iter().collect()), ..Script::default() });
        let log = Arc::new(Scripted(script.clone()));
        let made = script.clone();
        tokio::time::pause();
        let options = Options::new("event_worker").tick(Duration::from_millis(100));
        let worker =
            move || EventWorker::new(NotFive(made.clone()), log.clone(), shards.clone(), 0, 10, IdGenerator::new(0));
        story(options, worker, |_, _| tokio::time::sleep(Duration::from_secs(10))).await;
        (script.commits.lock().clone(), script.applied.lock().clone())
    }

    #[tokio::test]
    async fn postponed_event_is_tried_again_and_holds_the_offset() {
        let (commits, applied) = work([Ok(vec![delivery(4), delivery(5), delivery(6)])]).await;
        assert_eq!(commits, [5]);
        assert!(applied.iter().filter(|offset| **offset == 5).count() > 5, "{applied:?}");
    }

    #[tokio::test]
    async fn unreadable_log_kills_no_worker_and_loses_no_event() {
        let away = || Err(EventLogError::Unavailable("no file can be opened".into()));
        // More deaths than a supervisor allows.
        let fetches = std::iter::once(Ok(vec![delivery(4), delivery(5)]));
        let fetches = fetches.chain((0..20).map(|_| away())).chain([Ok(vec![delivery(5), delivery(6)])]);
        let (commits, applied) = work(fetches).await;
        assert!(applied.contains(&6), "{applied:?}");
        // The postponed record is still owed.
        assert!(commits.iter().all(|next| *next == 5), "{commits:?}");
    }

    #[tokio::test]
    async fn reassigned_partition_starts_from_the_committed_offset() {
        let before = vec![delivery(5), delivery(6)];
        let (commits, applied) = work([Ok(before), Err(EventLogError::Reassigned), Ok(vec![delivery(2)])]).await;
        assert_eq!(commits, [5, 3], "the place is where the log says");
        assert_eq!(applied, [5, 6, 2], "what was put off is the next owner's");
    }
}
