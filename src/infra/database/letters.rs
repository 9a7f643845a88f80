//! Dead letters and the trail of operators: rows, and what may be read of them.

use entities::{dead_letter, operator_action};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::error::DatabaseError;
use super::rows::{Damaged, Reading, count, cut};
use super::unreadable::each;
use super::{ShardDatabase, or_in_memory};
use crate::domain::dead_letter::{Action, DeadLetter, DeadLetterKind, LetterStatus, Source, StoredDeadLetter};
use crate::domain::event::DeadLetterTopic;
use crate::domain::{LetterId, Timestamp};

/// What an operator did, as it is kept.
pub type StoredAction = operator_action::Model;

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

impl ShardDatabase {
    /// Dead letters, the highest ids first, that can be read.
    pub async fn dead_letters(
        &self,
        filter: &LetterFilter,
        limit: u64,
    ) -> Result<Vec<StoredDeadLetter>, DatabaseError> {
        use dead_letter::Column::{ErrorType, Id, SourceTopic, Status, Topic};
        let mut query = dead_letter::Entity::find().order_by_desc(Id);
        if let Some(topic) = filter.topic {
            query = query.filter(Topic.eq(topic.name()));
        }
        if let Some(status) = filter.status {
            query = query.filter(Status.eq(status.name()));
        }
        if let Some(error_type) = &filter.error_type {
            query = query.filter(ErrorType.eq(error_type.as_str()));
        }
        if let Some(source) = &filter.source_topic {
            query = query.filter(SourceTopic.eq(source.as_str()));
        }
        if let Some(below) = filter.below {
            query = query.filter(Id.lt(below.get()));
        }
        self.first_readable(query, Id, limit, letter).await
    }

    pub async fn dead_letter(&self, id: LetterId) -> Result<Option<StoredDeadLetter>, DatabaseError> {
        let key = dead_letter::Column::Id;
        let found = each(&self.readers, dead_letter::Entity::find_by_id(id.get()), key, letter).await?;
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
        use dead_letter::Column::{DueAt, Id, Topic};
        let due = dead_letter::Entity::find().filter(DueAt.lte(now.0)).filter(Topic.eq(topic.name()));
        self.first_readable(due.order_by_asc(DueAt), Id, limit, letter).await
    }
}

/// A dead letter's row, read.
pub fn letter(row: dead_letter::Model) -> Result<StoredDeadLetter, Damaged> {
    let reading = Reading { table: "dead_letter", id: row.id };
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

/// The row that a letter becomes: one version above the one that was read.
pub fn letter_row(kept: &StoredDeadLetter) -> dead_letter::ActiveModel {
    let (letter, source) = (&kept.letter, &kept.letter.source);
    let (occurred_at, traceparent) = match kept.matter {
        DeadLetterKind::Event { occurred_at, trace } => (Some(occurred_at.0), Some(trace.to_string())),
        DeadLetterKind::Request | DeadLetterKind::Foreign => (None, None),
    };
    dead_letter::Model {
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
        status: kept.status.name().to_owned(),
        matter: kept.matter.name().to_owned(),
        occurred_at,
        traceparent,
        redrives: count(kept.redrives),
        due_at: kept.due_at.map(|time| time.0),
        note: kept.note.as_deref().map(|text| cut(text, 255)),
        version: kept.version + 1,
    }
    .into_active_model()
}

pub fn action_row(action: &Action) -> operator_action::ActiveModel {
    action_model(action).into_active_model()
}

/// An action as it is kept.
pub fn action_model(action: &Action) -> StoredAction {
    StoredAction {
        id: action.id.get(),
        at: action.at.0,
        operator: cut(&action.operator, 64),
        kind: action.kind.to_owned(),
        target: cut(&action.target, 64),
        detail: cut(&action.detail, 1024),
        request_id: cut(&action.request_id, 64),
    }
}
