//! Refunds.

use entities::refund::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::domain::refund::{Refund, RefundStatus};
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{EventId, Money, PaymentId, RefundId, Timestamp};
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::{by_key, each};
use crate::infra::database::row::{Damaged, Reading, cut};
use crate::infra::database::table::Table;
use crate::infra::database::write::{BatchWriter, Update};
use crate::infra::database::{ShardDatabase, or_in_memory};
use crate::infra::stored::failure;

/// Which of a merchant's refunds a listing shows. All bounds are exclusive.
#[derive(Debug, Clone)]
pub struct RefundFilter {
    pub merchant_id: String,
    /// Any of these; all statuses, if none is named.
    pub statuses: Vec<RefundStatus>,
    /// Ids above this one.
    pub above: Option<RefundId>,
    /// Ids below this one.
    pub below: Option<RefundId>,
    /// Oldest first instead of newest first.
    pub ascending: bool,
    pub limit: u64,
}

const CHANGE: Update<Column> = Update {
    name: "change",
    columns: &[
        Column::Status,
        Column::PspReference,
        Column::Failure,
        Column::RefundedEvent,
        Column::UpdatedAt,
        Column::Version,
    ],
};

impl Table for Entity {
    type Row = Refund;
    const NAME: &'static str = "refund";
    const KEY: Column = Column::Id;

    fn read(row: Model) -> Result<Refund, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.id };
        Ok(Refund {
            id: RefundId::from_stored(row.id),
            payment_id: PaymentId::from_stored(row.payment_id),
            money: Money::new(row.amount, reading.currency(&row.currency)?),
            status: reading.column("status", RefundStatus::parse(&row.status))?,
            requested_at: Timestamp(row.requested_at),
            updated_at: Timestamp(row.updated_at),
            version: row.version,
            merchant_id: row.merchant_id,
            reason: row.reason,
            psp_reference: row.psp_reference,
            failure: reading.failure("failure", row.failure.as_deref())?,
            refunded_event: row.refunded_event.map(EventId::from_stored),
        })
    }

    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let ids: Vec<i64> = read_set.refunds.iter().map(|id| id.get()).collect();
        for refund in by_key::<Entity, _>(tx, &ids).await? {
            unit.refunds.load(refund.id, refund);
        }
        Ok(())
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.save(unit.refunds.written_rows().map(|(_, refund)| (refund.version, row(refund))), &CHANGE).await
    }
}

fn row(refund: &Refund) -> ActiveModel {
    Model {
        id: refund.id.get(),
        payment_id: refund.payment_id.get(),
        merchant_id: refund.merchant_id.clone(),
        currency: refund.money.currency.code().to_owned(),
        amount: refund.money.minor,
        status: refund.status.name().to_owned(),
        reason: refund.reason.clone(),
        psp_reference: refund.psp_reference.as_deref().map(|text| cut(text, 64)),
        failure: refund.failure.as_ref().map(failure::write),
        refunded_event: refund.refunded_event.map(EventId::get),
        requested_at: refund.requested_at.0,
        updated_at: refund.updated_at.0,
        version: refund.version + 1,
    }
    .into_active_model()
}

/// A query held to the bounds, the order and the limit of a listing.
pub fn narrowed<E: EntityTrait>(query: Select<E>, id: E::Column, filter: &RefundFilter) -> Select<E> {
    let above = query.filter(id.gt(filter.above.map_or(i64::MIN, RefundId::get)));
    let between = above.filter(id.lt(filter.below.map_or(i64::MAX, RefundId::get)));
    let ordered = if filter.ascending { between.order_by_asc(id) } else { between.order_by_desc(id) };
    ordered.limit(filter.limit)
}

impl ShardDatabase {
    /// The refund, if it has begun.
    ///
    /// # Errors
    /// [`DatabaseError::Damaged`] if it is there and cannot be read.
    pub async fn refund(&self, id: RefundId) -> Result<Option<Refund>, DatabaseError> {
        or_in_memory!(self.refund(id));
        let found = each(&self.readers, Entity::find_by_id(id.get())).await?;
        Ok(self.all_readable(found)?.pop())
    }

    /// Refunds of a merchant that have begun, each if it can be read.
    pub async fn refunds(&self, filter: &RefundFilter) -> Result<Vec<Result<Refund, Damaged>>, DatabaseError> {
        or_in_memory!(self.refunds(filter));
        let mut query = Entity::find().filter(Column::MerchantId.eq(filter.merchant_id.as_str()));
        if !filter.statuses.is_empty() {
            query = query.filter(Column::Status.is_in(filter.statuses.iter().map(|status| status.name())));
        }
        let found = each(&self.readers, narrowed(query, Column::Id, filter)).await?;
        self.note_all(&found);
        Ok(found)
    }

    /// Refunds of a payment above `after`, up to `limit`, in the order of their ids, each if it can be read.
    pub async fn refunds_of(
        &self,
        id: PaymentId,
        after: Option<RefundId>,
        limit: u64,
    ) -> Result<Vec<Result<Refund, Damaged>>, DatabaseError> {
        or_in_memory!(self.refunds_of(id, after, limit));
        let query = Entity::find().filter(Column::PaymentId.eq(id.get())).order_by_asc(Column::Id).limit(limit);
        let query = query.filter(Column::Id.gt(after.map_or(i64::MIN, RefundId::get)));
        let found = each(&self.readers, query).await?;
        self.note_all(&found);
        Ok(found)
    }
}
