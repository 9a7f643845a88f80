//! References that a merchant wants on one payment only.

use entities::payment;
use entities::unique_reference::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use super::merchant_reference::payments_with;
use crate::domain::PaymentId;
use crate::domain::payment::PaymentStatus;
use crate::domain::reference::{ReferenceKey, ReferenceUse};
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::each;
use crate::infra::database::row::Damaged;
use crate::infra::database::table::Table;
use crate::infra::database::write::{BatchWriter, Update};

const CHANGE: Update<Column> = Update { name: "change", columns: &[Column::PaymentId, Column::Version] };

impl Table for Entity {
    /// The version.
    type Row = i64;
    const NAME: &'static str = "unique_reference";
    const KEY: Column = Column::Reference;

    fn read(row: Model) -> Result<i64, Damaged> {
        Ok(row.version)
    }

    /// Two short look-ups for each reference that is to be unique, and nothing for a batch without one.
    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let freed = PaymentStatus::ALL.into_iter().filter(|status| status.frees_reference());
        let freed: Vec<&str> = freed.map(PaymentStatus::name).collect();
        for key in &read_set.references {
            let ReferenceKey { merchant_id, reference } = key;
            let own = Entity::find_by_id((merchant_id.clone(), reference.clone())).lock_exclusive();
            let version = each(tx, own).await?.pop().transpose()?.unwrap_or_default();
            let holder: Option<i64> = payment::Entity::find()
                .select_only()
                .column(payment::Column::Id)
                .filter(payment::Column::Id.in_subquery(payments_with(merchant_id, reference)))
                .filter(payment::Column::Status.is_not_in(freed.iter().copied()))
                .order_by_asc(payment::Column::Id)
                .limit(1)
                .into_tuple()
                .one(tx)
                .await?;
            unit.references.load(key.clone(), ReferenceUse { payment_id: holder.map(PaymentId::from_stored), version });
        }
        Ok(())
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let rows = unit.references.written_rows().filter_map(|(key, usage)| Some((usage.version, row(key, usage)?)));
        batch.save(rows, &CHANGE).await
    }
}

fn row(key: &ReferenceKey, usage: &ReferenceUse) -> Option<ActiveModel> {
    let ReferenceKey { merchant_id, reference } = key.clone();
    let payment_id = usage.payment_id?.get();
    Some(Model { merchant_id, reference, payment_id, version: usage.version + 1 }.into_active_model())
}
