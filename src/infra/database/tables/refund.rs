//! Refunds.

use entities::refund::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

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

impl ShardDatabase {
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
