//! Dead letters.

use entities::dead_letter::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::dead_letter::{DeadLetter, DeadLetterKind, LetterStatus, Source, StoredDeadLetter};
use crate::domain::event::DeadLetterTopic;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{LetterId, Timestamp};
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::{by_key, each};
use crate::infra::database::row::{Damaged, Reading, count, cut};
use crate::infra::database::table::Table;
use crate::infra::database::write::{BatchWriter, Update};
use crate::infra::database::{ShardDatabase, or_in_memory};

/// Which dead letters are meant. What is not said is any.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    pub topic: Option<DeadLetterTopic>,
    pub status: Option<LetterStatus>,
    pub error_type: Option<String>,
    pub source_topic: Option<String>,
    /// Ids below this one.
    pub below: Option<LetterId>,
}

const CHANGE: Update<Column> = Update {
    name: "change",
    columns: &[
        Column::SourceTopic,
        Column::SourcePartition,
        Column::SourceOffset,
        Column::Payload,
        Column::ErrorType,
        Column::ErrorMessage,
        Column::RetryCount,
        Column::LastFailedAt,
        Column::TraceId,
        Column::Status,
        Column::Matter,
        Column::OccurredAt,
        Column::Traceparent,
        Column::Redrives,
        Column::DueAt,
        Column::Note,
        Column::Version,
    ],
};

impl Table for Entity {
    type Row = StoredDeadLetter;
    const NAME: &'static str = "dead_letter";
    const KEY: Column = Column::Id;

    fn read(row: Model) -> Result<StoredDeadLetter, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.id };
        let topic = DeadLetterTopic::ALL.into_iter().find(|topic| topic.name() == row.topic);
        let matter = match row.matter.as_str() {
            "event" => DeadLetterKind::Event {
                occurred_at: Timestamp(reading.column("occurred_at", row.occurred_at)?),
                trace: reading.trace(row.traceparent.as_deref().unwrap_or_default())?,
            },
            "request" => DeadLetterKind::Request,
            "foreign" => DeadLetterKind::Foreign,
            _ => return reading.column("matter", None),
        };
        Ok(StoredDeadLetter {
            letter: DeadLetter {
                id: LetterId::from_stored(row.id),
                topic: reading.column("topic", topic)?,
                source: Source {
                    topic: row.source_topic.unwrap_or_default(),
                    partition: row.source_partition.and_then(|partition| u32::try_from(partition).ok()),
                    offset: row.source_offset,
                    key: row.event_key.unwrap_or_default(),
                },
                payload: row.payload,
                error_type: row.error_type,
                error_message: row.error_message,
                retry_count: reading.count("retry_count", row.retry_count)?,
                first_failed_at: Timestamp(row.first_failed_at),
                last_failed_at: Timestamp(row.last_failed_at),
                trace_id: row.trace_id,
            },
            matter,
            status: reading.column("status", LetterStatus::parse(&row.status))?,
            redrives: reading.count("redrives", row.redrives)?,
            due_at: row.due_at.map(Timestamp),
            note: row.note,
            version: row.version,
        })
    }

    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let ids: Vec<i64> = read_set.letters.iter().map(|id| id.get()).collect();
        for stored in by_key::<Entity, _>(tx, &ids).await? {
            unit.letters.load(stored.letter.id, stored);
        }
        Ok(())
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.save(unit.letters.written_rows().map(|(_, stored)| (stored.version, row(stored))), &CHANGE).await
    }
}

/// The row that a letter becomes: one version above the one that was read.
fn row(stored: &StoredDeadLetter) -> ActiveModel {
    let (letter, source) = (&stored.letter, &stored.letter.source);
    let (occurred_at, traceparent) = match stored.matter {
        DeadLetterKind::Event { occurred_at, trace } => (Some(occurred_at.0), Some(trace.to_string())),
        DeadLetterKind::Request | DeadLetterKind::Foreign => (None, None),
    };
    Model {
        id: letter.id.get(),
        topic: letter.topic.name().to_owned(),
        source_topic: Some(cut(&source.topic, 40)),
        source_partition: source.partition.and_then(|partition| i32::try_from(partition).ok()),
        source_offset: source.offset,
        event_key: Some(cut(&source.key, 64)),
        payload: letter.payload.clone(),
        error_type: cut(&letter.error_type, 64),
        error_message: cut(&letter.error_message, 1024),
        retry_count: count(letter.retry_count),
        first_failed_at: letter.first_failed_at.0,
        last_failed_at: letter.last_failed_at.0,
        trace_id: letter.trace_id.clone(),
        status: stored.status.name().to_owned(),
        matter: stored.matter.name().to_owned(),
        occurred_at,
        traceparent,
        redrives: count(stored.redrives),
        due_at: stored.due_at.map(|time| time.0),
        note: stored.note.as_deref().map(|text| cut(text, 255)),
        version: stored.version + 1,
    }
    .into_active_model()
}

impl ShardDatabase {
    /// Dead letters, the highest ids first, that can be read.
    pub async fn dead_letters(
        &self,
        filter: &LetterFilter,
        limit: u64,
    ) -> Result<Vec<StoredDeadLetter>, DatabaseError> {
        or_in_memory!(self.dead_letters(filter, limit));
        let mut query = Entity::find().order_by_desc(Column::Id);
        if let Some(topic) = filter.topic {
            query = query.filter(Column::Topic.eq(topic.name()));
        }
        if let Some(status) = filter.status {
            query = query.filter(Column::Status.eq(status.name()));
        }
        if let Some(error_type) = &filter.error_type {
            query = query.filter(Column::ErrorType.eq(error_type.as_str()));
        }
        if let Some(source) = &filter.source_topic {
            query = query.filter(Column::SourceTopic.eq(source.as_str()));
        }
        if let Some(below) = filter.below {
            query = query.filter(Column::Id.lt(below.get()));
        }
        self.first_readable(query, limit).await
    }

    pub async fn dead_letter(&self, id: LetterId) -> Result<Option<StoredDeadLetter>, DatabaseError> {
        or_in_memory!(self.dead_letter(id));
        let found = each(&self.readers, Entity::find_by_id(id.get())).await?;
        Ok(self.all_readable(found)?.pop())
    }

    /// Dead letters of a topic whose events are to be delivered again by now, the longest due first.
    pub async fn dead_letters_due(
        &self,
        topic: DeadLetterTopic,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<StoredDeadLetter>, DatabaseError> {
        or_in_memory!(self.dead_letters_due(topic, now, limit));
        let due = Entity::find().filter(Column::DueAt.lte(now.0)).filter(Column::Topic.eq(topic.name()));
        self.first_readable(due.order_by_asc(Column::DueAt), limit).await
    }

    /// How many dead letters nobody has dealt with, by topic; a topic without any is not named.
    pub async fn open_letters(&self) -> Result<Vec<(String, u64)>, DatabaseError> {
        let found: Vec<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::Topic)
            .expr(Column::Id.count())
            .filter(Column::Status.eq(LetterStatus::Open.name()))
            .group_by(Column::Topic)
            .into_tuple()
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(|(topic, count)| (topic, count.unsigned_abs())).collect())
    }
}
