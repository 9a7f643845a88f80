//! The older parts of payments' timelines, which have moved out of the payments' rows.

use entities::timeline_page::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::PaymentId;
use crate::domain::timeline::{Timeline, TimelinePage};
use crate::domain::unit_of_work::UnitOfWork;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::each;
use crate::infra::database::row::{Damaged, Reading, count};
use crate::infra::database::table::Table;
use crate::infra::database::write::BatchWriter;
use crate::infra::database::{ShardDatabase, or_in_memory};

impl Table for Entity {
    type Row = TimelinePage;
    const NAME: &'static str = "timeline_page";
    const KEY: Column = Column::PaymentId;

    fn read(row: Model) -> Result<TimelinePage, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.payment_id };
        Ok(TimelinePage { first: reading.count("first", row.first)?, entries: Timeline::from_stored(row.entries) })
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.insert(unit.timeline_pages.iter().map(|(payment_id, page)| row(*payment_id, page))).await
    }
}

/// The row of entries that have moved out of a payment's row.
fn row(payment_id: PaymentId, page: &TimelinePage) -> ActiveModel {
    Model { payment_id: payment_id.get(), first: count(page.first), entries: page.entries.as_stored().to_owned() }
        .into_active_model()
}

impl ShardDatabase {
    /// Pages of a payment's timeline, in their order, up to `limit`: from the one that holds the place `from` on, and
    /// only such as begin before the place `before`.
    pub async fn timeline_pages(
        &self,
        id: PaymentId,
        from: u32,
        before: u32,
        limit: u64,
    ) -> Result<Vec<TimelinePage>, DatabaseError> {
        or_in_memory!(self.timeline_pages(id, from, before, limit));
        let query = Entity::find()
            .filter(Column::PaymentId.eq(id.get()))
            .filter(Column::First.gt(i64::from(from) - i64::from(Timeline::PAGE_ENTRIES_MAX)))
            .filter(Column::First.lt(i64::from(before)))
            .order_by_asc(Column::First)
            .limit(limit);
        let found = each(&self.readers, query).await?;
        Ok(self.readable(found))
    }
}
