//! Which payments have a merchant's reference.

use entities::merchant_reference::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, QueryTrait};

use crate::domain::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::unit_of_work::UnitOfWork;
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::row::Damaged;
use crate::infra::database::table::Table;
use crate::infra::database::write::BatchWriter;
use crate::infra::sqlite::even_chunks;

impl Table for Entity {
    type Row = PaymentId;
    const NAME: &'static str = "merchant_reference";
    const KEY: Column = Column::PaymentId;

    fn read(row: Model) -> Result<PaymentId, Damaged> {
        Ok(PaymentId::from_stored(row.payment_id))
    }

    /// Of payments that are taken back.
    async fn remove(tx: &Transaction, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
        let rows: Vec<Model> = unit.payments.removed_rows().filter_map(|(_, payment)| row(payment)).collect();
        for chunk in even_chunks(&rows) {
            let any = chunk.iter().fold(Condition::any(), |any, row| {
                let of_merchant = Column::MerchantId.eq(row.merchant_id.as_str());
                let its = of_merchant.and(Column::Reference.eq(row.reference.as_str()));
                any.add(its.and(Column::PaymentId.eq(row.payment_id)))
            });
            Entity::delete_many().filter(any).exec(tx).await?;
        }
        Ok(rows.len() as u64)
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let rows = unit.payments.new_rows().filter_map(|(_, payment)| row(payment));
        batch.insert(rows.map(IntoActiveModel::<ActiveModel>::into_active_model)).await
    }
}

fn row(payment: &Payment) -> Option<Model> {
    let reference = payment.merchant_reference.clone()?;
    Some(Model { merchant_id: payment.merchant_id.clone(), reference, payment_id: payment.id.get() })
}

/// The ids of a merchant's payments that have the reference.
pub fn payments_with(merchant_id: &str, reference: &str) -> SelectStatement {
    Entity::find()
        .select_only()
        .column(Column::PaymentId)
        .filter(Column::MerchantId.eq(merchant_id))
        .filter(Column::Reference.eq(reference))
        .into_query()
}
