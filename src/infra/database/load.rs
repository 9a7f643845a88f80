//! Reads what a batch's commands name: one `IN (...)` query a table, in key order. On MariaDB that locks the rows, so
//! that batches of several hosts that touch the same ones wait for each other, in one order, and do not write past each
//! other; SQLite has one writer.

use entities::{
    account_balance, dead_letter, idempotency_key, payment, processed_event, refund, refund_request, settlement_request,
};
use sea_orm::sea_query::SimpleExpr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value};

use super::error::DatabaseError;
use super::rows::Damaged;
use super::unreadable::{Unreadable, each};
use super::{letters, rows};
use crate::domain::event::Consumer;
use crate::domain::id::Id;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{EventId, Timestamp};
use crate::infra::sqlite::even_chunks;

/// Fills the unit of work with the rows that are needed and exist.
pub async fn load(
    db: &impl ConnectionTrait,
    unreadable: &Unreadable,
    read_set: &ReadSet,
    unit: &mut UnitOfWork<'_>,
) -> Result<(), DatabaseError> {
    load_all(db, read_set, unit).await.inspect_err(|error| {
        if let DatabaseError::Damaged(damaged) = error {
            unreadable.note(damaged);
        }
    })
}

async fn load_all(
    db: &impl ConnectionTrait,
    read_set: &ReadSet,
    unit: &mut UnitOfWork<'_>,
) -> Result<(), DatabaseError> {
    let key_hashes: Vec<Vec<u8>> = read_set.idempotency_records.iter().map(|scope| scope.0.to_vec()).collect();
    for claim in by_key(db, idempotency_key::Column::Scope, &key_hashes, rows::claim).await? {
        unit.idempotency_records.load(claim.key_hash, claim);
    }
    for payment in by_key(db, payment::Column::Id, &ids(&read_set.payments), rows::payment).await? {
        unit.payments.load(payment.id, payment);
    }
    for refund in by_key(db, refund::Column::Id, &ids(&read_set.refunds), rows::refund).await? {
        unit.refunds.load(refund.id, refund);
    }
    for request in by_key(db, settlement_request::Column::Id, &ids(&read_set.settlements), rows::settlement).await? {
        unit.settlements.load(request.id, request);
    }
    for request in by_key(db, refund_request::Column::Id, &ids(&read_set.refund_requests), rows::refund_request).await?
    {
        unit.refund_requests.load(request.id, request);
    }
    for kept in by_key(db, dead_letter::Column::Id, &ids(&read_set.letters), letters::letter).await? {
        unit.letters.load(kept.letter.id, kept);
    }
    load_balances(db, read_set, unit).await?;
    load_processed(db, read_set, unit).await
}

fn ids<K>(ids: &std::collections::BTreeSet<Id<K>>) -> Vec<i64> {
    ids.iter().map(|id| id.get()).collect()
}

async fn by_key<C, V, T>(
    db: &impl ConnectionTrait,
    column: C,
    keys: &[V],
    read: impl Fn(<C::EntityName as EntityTrait>::Model) -> Result<T, Damaged>,
) -> Result<Vec<T>, DatabaseError>
where
    C: ColumnTrait,
    C::EntityName: EntityTrait<Column = C>,
    V: Into<Value> + Clone,
{
    let mut found = Vec::with_capacity(keys.len());
    for chunk in even_chunks(keys) {
        let query = C::EntityName::find().filter(column.is_in(chunk.iter().cloned())).order_by_asc(column);
        for row in each(db, query.lock_exclusive(), column, &read).await? {
            found.push(row?);
        }
    }
    Ok(found)
}

async fn load_balances(
    db: &impl ConnectionTrait,
    read_set: &ReadSet,
    unit: &mut UnitOfWork<'_>,
) -> Result<(), DatabaseError> {
    use account_balance::Column::{Account, Currency, MerchantId};
    let keys: Vec<_> = read_set.balances.iter().collect();
    for chunk in even_chunks(&keys) {
        let wanted = chunk.iter().fold(Condition::any(), |any, key| {
            let parts: SimpleExpr = MerchantId
                .eq(key.merchant_id.as_str())
                .and(Account.eq(key.account.name()))
                .and(Currency.eq(key.currency.code()));
            any.add(parts)
        });
        let query = account_balance::Entity::find().filter(wanted).lock_exclusive();
        for row in each(db, query, MerchantId, rows::balance).await? {
            let (key, balance) = row?;
            unit.balances.load(key, balance);
        }
    }
    Ok(())
}

async fn load_processed(
    db: &impl ConnectionTrait,
    read_set: &ReadSet,
    unit: &mut UnitOfWork<'_>,
) -> Result<(), DatabaseError> {
    use processed_event::Column::{Consumer as Who, EventId as Event};
    for consumer in Consumer::ALL {
        let events: Vec<i64> =
            read_set.processed.iter().filter(|(who, _)| *who == consumer).map(|(_, event)| event.get()).collect();
        for chunk in even_chunks(&events) {
            let rows = processed_event::Entity::find()
                .filter(Who.eq(consumer.name()))
                .filter(Event.is_in(chunk.iter().copied()))
                .all(db)
                .await?;
            for row in rows {
                unit.processed.load((consumer, EventId::from_stored(row.event_id)), Timestamp(row.processed_at));
            }
        }
    }
    Ok(())
}
