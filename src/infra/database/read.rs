//! What may be read of a shard without asking its writer.

use entities::{
    idempotency_key, ledger_entry, outbox_event, payment, processed_event, refund, refund_request, settlement_request,
};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::error::DatabaseError;
use super::rows::{Damaged, Reading};
use super::unreadable::each;
use super::{ShardDatabase, or_in_memory, rows};
use crate::domain::event::{Consumer, known_topic};
use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::KeyHash;
use crate::domain::ledger::LedgerEntry;
use crate::domain::payment::{Payment, PaymentStatus};
use crate::domain::refund::Refund;
use crate::domain::request::{PspRequest, Task};
use crate::domain::{EntryId, EventId, PaymentId, RefundId, Timestamp};
use crate::infra::sqlite::even_chunks;

/// An event that waits in the outbox, or was published from it.
pub type OutboxRow = outbox_event::Model;

/// Which of a merchant's payments a listing shows. All bounds are exclusive.
#[derive(Debug, Clone)]
pub struct ListFilter {
    pub merchant_id: String,
    pub status: Option<PaymentStatus>,
    /// Ids above this one.
    pub above: Option<PaymentId>,
    /// Ids below this one.
    pub below: Option<PaymentId>,
    /// Oldest first instead of newest first.
    pub ascending: bool,
    pub limit: u64,
}

/// A payment's place among those that are due: when, and which.
pub type DuePlace = (Timestamp, PaymentId);

/// How far the outbox is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutboxBacklog {
    pub pending: u64,
    pub oldest: Option<Timestamp>,
}

