//! The older parts of payments' timelines, which have moved out of the payments' rows.

use entities::timeline_page;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::error::DatabaseError;
use super::rows::Damaged;
use super::unreadable::each;
use super::{ShardDatabase, or_in_memory};
use crate::domain::PaymentId;
use crate::domain::timeline::{Timeline, TimelinePage};

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
        use timeline_page::Column::{First, PaymentId as Payment};
        let query = timeline_page::Entity::find()
            .filter(Payment.eq(id.get()))
            .filter(First.gt(i64::from(from) - i64::from(Timeline::PAGE_ENTRIES_MAX)))
            .filter(First.lt(i64::from(before)))
            .order_by_asc(First)
            .limit(limit);
        let found = each(&self.readers, query, Payment, page).await?;
        Ok(self.readable(found))
    }
}

fn page(row: timeline_page::Model) -> Result<TimelinePage, Damaged> {
    let damaged = |_| Damaged { table: "timeline_page", id: row.payment_id.to_string(), column: "first" };
    let first = u32::try_from(row.first).map_err(damaged)?;
    Ok(TimelinePage { first, entries: Timeline::from_stored(row.entries) })
}
