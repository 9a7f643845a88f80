//! Writes the log: appends, commits and prunes that wait together share one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use sea_orm::sqlx::{self, Connection, QueryBuilder, Sqlite, SqliteConnection};

use super::layout::{Slot, unavailable};
use crate::infra::event_log::{EventLogError, Nudge, Record};
use crate::infra::group_commit::Committer;
use crate::infra::sqlite::even_chunks;

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
    pub(super) db: SqliteConnection,
    pub(super) nudges: Nudges,
}

impl Committer for Writer {
    type Command = Command;
    /// Rows deleted by a prune.
    type Answer = u64;
    type Error = EventLogError;

    async fn commit(&mut self, batch: Vec<Command>) -> Result<Vec<u64>, EventLogError> {
        let (answers, touched) = self.write(batch).await.map_err(unavailable)?;
        let nudges = self.nudges.read();
        touched.iter().filter_map(|slot| nudges.get(slot)).flatten().for_each(|nudge| nudge());
        Ok(answers)
    }
}

impl Writer {
    async fn write(&mut self, batch: Vec<Command>) -> Result<(Vec<u64>, Vec<Slot>), sqlx::Error> {
        let mut transaction = self.db.begin_with("BEGIN IMMEDIATE").await?;
        let mut answers = Vec::with_capacity(batch.len());
        let mut records = Vec::new();
        for command in batch {
            answers.push(match command {
                Command::Append(more) => {
                    records.extend(more);
                    0
                }
                Command::Commit { group, slot, next_offset, join } => {
                    commit(&mut transaction, &group, slot, next_offset, join).await?
                }
                Command::Prune { slot, before_ms } => prune(&mut transaction, slot, before_ms).await?,
            });
        }
        let touched = append(&mut transaction, records).await?;
        transaction.commit().await?;
        Ok((answers, touched))
    }
}

/// Gives the records that are new their offsets and writes them; returns the slots that grew.
async fn append(db: &mut SqliteConnection, records: Vec<(Slot, Record)>) -> Result<Vec<Slot>, sqlx::Error> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let mut seen = known_ids(db, &records).await?;
    let mut next_offsets: HashMap<i64, i64> =
        sqlx::query_as("SELECT id, next_offset FROM slot").fetch_all(&mut *db).await?.into_iter().collect();
    let mut grown = BTreeMap::new();
    let mut rows = Vec::with_capacity(records.len());
    for (slot, record) in &records {
        if !seen.insert(record.id.clone()) {
            continue;
        }
        let next_offset = next_offsets.get_mut(&slot.0).ok_or(sqlx::Error::RowNotFound)?;
        rows.push((slot.position(*next_offset), record));
        *next_offset += 1;
        grown.insert(slot.0, *next_offset);
    }
    for chunk in even_chunks(&rows) {
        QueryBuilder::<Sqlite>::new(
            "INSERT INTO record (position, id, key, kind, source, time_ms, subject, traceparent, payload) ",
        )
        .push_values(chunk, |mut row, (position, record)| {
            row.push_bind(position)
                .push_bind(&record.id)
                .push_bind(&record.key)
                .push_bind(&*record.kind)
                .push_bind(&*record.source)
                .push_bind(record.time_ms)
                .push_bind(&record.subject)
                .push_bind(&record.traceparent)
                .push_bind(&record.payload);
        })
        .build()
        .execute(&mut *db)
        .await?;
    }
    for (slot, next_offset) in &grown {
        sqlx::query("UPDATE slot SET next_offset = ? WHERE id = ?")
            .bind(next_offset)
            .bind(slot)
            .execute(&mut *db)
            .await?;
    }
    Ok(grown.into_keys().map(Slot).collect())
}

/// Which of the records' ids the log has.
async fn known_ids(db: &mut SqliteConnection, records: &[(Slot, Record)]) -> Result<HashSet<String>, sqlx::Error> {
    let mut known = HashSet::with_capacity(records.len());
    for chunk in even_chunks(records) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM record WHERE id IN (");
        let mut ids = query.separated(", ");
        for (_, record) in chunk {
            ids.push_bind(&record.id);
        }
        query.push(")");
        known.extend(query.build_query_scalar::<String>().fetch_all(&mut *db).await?);
    }
    Ok(known)
}

async fn commit(
    db: &mut SqliteConnection,
    group: &str,
    slot: Slot,
    next_offset: i64,
    join: bool,
) -> Result<u64, sqlx::Error> {
    let text = if join {
        "INSERT INTO consumer_offset (consumer_group, slot, next_offset) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    } else {
        "INSERT INTO consumer_offset (consumer_group, slot, next_offset) VALUES (?, ?, ?) \
         ON CONFLICT (consumer_group, slot) DO UPDATE SET next_offset = excluded.next_offset"
    };
    sqlx::query(text).bind(group).bind(slot.0).bind(next_offset).execute(db).await?;
    Ok(0)
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
