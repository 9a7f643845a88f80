//! Where the refunds are that wait for a capture.

use entities::refund;
use entities::waiting_refund::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::refund::{RefundFilter, narrowed};
use crate::domain::unit_of_work::UnitOfWork;
use crate::domain::{PaymentId, RefundId};
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::each;
use crate::infra::database::row::Damaged;
use crate::infra::database::table::Table;
use crate::infra::database::write::BatchWriter;
use crate::infra::database::{ShardDatabase, or_in_memory};
use crate::infra::sqlite::even_chunks;

impl Table for Entity {
    /// The refund, and its payment.
    type Row = (RefundId, PaymentId);
    const NAME: &'static str = "waiting_refund";
    const KEY: Column = Column::Id;

    fn read(row: Model) -> Result<(RefundId, PaymentId), Damaged> {
        Ok((RefundId::from_stored(row.id), PaymentId::from_stored(row.payment_id)))
    }

    /// Of refunds that have begun or failed. One that a node of an earlier version has wait has none.
    async fn remove(tx: &Transaction, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
        let ended = unit.waiting_refunds.iter().filter(|(_, waits)| waits.is_none());
        let ended: Vec<i64> = ended.map(|(id, _)| id.get()).collect();
        for chunk in even_chunks(&ended) {
            Entity::delete_many().filter(Column::Id.is_in(chunk.iter().copied())).exec(tx).await?;
        }
        Ok(ended.len() as u64)
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let begun = unit.waiting_refunds.iter().filter_map(|(id, waits)| Some((id, waits.as_ref()?)));
        let rows = begun.map(|(id, (payment_id, merchant_id))| {
            let model = Model { id: id.get(), payment_id: payment_id.get(), merchant_id: merchant_id.clone() };
            IntoActiveModel::<ActiveModel>::into_active_model(model)
        });
        batch.insert(rows).await
    }
}

impl ShardDatabase {
    /// The payment in whose row the refund waits, if it does.
    pub async fn payment_of_waiting(&self, id: RefundId) -> Result<Option<PaymentId>, DatabaseError> {
        or_in_memory!(self.payment_of_waiting(id));
        let found = each(&self.readers, Entity::find_by_id(id.get())).await?;
        Ok(self.all_readable(found)?.pop().map(|(_, payment_id)| payment_id))
    }

    /// A merchant's refunds that wait, with their payments. A node of an earlier version that begins one leaves its
    /// row.
    pub async fn waiting_refunds(&self, filter: &RefundFilter) -> Result<Vec<(RefundId, PaymentId)>, DatabaseError> {
        or_in_memory!(self.waiting_refunds(filter));
        let query = Entity::find().filter(Column::MerchantId.eq(filter.merchant_id.as_str()));
        let begun = Query::select()
            .expr(Expr::value(1))
            .from(refund::Entity)
            .and_where(Expr::col((refund::Entity, refund::Column::Id)).equals((Entity, Column::Id)))
            .take();
        let query = query.filter(Expr::exists(begun).not());
        self.all_readable(each(&self.readers, narrowed(query, Column::Id, filter)).await?)
    }
}
