//! Writes the log: waiting appends, commits and prunes share one transaction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use rusqlite::{Connection, Transaction, params};

use super::group_positions::Shared;
use super::layout::{Slot, unavailable};
use crate::infra::data_guard::DataGuard;
use crate::infra::event_log::{EventLogError, Nudge, Record};
use crate::infra::group_commit::GroupCommitter;
use crate::infra::sqlite::PrivateWriter;

/// Records that one prune looks at, so that appends do not wait long for it.
const PRUNE_STEP: i64 = 2_000;

pub(super) type Nudges = Arc<RwLock<HashMap<Slot, Vec<Nudge>>>>;

pub(super) enum Command {
    Append(Vec<(Slot, Record)>),
    /// `join` leaves an offset that is there as it is.
    Commit {
        group: String,
        slot: Slot,
        next_offset: i64,
        join: bool,
    },
    /// Deletes the slot's first records that are older than the time and that every group has committed.
    Prune {
        slot: Slot,
        before_ms: i64,
    },
}

pub(super) struct Writer {
    file: PrivateWriter,
    guard: DataGuard,
    nudges: Nudges,
    positions: Shared,
    /// The next offset of each slot, as this process, the only writer, left it; empty until it is read.
    next_offsets: HashMap<i64, i64>,
}

impl GroupCommitter for Writer {
    type Command = Command;
    /// Rows deleted by a prune.
    type Answer = u64;
    type Error = EventLogError;

    fn commit(&mut self, batch: Vec<Command>) -> Result<Vec<u64>, EventLogError> {
        self.guard.check().map_err(unavailable)?;
        let written = self.write(batch);
        if written.is_err() {
            self.next_offsets.clear();
        }
        let (answers, touched) = written.map_err(unavailable)?;
        self.guard.check().map_err(unavailable)?;
        let nudges = self.nudges.read();
        touched.iter().filter_map(|slot| nudges.get(slot)).flatten().for_each(|nudge| nudge());
        Ok(answers)
    }
}

impl Writer {
    pub(super) fn new(file: PrivateWriter, guard: DataGuard, nudges: Nudges, positions: Shared) -> Self {
        Self { file, guard, nudges, positions, next_offsets: HashMap::new() }
    }

    /// Returns each command's answer, and the slots that have grown.
    fn write(&mut self, batch: Vec<Command>) -> rusqlite::Result<(Vec<u64>, Vec<Slot>)> {
        let next_offsets = &mut self.next_offsets;
        let (answers, grown, committed) =
            self.file.transaction(|transaction| apply(transaction, batch, next_offsets))?;
        let mut positions = self.positions.lock();
        grown.iter().for_each(|(slot, end)| positions.ends(Slot(*slot), *end));
        committed.into_iter().for_each(|(group, slot, offset)| positions.commits(group, slot, offset));
        drop(positions);
        Ok((answers, grown.into_keys().map(Slot).collect()))
    }
}

/// Each command's answer, the slots that have grown with their new ends, and the offsets that groups have committed.
type Changes = (Vec<u64>, BTreeMap<i64, i64>, Vec<(String, Slot, i64)>);

fn apply(
    transaction: &Transaction<'_>,
    batch: Vec<Command>,
    next_offsets: &mut HashMap<i64, i64>,
) -> rusqlite::Result<Changes> {
    if next_offsets.is_empty() {
        *next_offsets = ends(transaction)?;
    }
    let mut answers = Vec::with_capacity(batch.len());
    let (mut grown, mut committed) = (BTreeMap::new(), Vec::new());
    for command in batch {
        let mut deleted = 0;
        match command {
            Command::Append(records) => {
                for (slot, record) in records {
                    let end = next_offsets.get_mut(&slot.0).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
                    if append(transaction, slot.position(*end), &record)? {
                        *end += 1;
                        grown.insert(slot.0, *end);
                    }
                }
            }
            Command::Commit { group, slot, next_offset, join: true } => join(transaction, &group, slot, next_offset)?,
            Command::Commit { group, slot, next_offset, join: false } => {
                commit(transaction, &group, slot, next_offset)?;
                committed.push((group, slot, next_offset));
            }
            Command::Prune { slot, before_ms } => deleted = prune(transaction, slot, before_ms)?,
        }
        answers.push(deleted);
    }
    for (slot, end) in &grown {
        transaction.prepare_cached("UPDATE slot SET next_offset = ? WHERE id = ?")?.execute([end, slot])?;
    }
    Ok((answers, grown, committed))
}

/// The offset that each slot's next record gets.
pub(super) fn ends(db: &Connection) -> rusqlite::Result<HashMap<i64, i64>> {
    db.prepare("SELECT id, next_offset FROM slot")?.query_map([], |row| row.try_into())?.collect()
}

/// Appends a record; false if the log has it.
fn append(transaction: &Transaction, position: i64, record: &Record) -> rusqlite::Result<bool> {
    let Record { id, key, kind, source, time_ms, subject, traceparent, payload, .. } = record;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO record (position, id, key, kind, source, time_ms, subject, traceparent, payload) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )?;
    let (kind, source) = (kind.as_ref(), source.as_ref());
    Ok(insert.execute(params![position, id, key, kind, source, time_ms, subject, traceparent, payload])? > 0)
}

fn join(transaction: &Transaction, group: &str, slot: Slot, next_offset: i64) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO consumer_offset (consumer_group, slot, next_offset) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    insert.execute(params![group, slot.0, next_offset]).map(drop)
}

fn commit(transaction: &Transaction, group: &str, slot: Slot, next_offset: i64) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(
        "INSERT INTO consumer_offset (consumer_group, slot, next_offset) VALUES (?, ?, ?) \
         ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
    )?;
    upsert.execute(params![group, slot.0, next_offset]).map(drop)
}

fn prune(transaction: &Transaction, slot: Slot, before_ms: i64) -> rusqlite::Result<u64> {
    let floor = "SELECT min(next_offset) FROM consumer_offset WHERE slot = ?";
    let floor: Option<i64> = transaction.query_row(floor, [slot.0], |row| row.get(0))?;
    let below = floor.map_or(slot.end(), |offset| slot.position(offset));
    let deleted = transaction.execute(
        "DELETE FROM record WHERE time_ms < ? AND position IN \
         (SELECT position FROM record WHERE position >= ? AND position < ? ORDER BY position LIMIT ?)",
        [before_ms, slot.position(0), below, PRUNE_STEP],
    )?;
    Ok(deleted as u64)
}
