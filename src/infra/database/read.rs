//! What may be read of a shard without asking its writer.

use entities::{
    idempotency_key, ledger_entry, outbox_event, payment, processed_event, refund, refund_request, settlement_request,
};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;

use super::error::DatabaseError;
use super::{ShardDatabase, or_in_memory, rows};
use crate::domain::event::Consumer;
use crate::domain::idempotency::{Claim, Scope};
use crate::domain::ledger::LedgerEntry;
use crate::domain::payment::{Payment, PaymentStatus};
use crate::domain::refund::Refund;
use crate::domain::request::PspRequest;
use crate::domain::{EventId, PaymentId, Timestamp};

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
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, DatabaseError> {
        or_in_memory!(self.payment(id));
        let row = payment::Entity::find_by_id(id.get()).one(&self.readers).await?;
        Ok(row.map(rows::payment).transpose()?)
    }

    /// The payments among `ids` that exist, in the order of their ids.
    pub async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, DatabaseError> {
        or_in_memory!(self.payments(ids));
        let ids = ids.iter().map(|id| id.get());
        let found = payment::Entity::find()
            .filter(payment::Column::Id.is_in(ids))
            .order_by_asc(payment::Column::Id)
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(rows::payment).collect::<Result<_, _>>()?)
    }

    /// The claims among `scopes` that exist.
    pub async fn claims(&self, scopes: &[Scope]) -> Result<Vec<Claim>, DatabaseError> {
        or_in_memory!(self.claims(scopes));
        let scopes = scopes.iter().map(|scope| scope.0.to_vec());
        let found = idempotency_key::Entity::find()
            .filter(idempotency_key::Column::Scope.is_in(scopes))
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(rows::claim).collect::<Result<_, _>>()?)
    }

    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<Payment>, DatabaseError> {
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
        let found = query.all(&self.readers).await?;
        Ok(found.into_iter().map(rows::payment).collect::<Result<_, _>>()?)
    }

    pub async fn refunds_of(&self, id: PaymentId) -> Result<Vec<Refund>, DatabaseError> {
        let found = refund::Entity::find()
            .filter(refund::Column::PaymentId.eq(id.get()))
            .order_by_asc(refund::Column::Id)
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(rows::refund).collect::<Result<_, _>>()?)
    }

    pub async fn ledger_of(&self, id: PaymentId) -> Result<Vec<LedgerEntry>, DatabaseError> {
        let found = ledger_entry::Entity::find()
            .filter(ledger_entry::Column::PaymentId.eq(id.get()))
            .order_by_asc(ledger_entry::Column::Id)
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(rows::ledger_entry).collect::<Result<_, _>>()?)
    }

    /// Events that nobody has been told yet, in the order in which they happened.
    pub async fn unpublished(&self, limit: u64) -> Result<Vec<OutboxRow>, DatabaseError> {
        or_in_memory!(self.unpublished(limit));
        let found = outbox_event::Entity::find()
            .filter(outbox_event::Column::PublishedAt.is_null())
            .order_by_asc(outbox_event::Column::Seq)
            .limit(limit)
            .all(&self.readers)
            .await?;
        Ok(found)
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

    /// The requests that events asked for, of captures and voids or of refunds.
    pub async fn requests(&self, ids: &[EventId], refunds: bool) -> Result<Vec<PspRequest>, DatabaseError> {
        or_in_memory!(self.requests(ids, refunds));
        let ids = ids.iter().map(|id| id.get());
        if refunds {
            let found =
                refund_request::Entity::find().filter(refund_request::Column::Id.is_in(ids)).all(&self.readers).await?;
            return Ok(found.into_iter().map(rows::refund_request).collect::<Result<_, _>>()?);
        }
        let found = settlement_request::Entity::find()
            .filter(settlement_request::Column::Id.is_in(ids))
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(rows::settlement).collect::<Result<_, _>>()?)
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
            let found = refund_request::Entity::find()
                .filter(refund_request::Column::DueAt.lte(now.0))
                .order_by_asc(refund_request::Column::DueAt)
                .limit(limit)
                .all(&self.readers)
                .await?;
            return Ok(found.into_iter().map(rows::refund_request).collect::<Result<_, _>>()?);
        }
        let found = settlement_request::Entity::find()
            .filter(settlement_request::Column::DueAt.lte(now.0))
            .order_by_asc(settlement_request::Column::DueAt)
            .limit(limit)
            .all(&self.readers)
            .await?;
        Ok(found.into_iter().map(rows::settlement).collect::<Result<_, _>>()?)
    }

    /// Payments that the resolver must look at, behind the place `after`: unknown outcomes, authorizations left under way,
    /// and those whose time to capture has passed.
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
        let found = query.order_by_asc(DueAt).order_by_asc(Id).limit(limit).all(&self.readers).await?;
        Ok(found.into_iter().map(rows::payment).collect::<Result<_, _>>()?)
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
