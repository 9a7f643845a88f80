//! This process's membership in one consumer group: one librdkafka consumer, one thread that serves its callbacks, and
//! a place for every partition that the group may assign to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::committer::OffsetCommitter;
use super::member::Member;
use super::place::Epoch;
use super::settings::Settings;
use crate::infra::event_log::{Delivery, EventLogError};

/// How long the group's thread waits for something to do before it looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);
/// How long leaving the group may hold up the end of the process.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait for a partition that was given but is not yet fetched.
const SEEK_AGAIN_AFTER: Duration = Duration::from_millis(20);

type KafkaConsumer = BaseConsumer<Member>;

pub(super) struct Group {
    settings: Settings,
    member: Arc<Member>,
    /// Owned by the thread and by calls in flight.
    consumer: Weak<KafkaConsumer>,
    committer: OffsetCommitter,
    is_leaving: Arc<AtomicBool>,
    has_left: parking_lot::Mutex<Receiver<()>>,
}

impl Group {
    /// Joins the group; its partitions come later.
    pub(super) fn join(settings: &Settings, member: Member) -> Result<Self, KafkaError> {
        let config = settings.member(&settings.wire_name(member.group));
        let consumer: Arc<KafkaConsumer> = Arc::new(config.create_with_context(member)?);
        let member = consumer.context().clone();
        member.bind(&consumer);
        subscribe(&consumer)?;
        let is_leaving = Arc::new(AtomicBool::new(false));
        let (left, has_left) = channel();
        let group = Self {
            settings: settings.clone(),
            member,
            consumer: Arc::downgrade(&consumer),
            committer: OffsetCommitter::start(&consumer, settings.request_timeout).map_err(no_thread)?,
            is_leaving: is_leaving.clone(),
            has_left: parking_lot::Mutex::new(has_left),
        };
        let serve = move || {
            while !is_leaving.load(Ordering::Relaxed) {
                serve(&consumer);
            }
            consumer.context().let_go_of_all();
            drop(consumer);
            // The caller may have stopped waiting.
            let _ = left.send(());
        };
        let thread = std::thread::Builder::new().name(format!("kafka-{}", group.member.group)).spawn(serve);
        thread.map_err(no_thread).map(|_| group)
    }

    /// Begins to leave the group, so that others get its partitions at once.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    /// Waits until the group is left. Blocks.
    pub(super) fn left(&self) {
        if self.has_left.lock().recv_timeout(LEAVE_WITHIN).is_err() {
            tracing::warn!(group = self.member.group, "the consumer group could not be left in time");
        }
    }

    fn consumer(&self) -> Result<Arc<KafkaConsumer>, EventLogError> {
        self.consumer.upgrade().ok_or_else(|| EventLogError::Unavailable("the log is shut".to_owned()))
    }

    /// A reader begins, at the committed offset. Blocks.
    pub(super) fn open(&self, topic: &'static str, partition: u32) -> Result<Epoch, EventLogError> {
        let (epoch, back_to) = self.member.place(topic, partition)?.lock().reopen();
        if let Some(offset) = back_to {
            self.move_to(topic, partition, offset)?;
        }
        Ok(epoch)
    }

    pub(super) fn fetch(
        &self,
        topic: &'static str,
        partition: u32,
        max: usize,
        seen: &mut Epoch,
    ) -> Result<Vec<Delivery>, EventLogError> {
        self.member.place(topic, partition)?.lock().fetch(topic, max, seen)
    }

    /// Commits, unless the partition has had another owner or reader since: then the offset is theirs. Returns whether
    /// it was still the caller's.
    pub(super) async fn commit(
        &self,
        topic: &'static str,
        partition: u32,
        offset: i64,
        seen: Epoch,
    ) -> Result<bool, EventLogError> {
        self.committer.commit(topic, partition, offset, seen).await
    }

    /// The offset behind the partition's last record. Blocks.
    pub(super) fn end(&self, topic: &'static str, partition: u32) -> Result<i64, EventLogError> {
        let (wire_topic, at) = (self.member.wire_topic(topic), i32::try_from(partition).unwrap_or(i32::MAX));
        let watermarks = self.consumer()?.fetch_watermarks(&wire_topic, at, self.settings.request_timeout);
        watermarks.map(|(_, end)| end).map_err(unavailable)
    }

    /// Has librdkafka fetch from `offset` on; what it has fetched already is dropped. Blocks.
    pub(super) fn move_to(&self, topic: &'static str, partition: u32, offset: i64) -> Result<(), EventLogError> {
        let consumer = self.consumer()?;
        let place = self.member.place(topic, partition)?;
        let started = Instant::now();
        loop {
            if !place.lock().is_ours() {
                return Ok(()); // the next owner starts from what is committed
            }
            let at = self.at(topic, partition, offset).map_err(unavailable)?;
            let sought = consumer.seek_partitions(at, self.settings.request_timeout);
            match sought.and_then(|sought| sought.elements().iter().try_for_each(|place| place.error())) {
                Ok(()) => break,
                Err(error) if started.elapsed() >= self.settings.request_timeout => return Err(unavailable(error)),
                Err(_) => std::thread::sleep(SEEK_AGAIN_AFTER),
            }
        }
        place.lock().moved(offset);
        Ok(())
    }

    fn at(&self, topic: &str, partition: u32, offset: i64) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        list.add_partition_offset(&self.member.wire_topic(topic), partition, Offset::Offset(offset))?;
        Ok(list)
    }
}

fn subscribe(consumer: &KafkaConsumer) -> Result<(), KafkaError> {
    let topics = consumer.context().wire_topics();
    consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Serves rebalances, statistics and errors. Records come by their partitions' queues.
fn serve(consumer: &Arc<KafkaConsumer>) {
    match consumer.poll(POLL) {
        None => {}
        // Reported by the client's context; librdkafka goes on by itself.
        Some(Err(error)) => tracing::debug!(group = consumer.context().group, %error, "polling failed"),
        // A record that arrived outside its partition's queue must neither be lost nor be processed after its
        // successors. Rejoining the group delivers all records again from the committed offset.
        Some(Ok(message)) => {
            drop(message);
            tracing::warn!(group = consumer.context().group, "rejoining the consumer group");
            consumer.unsubscribe();
            if let Err(error) = subscribe(consumer) {
                tracing::error!(group = consumer.context().group, %error, "subscription failed");
            }
        }
    }
}

fn no_thread(error: std::io::Error) -> KafkaError {
    KafkaError::ClientCreation(error.to_string())
}

fn unavailable(error: KafkaError) -> EventLogError {
    EventLogError::Unavailable(error.to_string())
}
