//! Writes the log: appends, commits and prunes that wait together share one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use sea_orm::sqlx::{self, SqliteConnection};

use super::layout::{Slot, unavailable};
use super::standing::Shared;
use crate::infra::event_log::{EventLogError, Nudge, Record};
use crate::infra::group_commit::Committer;
use crate::infra::sqlite::{Script, json_list};

/// Records that one prune looks at, so that appends do not wait long behind it.
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
    db: SqliteConnection,
    nudges: Nudges,
    standing: Shared,
    /// Of each slot, as this process, which alone writes them, has left them; empty until they are read.
    next_offsets: HashMap<i64, i64>,
}

impl Committer for Writer {
    type Command = Command;
    /// Rows deleted by a prune.
    type Answer = u64;
    type Error = EventLogError;

    async fn commit(&mut self, batch: Vec<Command>) -> Result<Vec<u64>, EventLogError> {
        let written = self.write(batch).await;
        if written.is_err() {
            self.next_offsets.clear();
        }
        let (answers, touched) = written.map_err(unavailable)?;
        let nudges = self.nudges.read();
        touched.iter().filter_map(|slot| nudges.get(slot)).flatten().for_each(|nudge| nudge());
        Ok(answers)
    }
}

impl Writer {
    pub(super) fn new(db: SqliteConnection, nudges: Nudges, standing: Shared) -> Self {
        Self { db, nudges, standing, next_offsets: HashMap::new() }
    }

    async fn write(&mut self, batch: Vec<Command>) -> Result<(Vec<u64>, Vec<Slot>), sqlx::Error> {
        let mut answers = Vec::with_capacity(batch.len());
        let (mut records, mut joins, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        for command in batch {
            let mut deleted = 0;
            match command {
                Command::Append(more) => records.extend(more),
                Command::Commit { group, slot, next_offset, join: true } => joins.push((group, slot.0, next_offset)),
                Command::Commit { group, slot, next_offset, join: false } => offsets.push((group, slot.0, next_offset)),
                Command::Prune { slot, before_ms } => deleted = prune(&mut self.db, slot, before_ms).await?,
            }
            answers.push(deleted);
        }
        let mut script = Script::begin();
        let (rows, grown) = self.place(records).await?;
        append(&mut script, &rows, &grown);
        // A group joins before it commits.
        let into = "consumer_offset (consumer_group, slot, next_offset)";
        script.insert(into, &joins, "ON CONFLICT DO NOTHING");
        script.insert(into, &offsets, "ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset");
        script.commit(&mut self.db).await?;
        let mut standing = self.standing.lock();
        grown.iter().for_each(|(slot, end)| standing.ends(Slot(*slot), *end));
        offsets.into_iter().for_each(|(group, slot, offset)| standing.commits(group, Slot(slot), offset));
        drop(standing);
        Ok((answers, grown.into_keys().map(Slot).collect()))
    }

    /// Gives the records that are new their positions, and says up to where each slot has grown.
    async fn place(
        &mut self,
        records: Vec<(Slot, Record)>,
    ) -> Result<(Vec<(i64, Record)>, BTreeMap<i64, i64>), sqlx::Error> {
        let (mut rows, mut grown) = (Vec::with_capacity(records.len()), BTreeMap::new());
        if records.is_empty() {
            return Ok((rows, grown));
        }
        if self.next_offsets.is_empty() {
            let slots = sqlx::query_as("SELECT id, next_offset FROM slot").fetch_all(&mut self.db).await?;
            self.next_offsets = slots.into_iter().collect();
        }
        let mut seen = known_ids(&mut self.db, &records).await?;
        for (slot, record) in records {
            if !seen.insert(record.id.clone()) {
                continue;
            }
            let next_offset = self.next_offsets.get_mut(&slot.0).ok_or(sqlx::Error::RowNotFound)?;
            rows.push((slot.position(*next_offset), record));
            *next_offset += 1;
            grown.insert(slot.0, *next_offset);
        }
        Ok((rows, grown))
    }
}

fn append<'a>(script: &mut Script<'a>, rows: &'a [(i64, Record)], grown: &BTreeMap<i64, i64>) {
    if rows.is_empty() {
        return;
    }
    let into = "record (position, id, key, kind, source, time_ms, subject, traceparent, payload)";
    let row = |(position, record): &'a (i64, Record)| {
        let Record { id, key, kind, source, time_ms, subject, traceparent, payload, .. } = record;
        (*position, id, key, kind, source, *time_ms, subject, traceparent, payload)
    };
    script.insert(into, rows.iter().map(row), "");
    script.add(|query| {
        query
            .push("UPDATE slot SET next_offset = grown.value ->> 1 FROM json_each(")
            .push_bind(json_list(grown))
            .push(") AS grown WHERE slot.id = grown.value ->> 0");
    });
}

/// Which of the records' ids the log has.
async fn known_ids(db: &mut SqliteConnection, records: &[(Slot, Record)]) -> Result<HashSet<String>, sqlx::Error> {
    let known =
        sqlx::query_scalar("SELECT record.id FROM json_each(?) AS asked CROSS JOIN record ON record.id = asked.value")
            .bind(json_list(records.iter().map(|(_, record)| &record.id)));
    Ok(known.fetch_all(db).await?.into_iter().collect())
}

async fn prune(db: &mut SqliteConnection, slot: Slot, before_ms: i64) -> Result<u64, sqlx::Error> {
    let floor: Option<i64> = sqlx::query_scalar("SELECT min(next_offset) FROM consumer_offset WHERE slot = ?")
        .bind(slot.0)
        .fetch_one(&mut *db)
        .await?;
    let deleted = sqlx::query(
        "DELETE FROM record WHERE time_ms < ? AND position IN \
         (SELECT position FROM record WHERE position >= ? AND position < ? ORDER BY position LIMIT ?)",
    )
    .bind(before_ms)
    .bind(slot.position(0))
    .bind(floor.map_or(slot.end(), |offset| slot.position(offset)))
    .bind(PRUNE_STEP)
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}
