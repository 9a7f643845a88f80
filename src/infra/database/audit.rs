//! A shard as it stands at one instant, read page by page for whoever checks it. Nothing here writes.

use std::collections::HashSet;
use std::time::Duration;

use entities::{
    account_balance, idempotency_key, ledger_entry, outbox_event, payment, refund, refund_request, settlement_request,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use super::ShardDatabase;
use super::connection::Transaction;
use super::error::DatabaseError;
use super::readable::{decoded, each};
use super::row::Damaged;
use super::table::Table;
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry};
use crate::domain::payment::Payment;
use crate::domain::refund::Refund;
use crate::domain::request::PspRequest;
use crate::domain::{PaymentId, Timestamp};

/// One instant of a shard. As long as it lives, the database keeps what that instant needs: SQLite's write-ahead log
/// grows by what is written meanwhile.
pub struct Snapshot(Transaction);

/// How long one statement of a snapshot may take: it reads pages of large tables, and nobody waits behind it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// All that a shard holds of one payment.
#[derive(Debug, Clone)]
pub struct Dossier {
    pub payment: Payment,
    pub refunds: Vec<Refund>,
    /// Captures and voids owed to the PSP.
    pub settlements: Vec<PspRequest>,
    pub refund_requests: Vec<PspRequest>,
    pub entries: Vec<LedgerEntry>,
    /// The key that the payment was authorized under, if it is still kept.
    pub key: Option<KeyFact>,
}

/// Payments in the order of their ids, and what belongs to payments that are not there.
#[derive(Debug, Default)]
pub struct Page {
    pub dossiers: Vec<Dossier>,
    /// Rows of payments that do not exist: the table, the row's id and the payment's.
    pub orphans: Vec<(&'static str, i64, PaymentId)>,
    pub orphan_entries: Vec<LedgerEntry>,
    /// Entries of payments that cannot be read.
    pub other_entries: Vec<LedgerEntry>,
    /// Rows that cannot be read.
    pub unreadable: Vec<Damaged>,
    /// Where the next page begins; none after the last one.
    pub next: Option<PaymentId>,
}

/// An idempotency key without its answer.
#[derive(Debug, Clone, FromQueryResult)]
pub struct KeyFact {
    pub scope: Vec<u8>,
    pub operation: String,
    pub payment_id: i64,
    pub has_outcome: bool,
    pub created_at: i64,
    pub finished_at: Option<i64>,
    pub expires_at: i64,
}

/// What a key says about its payment can be held against this.
#[derive(Debug, Clone, FromQueryResult)]
pub struct PaymentFact {
    pub id: i64,
    pub claim: Vec<u8>,
    pub status: String,
}

/// An event of the outbox without its data.
#[derive(Debug, Clone, FromQueryResult)]
pub struct OutboxFact {
    pub seq: i64,
    pub event_id: i64,
    pub payment_id: i64,
    pub topic: String,
    pub published_at: Option<i64>,
}

impl ShardDatabase {
    /// The shard as it stands now.
    pub async fn snapshot(&self) -> Result<Snapshot, DatabaseError> {
        let tx = self.readers.begin_reading(PAGE_TIMEOUT).await?;
        // The instant is that of the first read, not of BEGIN.
        payment::Entity::find().select_only().column(payment::Column::Id).limit(1).into_tuple::<i64>().one(&tx).await?;
        Ok(Snapshot(tx))
    }
}

impl Snapshot {
    /// The first `limit` payments above `after`, with all that is theirs.
    pub async fn page(&self, after: PaymentId, limit: u64) -> Result<Page, DatabaseError> {
        let key = payment::Column::Id;
        let query = payment::Entity::find().filter(key.gt(after.get())).order_by_asc(key).limit(limit);
        let found = each(&self.0, query).await?;
        let is_last = (found.len() as u64) < limit;
        let last = found.last().and_then(|last| match last {
            Ok(payment) => Some(payment.id),
            Err(damaged) => damaged.id.parse().ok().map(PaymentId::from_stored),
        });
        let next = last.filter(|_| !is_last);
        let through = next.map_or(i64::MAX, PaymentId::get);
        let mut page = self.between(found, after.get(), through).await?;
        page.next = next;
        Ok(page)
    }

