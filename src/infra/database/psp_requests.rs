//! What is owed to the PSP, in two tables: captures and voids in one, refunds in the other.

use entities::{refund_request, settlement_request};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::error::DatabaseError;
use super::readable::each;
use super::table::Table;
use super::{ShardDatabase, or_in_memory};
use crate::domain::request::{PspRequest, Task};
use crate::domain::{EventId, Timestamp};

impl ShardDatabase {
    /// The requests that events asked for, of captures and voids or of refunds, as far as they can be read.
    pub async fn requests(&self, ids: &[EventId], refunds: bool) -> Result<Vec<PspRequest>, DatabaseError> {
        or_in_memory!(self.requests(ids, refunds));
        let ids = ids.iter().map(|id| id.get());
        let found = if refunds {
            each(&self.readers, refund_request::Entity::find().filter(refund_request::Column::Id.is_in(ids))).await?
        } else {
            each(&self.readers, settlement_request::Entity::find().filter(settlement_request::Column::Id.is_in(ids)))
                .await?
        };
        Ok(self.readable(found))
    }

    /// Captures and voids, or refunds, whose next try is due.
    pub async fn requests_due(
        &self,
        now: Timestamp,
        refunds: bool,
        limit: u64,
    ) -> Result<Vec<PspRequest>, DatabaseError> {
        or_in_memory!(self.requests_due(now, refunds, limit));
        if refunds {
            use refund_request::Column::DueAt;
            let due = refund_request::Entity::find().filter(DueAt.lte(now.0)).order_by_asc(DueAt);
            return self.first_readable(due, limit).await;
        }
        use settlement_request::Column::DueAt;
        let due = settlement_request::Entity::find().filter(DueAt.lte(now.0)).order_by_asc(DueAt);
        self.first_readable(due, limit).await
    }

    /// Leaves a request alone for a while.
    pub fn set_request_aside(&self, request: &PspRequest) {
        let table = match request.task {
            Task::Capture(_) | Task::Void => settlement_request::Entity::NAME,
            Task::Refund(_) => refund_request::Entity::NAME,
        };
        self.set_aside(table, request.id.get());
    }
}
