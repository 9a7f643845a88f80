//! Events until they are published, and some time longer.

use entities::outbox_event::{ActiveModel, Column, Entity, Model};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::domain::event::{Event, known_topic};
use crate::domain::unit_of_work::UnitOfWork;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::row::{Damaged, Reading};
use crate::infra::database::table::Table;
use crate::infra::database::write::BatchWriter;
use crate::infra::database::{ShardDatabase, or_in_memory};
use crate::infra::sqlite::even_chunks;

/// An event that waits in the outbox, or was published from it.
pub type OutboxRow = Model;

/// How far the outbox is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutboxBacklog {
    pub pending: u64,
    pub oldest: Option<Timestamp>,
}

impl Table for Entity {
    type Row = OutboxRow;
    const NAME: &'static str = "outbox_event";
    const KEY: Column = Column::Seq;

    /// One of a topic that there is not cannot be published.
    fn read(row: Model) -> Result<OutboxRow, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.seq };
        reading.column("topic", known_topic(&row.topic))?;
        Ok(row)
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.insert(unit.events.iter().map(row)).await?;
        for seqs in even_chunks(&unit.published) {
            let mark = Entity::update_many()
                .col_expr(Column::PublishedAt, Expr::value(unit.now.0))
                .filter(Column::Seq.is_in(seqs.iter().copied()));
            batch.update(mark, seqs.len()).await?;
        }
        Ok(())
    }
}

/// The outbox row of an event; the database gives it its place in the order.
fn row(event: &Event) -> ActiveModel {
    ActiveModel {
        seq: NotSet,
        event_id: Set(event.id.get()),
        payment_id: Set(event.payment_id.get()),
        topic: Set(event.topic.to_owned()),
        payload: Set(event.payload.clone()),
        traceparent: Set(event.trace.to_string()),
        occurred_at: Set(event.occurred_at.0),
        published_at: Set(None),
    }
}

/// Deletes up to `limit` events published before `published_before`. Returns how many those were.
pub async fn prune(db: &impl ConnectionTrait, published_before: Timestamp, limit: u64) -> Result<u64, DatabaseError> {
    let old = Entity::find()
        .select_only()
        .column(Column::Seq)
        .filter(Column::PublishedAt.lt(published_before.0))
        .order_by_asc(Column::PublishedAt)
        .limit(limit);
    let seqs: Vec<i64> = old.into_tuple().all(db).await?;
    let mut deleted = 0;
    for chunk in even_chunks(&seqs) {
        let delete = Entity::delete_many().filter(Column::Seq.is_in(chunk.iter().copied()));
        deleted += delete.exec(db).await?.rows_affected;
    }
    Ok(deleted)
}

impl ShardDatabase {
    /// Events that nobody has been told yet, in the order in which they happened. One of a topic that there is not
    /// holds up no other.
    pub async fn unpublished(&self, limit: u64) -> Result<Vec<OutboxRow>, DatabaseError> {
        self.unpublished_after(0, limit).await
    }

    /// As [`Self::unpublished`], of those behind a place in the outbox.
    pub async fn unpublished_after(&self, seq: i64, limit: u64) -> Result<Vec<OutboxRow>, DatabaseError> {
        or_in_memory!(self.unpublished_after(seq, limit));
        let waiting =
            Entity::find().filter(Column::PublishedAt.is_null()).filter(Column::Seq.gt(seq)).order_by_asc(Column::Seq);
        self.first_readable(waiting, limit).await
    }

    /// As [`Self::unpublished`], of those at these places in the outbox.
    pub async fn unpublished_at(&self, seqs: &[i64]) -> Result<Vec<OutboxRow>, DatabaseError> {
        or_in_memory!(self.unpublished_at(seqs));
        let waiting =
            Entity::find().filter(Column::PublishedAt.is_null()).filter(Column::Seq.is_in(seqs.iter().copied()));
        self.first_readable(waiting.order_by_asc(Column::Seq), seqs.len() as u64).await
    }

    pub async fn outbox_backlog(&self) -> Result<OutboxBacklog, DatabaseError> {
        or_in_memory!(self.outbox_backlog());
        // Counted in the index alone, and one row is read, however many wait.
        let waiting = || Entity::find().select_only().filter(Column::PublishedAt.is_null());
        let pending: Option<i64> = waiting().expr(Column::Seq.count()).into_tuple().one(&self.readers).await?;
        let first = waiting().column(Column::OccurredAt).order_by_asc(Column::Seq).limit(1);
        let oldest: Option<i64> = first.into_tuple().one(&self.readers).await?;
        let pending = pending.unwrap_or_default();
        Ok(OutboxBacklog { pending: u64::try_from(pending).unwrap_or_default(), oldest: oldest.map(Timestamp) })
    }
}