    /// One payment, with all that is its; none if it cannot be read.
    pub async fn dossier(&self, id: PaymentId) -> Result<Option<Dossier>, DatabaseError> {
        let found = each(&self.0, payment::Entity::find_by_id(id.get())).await?;
        Ok(self.between(found, id.get() - 1, id.get()).await?.dossiers.pop())
    }

    /// Adds to the payments, which are all with ids above `after` up to `through`, what is theirs.
    async fn between(
        &self,
        found: Vec<Result<Payment, Damaged>>,
        after: i64,
        through: i64,
    ) -> Result<Page, DatabaseError> {
        let mut page = Page::default();
        let payments = page.sorted(found);
        let hidden: HashSet<i64> = page.unreadable.iter().filter_map(|damaged| damaged.id.parse().ok()).collect();
        let keys = self.keys_of(&payments).await?;
        let dossier = |payment: Payment| Dossier {
            key: keys.iter().find(|key| key.scope == payment.key_hash.0).cloned(),
            payment,
            refunds: Vec::new(),
            settlements: Vec::new(),
            refund_requests: Vec::new(),
            entries: Vec::new(),
        };
        page.dossiers = payments.into_iter().map(dossier).collect();
        for refund in page.sorted(within(&self.0, refund::Column::PaymentId, after, through).await?) {
            match find(&mut page.dossiers, refund.payment_id) {
                Some(dossier) => dossier.refunds.push(refund),
                None if hidden.contains(&refund.payment_id.get()) => {}
                None => page.orphans.push(("refund", refund.id.get(), refund.payment_id)),
            }
        }
        for request in page.sorted(within(&self.0, settlement_request::Column::PaymentId, after, through).await?) {
            match find(&mut page.dossiers, request.payment_id) {
                Some(dossier) => dossier.settlements.push(request),
                None if hidden.contains(&request.payment_id.get()) => {}
                None => page.orphans.push(("settlement_request", request.id.get(), request.payment_id)),
            }
        }
        for request in page.sorted(within(&self.0, refund_request::Column::PaymentId, after, through).await?) {
            match find(&mut page.dossiers, request.payment_id) {
                Some(dossier) => dossier.refund_requests.push(request),
                None if hidden.contains(&request.payment_id.get()) => {}
                None => page.orphans.push(("refund_request", request.id.get(), request.payment_id)),
            }
        }
        for entry in page.sorted(within(&self.0, ledger_entry::Column::PaymentId, after, through).await?) {
            match find(&mut page.dossiers, entry.payment_id) {
                Some(dossier) => dossier.entries.push(entry),
                None if hidden.contains(&entry.payment_id.get()) => page.other_entries.push(entry),
                None => page.orphan_entries.push(entry),
            }
        }
        Ok(page)
    }

    async fn keys_of(&self, payments: &[Payment]) -> Result<Vec<KeyFact>, DatabaseError> {
        if payments.is_empty() {
            return Ok(Vec::new());
        }
        let scopes = payments.iter().map(|payment| payment.key_hash.0.to_vec());
        Ok(keys().filter(idempotency_key::Column::Scope.is_in(scopes)).into_model().all(&self.0).await?)
    }

