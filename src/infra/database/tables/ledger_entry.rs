//! Entries of the ledger. They are never changed.

use entities::ledger_entry::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::ledger::{Account, LedgerEntry};
use crate::domain::unit_of_work::UnitOfWork;
use crate::domain::{EntryId, EventId, Money, PaymentId, RefundId, Timestamp};
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::each;
use crate::infra::database::row::{Damaged, Reading};
use crate::infra::database::table::Table;
use crate::infra::database::write::BatchWriter;
use crate::infra::database::{ShardDatabase, or_in_memory};
use crate::infra::sqlite::even_chunks;

/// Which of a merchant's entries a listing shows. All bounds are exclusive.
#[derive(Debug, Clone)]
pub struct EntryFilter {
    pub merchant_id: String,
    /// Ids above this one.
    pub above: Option<EntryId>,
    /// Ids below this one.
    pub below: Option<EntryId>,
    /// Oldest first instead of newest first.
    pub ascending: bool,
    pub limit: u64,
}

impl Table for Entity {
    type Row = LedgerEntry;
    const NAME: &'static str = "ledger_entry";
    const KEY: Column = Column::Id;

    fn read(row: Model) -> Result<LedgerEntry, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.id };
        Ok(LedgerEntry {
            id: EntryId::from_stored(row.id),
            event_id: EventId::from_stored(row.event_id),
            payment_id: PaymentId::from_stored(row.payment_id),
            refund_id: row.refund_id.map(RefundId::from_stored),
            debit: reading.column("debit_account", Account::parse(&row.debit_account))?,
            credit: reading.column("credit_account", Account::parse(&row.credit_account))?,
            money: Money::new(row.amount, reading.currency(&row.currency)?),
            created_at: Timestamp(row.created_at),
            merchant_id: row.merchant_id,
        })
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.insert(unit.entries.iter().map(row)).await
    }
}

fn row(entry: &LedgerEntry) -> ActiveModel {
    Model {
        id: entry.id.get(),
        event_id: entry.event_id.get(),
        payment_id: entry.payment_id.get(),
        refund_id: entry.refund_id.map(RefundId::get),
        merchant_id: entry.merchant_id.clone(),
        debit_account: entry.debit.name().to_owned(),
        credit_account: entry.credit.name().to_owned(),
        amount: entry.money.minor,
        currency: entry.money.currency.code().to_owned(),
        created_at: entry.created_at.0,
    }
    .into_active_model()
}

impl ShardDatabase {
    /// Ledger entries of a merchant, each if it can be read.
    pub async fn entries(&self, filter: &EntryFilter) -> Result<Vec<Result<LedgerEntry, Damaged>>, DatabaseError> {
        or_in_memory!(self.entries(filter));
        let query = Entity::find()
            .filter(Column::MerchantId.eq(filter.merchant_id.as_str()))
            .filter(Column::Id.gt(filter.above.map_or(i64::MIN, EntryId::get)))
            .filter(Column::Id.lt(filter.below.map_or(i64::MAX, EntryId::get)))
            .limit(filter.limit);
        let query = if filter.ascending { query.order_by_asc(Column::Id) } else { query.order_by_desc(Column::Id) };
        let found = each(&self.readers, query).await?;
        self.note_all(&found);
        Ok(found)
    }

    /// Whether there is such an entry of the merchant, readable or not.
    pub async fn has_entry(&self, id: EntryId, merchant_id: &str) -> Result<bool, DatabaseError> {
        or_in_memory!(self.has_entry(id, merchant_id));
        let query = Entity::find_by_id(id.get()).filter(Column::MerchantId.eq(merchant_id));
        let found: Option<i64> = query.select_only().column(Column::Id).into_tuple().one(&self.readers).await?;
        Ok(found.is_some())
    }

    /// Ledger entries of a payment above `after`, up to `limit`, in the order of their ids, each if it can be read.
    pub async fn ledger_of(
        &self,
        id: PaymentId,
        after: Option<EntryId>,
        limit: u64,
    ) -> Result<Vec<Result<LedgerEntry, Damaged>>, DatabaseError> {
        or_in_memory!(self.ledger_of(id, after, limit));
        let query = Entity::find().filter(Column::PaymentId.eq(id.get())).order_by_asc(Column::Id).limit(limit);
        let query = query.filter(Column::Id.gt(after.map_or(i64::MIN, EntryId::get)));
        let found = each(&self.readers, query).await?;
        self.note_all(&found);
        Ok(found)
    }

    /// The ledger entries that book these events, as far as they can be read.
    pub async fn entries_of(&self, events: &[EventId]) -> Result<Vec<LedgerEntry>, DatabaseError> {
        or_in_memory!(self.entries_of(events));
        let mut entries = Vec::new();
        for chunk in even_chunks(events) {
            let query = Entity::find().filter(Column::EventId.is_in(chunk.iter().map(|event| event.get())));
            entries.extend(self.readable(each(&self.readers, query).await?));
        }
        Ok(entries)
    }
}
