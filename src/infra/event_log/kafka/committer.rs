//! Commits a group's offsets: waiting commits share one request to the broker. It has a thread of its own, because
//! librdkafka blocks the committing thread for as long as the broker hangs.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::member::Member;
use super::place::Epoch;
use crate::infra::event_log::EventLogError;

/// Whether an offset was committed; `false` if the partition belongs to another process.
type Answer = Result<bool, EventLogError>;

pub(super) struct OffsetCommitter {
    commits: Sender<Commit>,
    timeout: Duration,
}

struct Commit {
    topic: &'static str,
    partition: u32,
    offset: i64,
    seen: Epoch,
    answer: oneshot::Sender<Answer>,
}

impl OffsetCommitter {
    /// Commits wait no longer than `timeout`.
    pub(super) fn start(consumer: &Arc<BaseConsumer<Member>>, timeout: Duration) -> io::Result<Self> {
        let (commits, waiting) = channel();
        let (member, consumer) = (consumer.context().clone(), Arc::downgrade(consumer));
        let name = format!("kafka-commit-{}", member.group);
        std::thread::Builder::new().name(name).spawn(move || run(&member, &consumer, &waiting))?;
        Ok(Self { commits, timeout })
    }

    /// Commits, unless the partition has had another owner or reader since `seen`.
    pub(super) async fn commit(&self, topic: &'static str, partition: u32, offset: i64, seen: Epoch) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.commits.send(Commit { topic, partition, offset, seen, answer }).map_err(|_| shut())?;
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(answer) => answer.map_err(|_| shut())?,
            Err(_) => Err(EventLogError::Unavailable(format!("commit not answered within {:?}", self.timeout))),
        }
    }
}

fn run(member: &Member, consumer: &Weak<BaseConsumer<Member>>, waiting: &Receiver<Commit>) {
    while let Ok(first) = waiting.recv() {
        // The last one of a partition counts.
        let mut batch: BTreeMap<(&str, u32), Commit> = BTreeMap::new();
        for commit in std::iter::once(first).chain(waiting.try_iter()) {
            if !commit.answer.is_closed() {
                batch.insert((commit.topic, commit.partition), commit);
            }
        }
        // While this is held no partition is reassigned, so that the broker cannot take an offset for the next owner's.
        let _fence = member.fence.lock();
        let (ours, others): (Vec<_>, Vec<_>) = batch.into_values().partition(|commit| is_ours(member, commit));
        for commit in others {
            tracing::debug!(commit.topic, commit.partition, commit.offset, "commit of a partition that is another's");
            // The caller may have stopped waiting; so below.
            let _ = commit.answer.send(Ok(false));
        }
        if ours.is_empty() {
            continue;
        }
        let outcome = consumer.upgrade().map_or_else(|| Err(shut()), |consumer| send(member, &consumer, &ours));
        for commit in ours {
            if outcome == Ok(true)
                && let Ok(place) = member.place(commit.topic, commit.partition)
            {
                place.lock().committed(commit.offset, commit.seen);
            }
            let _ = commit.answer.send(outcome.clone());
        }
    }
}

fn is_ours(member: &Member, commit: &Commit) -> bool {
    member.place(commit.topic, commit.partition).is_ok_and(|place| place.lock().is_ours_since(commit.seen))
}

fn send(member: &Member, consumer: &BaseConsumer<Member>, commits: &[Commit]) -> Answer {
    let unavailable = |error: KafkaError| EventLogError::Unavailable(error.to_string());
    let mut list = TopicPartitionList::new();
    for commit in commits {
        let partition = i32::try_from(commit.partition).unwrap_or(i32::MAX);
        let offset = Offset::Offset(commit.offset);
        list.add_partition_offset(&member.wire_topic(commit.topic), partition, offset).map_err(unavailable)?;
    }
    match consumer.commit(&list, CommitMode::Sync) {
        Ok(()) => Ok(true),
        // The group is reassigning its partitions; their next owners start from the offsets committed before.
        Err(KafkaError::ConsumerCommit(
            code @ (RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::AssignmentLost),
        )) => {
            tracing::debug!(group = member.group, %code, "commit during a rebalance");
            Ok(false)
        }
        Err(error) => Err(unavailable(error)),
    }
}

fn shut() -> EventLogError {
    EventLogError::Unavailable("the log is shut".to_owned())
}
