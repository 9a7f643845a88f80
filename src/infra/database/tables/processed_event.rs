//! Which consumer has applied which event.

use entities::processed_event::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

use crate::domain::event::Consumer;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{EventId, Timestamp};
use crate::infra::database::ShardDatabase;
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::each;
use crate::infra::database::row::Damaged;
use crate::infra::database::table::Table;
use crate::infra::database::write::BatchWriter;
use crate::infra::sqlite::even_chunks;

impl Table for Entity {
    /// The event, and when it was applied.
    type Row = (EventId, Timestamp);
    const NAME: &'static str = "processed_event";
    const KEY: Column = Column::EventId;

    fn read(row: Model) -> Result<(EventId, Timestamp), Damaged> {
        Ok((EventId::from_stored(row.event_id), Timestamp(row.processed_at)))
    }

    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        for consumer in Consumer::ALL {
            let its = read_set.processed.iter().filter(|(who, _)| *who == consumer);
            let events: Vec<i64> = its.map(|(_, event)| event.get()).collect();
            for chunk in even_chunks(&events) {
                let of_consumer = Entity::find().filter(Column::Consumer.eq(consumer.name()));
                let applied = of_consumer.filter(Column::EventId.is_in(chunk.iter().copied()));
                for row in each(tx, applied).await? {
                    let (event, at) = row?;
                    unit.processed.load((consumer, event), at);
                }
            }
        }
        Ok(())
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.insert(unit.processed.written_rows().map(|((consumer, event), at)| row(*consumer, *event, *at))).await
    }
}

fn row(consumer: Consumer, event_id: EventId, at: Timestamp) -> ActiveModel {
    Model { consumer: consumer.name().to_owned(), event_id: event_id.get(), processed_at: at.0 }.into_active_model()
}

impl ShardDatabase {
    /// How many of these events the consumer has applied.
    pub async fn count_processed(&self, consumer: Consumer, events: &[EventId]) -> Result<u64, DatabaseError> {
        let query = Entity::find()
            .filter(Column::Consumer.eq(consumer.name()))
            .filter(Column::EventId.is_in(events.iter().map(|event| event.get())));
        Ok(query.count(&self.readers).await?)
    }
}