    /// Up to `limit` keys whose scope is above `after` (at first, nothing), by scope, each with its payment if there
    /// is one.
    pub async fn keys(&self, after: &[u8], limit: u64) -> Result<Vec<(KeyFact, Option<PaymentFact>)>, DatabaseError> {
        let found: Vec<KeyFact> = keys()
            .filter(idempotency_key::Column::Scope.gt(after.to_vec()))
            .order_by_asc(idempotency_key::Column::Scope)
            .limit(limit)
            .into_model()
            .all(&self.0)
            .await?;
        let payments: Vec<PaymentFact> = payment::Entity::find()
            .select_only()
            .columns([payment::Column::Id, payment::Column::Claim, payment::Column::Status])
            .filter(payment::Column::Id.is_in(found.iter().map(|key| key.payment_id)))
            .order_by_asc(payment::Column::Id)
            .into_model()
            .all(&self.0)
            .await?;
        let of = |key: &KeyFact| payments.binary_search_by_key(&key.payment_id, |payment| payment.id).ok();
        let with_payment = |key: KeyFact| {
            let payment = of(&key).map(|at| payments[at].clone());
            (key, payment)
        };
        Ok(found.into_iter().map(with_payment).collect())
    }

    /// Up to `limit` events of the outbox above the place `after`, in their order.
    pub async fn outbox(&self, after: i64, limit: u64) -> Result<Vec<Result<OutboxFact, Damaged>>, DatabaseError> {
        use outbox_event::Column::{EventId, PaymentId, PublishedAt, Seq, Topic};
        let query = outbox_event::Entity::find()
            .select_only()
            .columns([Seq, EventId, PaymentId, Topic, PublishedAt])
            .filter(Seq.gt(after))
            .order_by_asc(Seq)
            .limit(limit);
        let found = self.0.query_all(query.build(self.0.get_database_backend())).await?;
        Ok(found.iter().map(decoded::<outbox_event::Entity, _>).collect())
    }

    /// All balances of the shard: two for each merchant and currency that ever captured.
    pub async fn balances(&self) -> Result<Vec<Result<(BalanceKey, Balance), Damaged>>, DatabaseError> {
        each(&self.0, account_balance::Entity::find()).await
    }

    /// When the oldest event happened that nobody has been told yet.
    pub async fn oldest_unpublished(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let oldest: Option<Option<i64>> = outbox_event::Entity::find()
            .select_only()
            .expr(outbox_event::Column::OccurredAt.min())
            .filter(outbox_event::Column::PublishedAt.is_null())
            .into_tuple()
            .one(&self.0)
            .await?;
        Ok(oldest.flatten().map(Timestamp))
    }
}

fn keys() -> sea_orm::Select<idempotency_key::Entity> {
    use idempotency_key::Column::{CreatedAt, ExpiresAt, FinishedAt, Operation, Outcome, PaymentId, Scope};
    idempotency_key::Entity::find()
        .select_only()
        .columns([Scope, Operation, PaymentId, CreatedAt, FinishedAt, ExpiresAt])
        .column_as(Outcome.is_not_null(), "has_outcome")
}

fn find(dossiers: &mut [Dossier], id: PaymentId) -> Option<&mut Dossier> {
    let at = dossiers.binary_search_by_key(&id, |dossier| dossier.payment.id).ok()?;
    dossiers.get_mut(at)
}

/// The rows whose `column` is above `after` and at most `through`.
async fn within<C>(
    tx: &Transaction,
    column: C,
    after: i64,
    through: i64,
) -> Result<Vec<Result<<C::EntityName as Table>::Row, Damaged>>, DatabaseError>
where
    C: ColumnTrait,
    C::EntityName: Table<Column = C>,
{
    let query = C::EntityName::find().filter(column.gt(after)).filter(column.lte(through)).order_by_asc(column);
    each(tx, query).await
}

impl Page {
    /// What can be read of the rows; the rest is noted.
    fn sorted<T>(&mut self, found: Vec<Result<T, Damaged>>) -> Vec<T> {
        found.into_iter().filter_map(|row| row.map_err(|damaged| self.unreadable.push(damaged)).ok()).collect()
    }
}

/// Runs SQL on any of Rialto's SQLite files: tests do damage with it.
#[cfg(test)]
pub async fn damage(path: &std::path::Path, sql: &str) {
    use sea_orm::ConnectionTrait;
    let db = crate::infra::sqlite::open_writer(path).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}