impl ShardDatabase {
    /// The payment, if there is one.
    ///
    /// # Errors
    /// [`DatabaseError::Damaged`] if it is there and cannot be read.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, DatabaseError> {
        or_in_memory!(self.payment(id));
        Ok(self.payments(&[id]).await?.pop())
    }

    /// The payments among `ids` that exist, in the order of their ids.
    ///
    /// # Errors
    /// [`DatabaseError::Damaged`] if one of them cannot be read.
    pub async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, DatabaseError> {
        or_in_memory!(self.payments(ids));
        let found = self.payments_as_they_are(ids).await?;
        self.all_readable(found)
    }

    /// The claims among `key_hashes` that exist and can be read.
    pub async fn claims(&self, key_hashes: &[KeyHash]) -> Result<Vec<IdempotencyRecord>, DatabaseError> {
        or_in_memory!(self.claims(key_hashes));
        let key_hashes = key_hashes.iter().map(|scope| scope.0.to_vec());
        let query = idempotency_key::Entity::find().filter(idempotency_key::Column::Scope.is_in(key_hashes));
        let found = query.all(&self.readers).await?;
        Ok(found.into_iter().map(rows::claim).collect::<Result<_, _>>()?)
    }

    /// The payments among `ids` that exist and can be read, in the order of their ids.
    pub async fn readable_payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, DatabaseError> {
        or_in_memory!(self.payments(ids));
        Ok(self.readable(self.payments_as_they_are(ids).await?))
    }

    async fn payments_as_they_are(&self, ids: &[PaymentId]) -> Result<Vec<Result<Payment, Damaged>>, DatabaseError> {
        let ids = ids.iter().map(|id| id.get());
        let query = payment::Entity::find().filter(payment::Column::Id.is_in(ids)).order_by_asc(payment::Column::Id);
        each(&self.readers, query, payment::Column::Id, rows::payment).await
    }

    /// Whether there is such a payment, readable or not.
    pub async fn has_payment(&self, id: PaymentId) -> Result<bool, DatabaseError> {
        let query = payment::Entity::find_by_id(id.get()).select_only().column(payment::Column::Id);
        let found: Option<i64> = query.into_tuple().one(&self.readers).await?;
        Ok(found.is_some())
    }

    /// Payments of a merchant, each if it can be read.
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<Result<Payment, Damaged>>, DatabaseError> {
        or_in_memory!(self.list(filter));
        use payment::Column::{Id, MerchantId, Status};
        let mut query = payment::Entity::find().filter(MerchantId.eq(filter.merchant_id.as_str())).limit(filter.limit);
        if let Some(status) = filter.status {
            query = query.filter(Status.eq(status.name()));
        }
        if let Some(above) = filter.above {
            query = query.filter(Id.gt(above.get()));
        }
        if let Some(below) = filter.below {
            query = query.filter(Id.lt(below.get()));
        }
        query = if filter.ascending { query.order_by_asc(Id) } else { query.order_by_desc(Id) };
        let found = each(&self.readers, query, Id, rows::payment).await?;
        self.note_all(&found);
        Ok(found)
    }

    fn note_all<T>(&self, found: &[Result<T, Damaged>]) {
        found.iter().filter_map(|row| row.as_ref().err()).for_each(|damaged| self.unreadable.note(damaged));
    }

    /// Refunds of a payment above `after`, up to `limit`, in the order of their ids, each if it can be read.
    pub async fn refunds_of(
        &self,
        id: PaymentId,
        after: Option<RefundId>,
        limit: u64,
    ) -> Result<Vec<Result<Refund, Damaged>>, DatabaseError> {
        or_in_memory!(self.refunds_of(id, after, limit));
        use refund::Column::{Id, PaymentId as Payment};
        let query = refund::Entity::find().filter(Payment.eq(id.get())).order_by_asc(Id).limit(limit);
        let query = query.filter(Id.gt(after.map_or(i64::MIN, RefundId::get)));
        let found = each(&self.readers, query, Id, rows::refund).await?;
        self.note_all(&found);
        Ok(found)
    }

    /// Ledger entries of a payment above `after`, up to `limit`, in the order of their ids, each if it can be read.
    pub async fn ledger_of(
        &self,
        id: PaymentId,
        after: Option<EntryId>,
        limit: u64,
    ) -> Result<Vec<Result<LedgerEntry, Damaged>>, DatabaseError> {
        or_in_memory!(self.ledger_of(id, after, limit));
        use ledger_entry::Column::{Id, PaymentId as Payment};
        let query = ledger_entry::Entity::find().filter(Payment.eq(id.get())).order_by_asc(Id).limit(limit);
        let query = query.filter(Id.gt(after.map_or(i64::MIN, EntryId::get)));
        let found = each(&self.readers, query, Id, rows::ledger_entry).await?;
        self.note_all(&found);
        Ok(found)
    }

    /// The ledger entries that book these events, as far as they can be read.
    pub async fn entries_of(&self, events: &[EventId]) -> Result<Vec<LedgerEntry>, DatabaseError> {
        or_in_memory!(self.entries_of(events));
        use ledger_entry::Column::{EventId as Event, Id};
        let mut entries = Vec::new();
        for chunk in even_chunks(events) {
            let query = ledger_entry::Entity::find().filter(Event.is_in(chunk.iter().map(|event| event.get())));
            entries.extend(self.readable(each(&self.readers, query, Id, rows::ledger_entry).await?));
        }
        Ok(entries)
    }

    /// Events that nobody has been told yet, in the order in which they happened. One of a topic that there is not
    /// holds up no other.
    pub async fn unpublished(&self, limit: u64) -> Result<Vec<OutboxRow>, DatabaseError> {
        self.unpublished_after(0, limit).await
    }

    /// As [`Self::unpublished`], of those behind a place in the outbox.
    pub async fn unpublished_after(&self, seq: i64, limit: u64) -> Result<Vec<OutboxRow>, DatabaseError> {
        use outbox_event::Column::{PublishedAt, Seq};
        or_in_memory!(self.unpublished_after(seq, limit));
        let waiting = outbox_event::Entity::find().filter(PublishedAt.is_null()).filter(Seq.gt(seq)).order_by_asc(Seq);
        self.first_readable(waiting, Seq, limit, of_known_topic).await
    }

    /// As [`Self::unpublished`], of those at these places in the outbox.
    pub async fn unpublished_at(&self, seqs: &[i64]) -> Result<Vec<OutboxRow>, DatabaseError> {
        use outbox_event::Column::{PublishedAt, Seq};
        or_in_memory!(self.unpublished_at(seqs));
        let waiting =
            outbox_event::Entity::find().filter(PublishedAt.is_null()).filter(Seq.is_in(seqs.iter().copied()));
        self.first_readable(waiting.order_by_asc(Seq), Seq, seqs.len() as u64, of_known_topic).await
    }

    pub async fn outbox_backlog(&self) -> Result<OutboxBacklog, DatabaseError> {
        or_in_memory!(self.outbox_backlog());
        // Counted in the index alone, and one row is read, however many wait.
        let waiting = || outbox_event::Entity::find().select_only().filter(outbox_event::Column::PublishedAt.is_null());
        let pending: Option<i64> =
            waiting().expr(outbox_event::Column::Seq.count()).into_tuple().one(&self.readers).await?;
        let first = waiting().column(outbox_event::Column::OccurredAt).order_by_asc(outbox_event::Column::Seq).limit(1);
        let oldest: Option<i64> = first.into_tuple().one(&self.readers).await?;
        let pending = pending.unwrap_or_default();
        Ok(OutboxBacklog { pending: u64::try_from(pending).unwrap_or_default(), oldest: oldest.map(Timestamp) })
    }

    /// The requests that events asked for, of captures and voids or of refunds, as far as they can be read.
    pub async fn requests(&self, ids: &[EventId], refunds: bool) -> Result<Vec<PspRequest>, DatabaseError> {
        or_in_memory!(self.requests(ids, refunds));
        let ids = ids.iter().map(|id| id.get());
        let found = if refunds {
            let key = refund_request::Column::Id;
            let query = refund_request::Entity::find().filter(key.is_in(ids));
            each(&self.readers, query, key, rows::refund_request).await?
        } else {
            let key = settlement_request::Column::Id;
            let query = settlement_request::Entity::find().filter(key.is_in(ids));
            each(&self.readers, query, key, rows::settlement).await?
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
            use refund_request::Column::{DueAt, Id};
            let due = refund_request::Entity::find().filter(DueAt.lte(now.0)).order_by_asc(DueAt);
            return self.first_readable(due, Id, limit, rows::refund_request).await;
        }
        use settlement_request::Column::{DueAt, Id};
        let due = settlement_request::Entity::find().filter(DueAt.lte(now.0)).order_by_asc(DueAt);
        self.first_readable(due, Id, limit, rows::settlement).await
    }

    /// Leaves a request alone for a while.
    pub fn set_request_aside(&self, request: &PspRequest) {
        let table = match request.task {
            Task::Capture(_) | Task::Void => "settlement_request",
            Task::Refund(_) => "refund_request",
        };
        self.set_aside(table, request.id.get());
    }

    /// Payments that the resolver must look at, behind the place `after`: unknown outcomes, authorizations left under
    /// way, and those whose time to capture has passed.
    pub async fn payments_due(
        &self,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: u64,
    ) -> Result<Vec<Payment>, DatabaseError> {
        use payment::Column::{DueAt, Id};
        or_in_memory!(self.payments_due(now, after, limit));
        let mut query = payment::Entity::find().filter(DueAt.lte(now.0));
        if let Some((due_at, id)) = after {
            query = query.filter(DueAt.gte(due_at.0)).filter(DueAt.gt(due_at.0).or(Id.gt(id.get())));
        }
        self.first_readable(query.order_by_asc(DueAt).order_by_asc(Id), Id, limit, rows::payment).await
    }

    /// How many of these events the consumer has applied.
    pub async fn count_processed(&self, consumer: Consumer, events: &[EventId]) -> Result<u64, DatabaseError> {
        let query = processed_event::Entity::find()
            .filter(processed_event::Column::Consumer.eq(consumer.name()))
            .filter(processed_event::Column::EventId.is_in(events.iter().map(|event| event.get())));
        Ok(query.count(&self.readers).await?)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        payment::Entity::find()
            .select_only()
            .expr(Expr::value(1))
            .limit(1)
            .into_tuple::<i32>()
            .one(&self.readers)
            .await?;
        Ok(())
    }
}

fn of_known_topic(row: OutboxRow) -> Result<OutboxRow, Damaged> {
    let reading = Reading { table: "outbox_event", id: row.seq };
    reading.column("topic", known_topic(&row.topic))?;
    Ok(row)
}
