//! Reads the log: records by partition, and how far groups have come.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::sqlx::sqlite::{SqlitePool, SqliteRow};
use sea_orm::sqlx::{self, Row};

use super::layout::{FORMAT, Slot, Topic, Topics, offset_of_position, unavailable};
use crate::infra::event_log::{Delivery, EventLogError, EventReader, GroupProgress, Record};
use crate::infra::sqlite::{self, OpenError};

/// Connections for reading: more would only wait for the processor.
const CONNECTIONS: u32 = 4;

/// Reads on connections that never wait for the writer.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: SqlitePool,
    topics: Arc<Topics>,
}

impl Reader {
    /// Opens an existing log beside whoever writes it, or after. A topic that the file does not know has no partitions.
    pub async fn open(path: &Path, topics: &[&'static str]) -> Result<Self, OpenError> {
        let pool = sqlite::private_readers(path, FORMAT, CONNECTIONS).await?;
        let rows: Vec<(i64, String)> = sqlx::query_as("SELECT id, topic FROM slot ORDER BY topic, number")
            .fetch_all(&pool)
            .await
            .map_err(|source| OpenError::Read { path: path.to_owned(), source })?;
        let slots_of = |name| rows.iter().filter(|(_, topic)| topic == name).map(|(id, _)| Slot(*id)).collect();
        let topics = Topics(topics.iter().map(|&name| Topic { name, slots: slots_of(name) }).collect());
        Ok(Self { pool, topics: Arc::new(topics) })
    }

    pub(super) fn topics(&self) -> &Topics {
        &self.topics
    }

    /// What the group committed last, if it ever did.
    pub(super) async fn committed(&self, group: &str, slot: Slot) -> Result<Option<i64>, EventLogError> {
        sqlx::query_scalar("SELECT next_offset FROM consumer_offset WHERE consumer_group = ? AND slot = ?")
            .bind(group)
            .bind(slot.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(unavailable)
    }

    /// The offset that the slot's next record will get.
    pub(super) async fn end(&self, slot: Slot) -> Result<i64, EventLogError> {
        sqlx::query_scalar("SELECT next_offset FROM slot WHERE id = ?")
            .bind(slot.0)
            .fetch_one(&self.pool)
            .await
            .map_err(unavailable)
    }
}

#[async_trait]
impl EventReader for Reader {
    fn holds_each_record_once(&self) -> bool {
        true
    }

    fn partitions(&self, topic: &str) -> Result<u32, EventLogError> {
        self.topics.find(topic).map(Topic::partitions)
    }

    async fn read(&self, topic: &str, partition: u32, from: i64, max: usize) -> Result<Vec<Delivery>, EventLogError> {
        let topic = self.topics.find(topic)?;
        let slot = topic.slot(partition)?;
        let rows = sqlx::query(
            "SELECT position, id, key, kind, source, time_ms, subject, traceparent, payload FROM record \
             WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
        )
        .bind(slot.position(from.max(0)))
        .bind(slot.end())
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        rows.iter().map(|row| delivery(topic.name, partition, row)).collect::<Result<_, _>>().map_err(unavailable)
    }

    async fn progress(&self, group: &str, topic: &str) -> Result<Vec<GroupProgress>, EventLogError> {
        let topic = self.topics.find(topic)?;
        let rows: Vec<(u32, i64, i64)> = sqlx::query_as(
            "SELECT slot.number, COALESCE(consumer_offset.next_offset, 0), slot.next_offset FROM slot \
             LEFT JOIN consumer_offset ON consumer_offset.slot = slot.id AND consumer_offset.consumer_group = ? \
             WHERE slot.topic = ? ORDER BY slot.number",
        )
        .bind(group)
        .bind(topic.name)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        Ok(rows.into_iter().map(|(partition, committed, end)| GroupProgress { partition, committed, end }).collect())
    }
}

fn delivery(topic: &'static str, partition: u32, row: &SqliteRow) -> Result<Delivery, sqlx::Error> {
    Ok(Delivery {
        partition,
        offset: offset_of_position(row.try_get(0)?),
        record: Record {
            topic,
            id: row.try_get(1)?,
            key: row.try_get(2)?,
            kind: row.try_get::<String, _>(3)?.into(),
            source: row.try_get::<String, _>(4)?.into(),
            time_ms: row.try_get(5)?,
            subject: row.try_get(6)?,
            traceparent: row.try_get(7)?,
            payload: row.try_get(8)?,
        },
    })
}
