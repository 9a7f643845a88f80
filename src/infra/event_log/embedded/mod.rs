//! The event log in one SQLite file: records are durable before an append returns, and one process writes. Waiting
//! writes share a transaction, so appending gets cheaper per record as load rises.

mod group_positions;
mod layout;
mod reader;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Transaction, params};

use self::group_positions::{GroupPositions, Shared};
use self::layout::{FORMAT, IS_USED, Slot, TABLES};
pub use self::reader::Reader;
use self::writer::{Command, Nudges, Writer, ends};
use super::partitioner::partition_of;
use super::{Appended, Consumer, Delivery, EventLog, EventLogError, EventReader, Nudge, Record};
use crate::domain::identity::{FoundCompanion, SystemId};
use crate::infra::data_guard::{DataGuard, GuardError};
use crate::infra::file_identity::{self, IdentityError};
use crate::infra::group_commit::GroupCommit;
use crate::infra::sqlite::{OpenError, PrivateWriter};
use crate::infra::waits::wait_for_file;

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenLogError {
    #[error(transparent)]
    File(#[from] OpenError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error("cannot start the thread that writes {path}: {source}")]
    Thread { path: PathBuf, source: std::io::Error },
    /// Keys would move to other partitions and lose their order.
    #[error("{path}: topic {topic} has {found} partitions and cannot be given {wanted}")]
    PartitionsChanged { path: PathBuf, topic: &'static str, found: u32, wanted: u32 },
}

/// The log, open for writing. It writes in a thread of its own.
pub struct EmbeddedLog {
    reader: Reader,
    committer: Arc<GroupCommit<Writer>>,
    nudges: Nudges,
    positions: Shared,
    guard: DataGuard,
}

impl EmbeddedLog {
    /// What is at this path. Creates nothing.
    pub fn look(path: &Path) -> Result<FoundCompanion, IdentityError> {
        file_identity::look(path, IS_USED)
    }

    /// Makes an existing file the log of this system, whichever system it belonged to. Returns its name.
    pub fn claim(path: &Path, system: &SystemId) -> Result<String, IdentityError> {
        file_identity::claim(path, system)
    }

    /// Of the file.
    pub fn guard(&self) -> DataGuard {
        self.guard.clone()
    }

    /// Opens or creates the file, with these topics and partition counts; topics may be added later, counts stay.
    pub async fn open(path: &Path, topics: &[(&'static str, u32)]) -> Result<Self, OpenLogError> {
        let _wait = wait_for_file(path);
        let guard = DataGuard::lock(path)?;
        let mut file = PrivateWriter::open(path, FORMAT, TABLES)?;
        let sqlite = |source| OpenError::Write { path: path.to_owned(), source };
        for &(topic, wanted) in topics {
            let created = file.transaction(|transaction| create_topic(transaction, topic, wanted));
            let found = created.map_err(sqlite)?;
            if found != wanted {
                return Err(OpenLogError::PartitionsChanged { path: path.to_owned(), topic, found, wanted });
            }
        }
        guard.hold_write_ahead_log()?;
        let names: Vec<_> = topics.iter().map(|(name, _)| *name).collect();
        let reader = Reader::open(path, &names).await?;
        let nudges = Nudges::default();
        let ends = file.transaction(|transaction| ends(transaction)).map_err(sqlite)?;
        let positions = GroupPositions::exported(reader.topics(), &ends);
        let writer = Writer::new(file, guard.clone(), nudges.clone(), positions.clone());
        let committer = GroupCommit::start("event-log", writer);
        let committer = committer.map_err(|source| OpenLogError::Thread { path: path.to_owned(), source })?;
        Ok(Self { reader, committer: Arc::new(committer), nudges, positions, guard })
    }

    /// Deletes records older than `before_ms` (milliseconds since 1970 UTC) that every group of their partition has
    /// committed, and returns how many. A record that is gone is no longer known if it is appended again.
    pub async fn prune(&self, before_ms: i64) -> Result<u64, EventLogError> {
        let mut pruned = 0;
        for slot in self.reader.topics().0.iter().flat_map(|topic| &topic.slots) {
            loop {
                let deleted = submit(&self.committer, Command::Prune { slot: *slot, before_ms }).await?;
                pruned += deleted;
                if deleted == 0 {
                    break;
                }
            }
        }
        Ok(pruned)
    }
}

/// Creates the topic if there is none, and returns how many partitions it has.
fn create_topic(transaction: &Transaction<'_>, topic: &str, partitions: u32) -> rusqlite::Result<u32> {
    let found = "SELECT count(*) FROM slot WHERE topic = ?";
    let found: u32 = transaction.query_row(found, [topic], |row| row.get(0))?;
    if found > 0 {
        return Ok(found);
    }
    for number in 0..partitions {
        let create = "INSERT INTO slot (topic, number, next_offset) VALUES (?, ?, 0)";
        transaction.execute(create, params![topic, number])?;
    }
    Ok(partitions)
}

async fn submit(committer: &GroupCommit<Writer>, command: Command) -> Result<u64, EventLogError> {
    let stopped = |_| EventLogError::Unavailable("the log is shut".to_owned());
    committer.submit(command).await.map_err(stopped)?
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn append(&self, records: Vec<Record>) -> Result<Appended, EventLogError> {
        if records.is_empty() {
            return Ok(Appended::default());
        }
        let mut placed = Vec::with_capacity(records.len());
        for record in records {
            let topic = self.reader.topics().find(record.topic)?;
            placed.push((topic.slot(partition_of(&record.key, topic.partitions()))?, record));
        }
        submit(&self.committer, Command::Append(placed)).await.map(|_| Appended::default())
    }

    async fn consumer(&self, group: &str, topic: &str, partition: u32) -> Result<Box<dyn Consumer>, EventLogError> {
        let topic = self.reader.topics().find(topic)?;
        let slot = topic.slot(partition)?;
        // A group that has joined holds its records back from pruning, although it has not committed yet.
        let join = Command::Commit { group: group.to_owned(), slot, next_offset: 0, join: true };
        submit(&self.committer, join).await?;
        let position = self.reader.committed(group, slot).await?.unwrap_or(0);
        self.positions.lock().commits(group.to_owned(), slot, position);
        Ok(Box::new(EmbeddedConsumer {
            reader: self.reader.clone(),
            committer: self.committer.clone(),
            group: group.to_owned(),
            topic: topic.name,
            partition,
            slot,
            position,
        }))
    }

    fn on_append(&self, topic: &str, partition: u32, nudge: Nudge) -> Result<(), EventLogError> {
        let slot = self.reader.topics().find(topic)?.slot(partition)?;
        self.nudges.write().entry(slot).or_default().push(nudge);
        Ok(())
    }
}

struct EmbeddedConsumer {
    reader: Reader,
    committer: Arc<GroupCommit<Writer>>,
    group: String,
    topic: &'static str,
    partition: u32,
    slot: Slot,
    position: i64,
}

impl EmbeddedConsumer {
    async fn commit_within_range(&self, offset: i64) -> Result<(), EventLogError> {
        let end = self.reader.end(self.slot).await?;
        if !(0..=end).contains(&offset) {
            return Err(EventLogError::OffsetOutOfRange { offset, end });
        }
        let group = self.group.clone();
        let commit = Command::Commit { group, slot: self.slot, next_offset: offset, join: false };
        submit(&self.committer, commit).await.map(drop)
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn fetch(&mut self, max: usize) -> Result<Vec<Delivery>, EventLogError> {
        let deliveries = self.reader.read(self.topic, self.partition, self.position, max).await?;
        if let Some(last) = deliveries.last() {
            self.position = last.offset + 1;
        }
        Ok(deliveries)
    }

    async fn commit(&self, next_offset: i64) -> Result<(), EventLogError> {
        self.commit_within_range(next_offset).await
    }

    async fn seek(&mut self, offset: i64) -> Result<(), EventLogError> {
        self.commit_within_range(offset).await?;
        self.position = offset;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
