//! Payments.

use entities::payment::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

use super::merchant_reference::payments_with;
use crate::domain::capture::Capture;
use crate::domain::key::KeyHash;
use crate::domain::payment::{CaptureMode, Metadata, Payment, PaymentStatus};
use crate::domain::timeline::Timeline;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{CaptureId, EventId, PaymentId, Timestamp};
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::{by_key, each};
use crate::infra::database::row::{Damaged, Reading, count, cut, json_of_texts};
use crate::infra::database::table::Table;
use crate::infra::database::write::{BatchWriter, Update};
use crate::infra::database::{ShardDatabase, or_in_memory};
use crate::infra::sqlite::even_chunks;
use crate::infra::stored::failure;

/// Which of a merchant's payments a listing shows. All bounds are exclusive.
#[derive(Debug, Clone)]
pub struct ListFilter {
    pub merchant_id: String,
    /// Any of these; all statuses, if none is named.
    pub statuses: Vec<PaymentStatus>,
    pub merchant_reference: Option<String>,
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

const CHANGE: Update<Column> = Update {
    name: "change",
    columns: &[
        Column::Status,
        Column::Authorized,
        Column::CapturePending,
        Column::Captured,
        Column::RefundPending,
        Column::Refunded,
        Column::PspReference,
        Column::Reason,
        Column::UpdatedAt,
        Column::CaptureBefore,
        Column::DueAt,
        Column::Attempts,
        Column::Timeline,
        Column::CapturedEvent,
        Column::Refunds,
        Column::RefundsWaiting,
        Column::CaptureId,
        Column::CaptureAmount,
        Column::CaptureVersion,
        Column::Version,
    ],
};

impl Table for Entity {
    type Row = Payment;
    const NAME: &'static str = "payment";
    const KEY: Column = Column::Id;

    fn read(row: Model) -> Result<Payment, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.id };
        let metadata = match &row.metadata {
            None => Metadata::new(),
            Some(json) => reading.column("metadata", serde_json::from_str(json).ok())?,
        };
        let refunds_waiting = match &row.refunds_waiting {
            None => Vec::new(),
            Some(json) => reading.column("refunds_waiting", serde_json::from_str(json).ok())?,
        };
        Ok(Payment {
            id: PaymentId::from_stored(row.id),
            status: if was_not_sent(&row) {
                PaymentStatus::Failed
            } else {
                reading.column("status", PaymentStatus::parse(&row.status))?
            },
            currency: reading.currency(&row.currency)?,
            amount: row.amount,
            authorized: row.authorized,
            capture_pending: row.capture_pending,
            captured: row.captured,
            refund_pending: row.refund_pending,
            refunded: row.refunded,
            refunds_waiting,
            capture_mode: if row.capture_mode == CaptureMode::Automatic.name() {
                CaptureMode::Automatic
            } else {
                CaptureMode::Manual
            },
            metadata,
            requested_at: Timestamp(row.requested_at),
            updated_at: Timestamp(row.updated_at),
            capture_before: row.capture_before.map(Timestamp),
            due_at: row.due_at.map(Timestamp),
            attempts: reading.count("attempts", row.attempts)?,
            key_hash: KeyHash(reading.column("claim", row.claim.try_into().ok())?),
            timeline: Timeline::from_stored(row.timeline),
            captured_event: row.captured_event.map(EventId::from_stored),
            capture: row
                .capture_id
                .filter(|_| row.capture_version == Some(row.version))
                .zip(row.capture_amount)
                .map(|(id, amount)| Capture { id: CaptureId::from_stored(id), amount }),
            refunds: reading.count("refunds", row.refunds)?,
            version: row.version,
            merchant_id: row.merchant_id,
            merchant_reference: row.merchant_reference,
            description: row.description,
            psp_reference: row.psp_reference,
            failure: reading.failure("reason", row.reason.as_deref())?,
        })
    }

    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let ids: Vec<i64> = read_set.payments.iter().map(|id| id.get()).collect();
        for payment in by_key::<Entity, _>(tx, &ids).await? {
            unit.payments.load(payment.id, payment);
        }
        Ok(())
    }

    /// Takes away payments of which nothing was sent, as they were read: one that somebody else has written since
    /// stays, and is a conflict.
    async fn remove(tx: &Transaction, unit: &UnitOfWork<'_>) -> Result<u64, DatabaseError> {
        let removed: Vec<_> = unit.payments.removed_rows().collect();
        for chunk in even_chunks(&removed) {
            let as_read = chunk.iter().fold(Condition::any(), |any, (id, payment)| {
                any.add(Column::Id.eq(id.get()).and(Column::Version.eq(payment.version)))
            });
            let deleted = Entity::delete_many().filter(as_read).exec(tx).await?;
            if deleted.rows_affected != chunk.len() as u64 {
                return Err(DatabaseError::Conflict);
            }
        }
        Ok(removed.len() as u64)
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        batch.save(unit.payments.written_rows().map(|(_, payment)| (payment.version, row(payment))), &CHANGE).await
    }
}

/// Whether the version before has written that the authorization never reached the PSP.
fn was_not_sent(row: &Model) -> bool {
    row.status == PaymentStatus::Declined.name() && row.reason.as_deref() == Some(failure::NOT_SENT_BEFORE)
}

/// The rows that are read as payments of this status.
fn is_of_status(status: PaymentStatus) -> Condition {
    let is_so = Condition::all().add(Column::Status.eq(status.name()));
    let declined = Column::Status.eq(PaymentStatus::Declined.name());
    match status {
        PaymentStatus::Declined => is_so.add(Column::Reason.is_null().or(Column::Reason.ne(failure::NOT_SENT_BEFORE))),
        PaymentStatus::Failed => {
            Condition::any().add(is_so).add(declined.and(Column::Reason.eq(failure::NOT_SENT_BEFORE)))
        }
        _ => is_so,
    }
}

/// The row that a payment becomes: one version above the one that was read.
fn row(payment: &Payment) -> ActiveModel {
    Model {
        id: payment.id.get(),
        merchant_id: payment.merchant_id.clone(),
        status: payment.status.name().to_owned(),
        currency: payment.currency.code().to_owned(),
        amount: payment.amount,
        authorized: payment.authorized,
        capture_pending: payment.capture_pending,
        captured: payment.captured,
        refund_pending: payment.refund_pending,
        refunded: payment.refunded,
        capture_mode: payment.capture_mode.name().to_owned(),
        description: payment.description.clone(),
        metadata: (!payment.metadata.is_empty()).then(|| json_of_texts(&payment.metadata)),
        psp_reference: payment.psp_reference.as_deref().map(|text| cut(text, 64)),
        reason: payment.failure.as_ref().map(failure::write),
        requested_at: payment.requested_at.0,
        updated_at: payment.updated_at.0,
        capture_before: payment.capture_before.map(|time| time.0),
        due_at: payment.due_at.map(|time| time.0),
        attempts: count(payment.attempts),
        claim: payment.key_hash.0.to_vec(),
        timeline: payment.timeline.as_stored().to_owned(),
        captured_event: payment.captured_event.map(EventId::get),
        refunds: count(payment.refunds),
        version: payment.version + 1,
        refunds_waiting: (!payment.refunds_waiting.is_empty()).then(|| json_of_texts(&payment.refunds_waiting)),
        merchant_reference: payment.merchant_reference.clone(),
        capture_id: payment.capture.map(|capture| capture.id.get()),
        capture_amount: payment.capture.map(|capture| capture.amount),
        capture_version: payment.capture.map(|_| payment.version + 1),
    }
    .into_active_model()
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

    /// The payments among `ids` that exist and can be read, in the order of their ids.
    pub async fn readable_payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, DatabaseError> {
        or_in_memory!(self.payments(ids));
        Ok(self.readable(self.payments_as_they_are(ids).await?))
    }

    async fn payments_as_they_are(&self, ids: &[PaymentId]) -> Result<Vec<Result<Payment, Damaged>>, DatabaseError> {
        let ids = ids.iter().map(|id| id.get());
        let query = Entity::find().filter(Column::Id.is_in(ids)).order_by_asc(Column::Id);
        each(&self.readers, query).await
    }

    /// Whether there is such a payment, readable or not.
    pub async fn has_payment(&self, id: PaymentId) -> Result<bool, DatabaseError> {
        let query = Entity::find_by_id(id.get()).select_only().column(Column::Id);
        let found: Option<i64> = query.into_tuple().one(&self.readers).await?;
        Ok(found.is_some())
    }

    /// Payments of a merchant, each if it can be read.
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<Result<Payment, Damaged>>, DatabaseError> {
        or_in_memory!(self.list(filter));
        let mut query = Entity::find().filter(Column::MerchantId.eq(filter.merchant_id.as_str())).limit(filter.limit);
        if !filter.statuses.is_empty() {
            let is_one = filter.statuses.iter().fold(Condition::any(), |any, status| any.add(is_of_status(*status)));
            query = query.filter(is_one);
        }
        if let Some(reference) = &filter.merchant_reference {
            query = query.filter(Column::Id.in_subquery(payments_with(&filter.merchant_id, reference)));
        }
        if let Some(above) = filter.above {
            query = query.filter(Column::Id.gt(above.get()));
        }
        if let Some(below) = filter.below {
            query = query.filter(Column::Id.lt(below.get()));
        }
        query = if filter.ascending { query.order_by_asc(Column::Id) } else { query.order_by_desc(Column::Id) };
        let found = each(&self.readers, query).await?;
        self.note_all(&found);
        Ok(found)
    }

    /// Payments that the resolver must look at, behind the place `after`: unknown outcomes, authorizations left under
    /// way, and those whose time to capture has passed.
    pub async fn payments_due(
        &self,
        now: Timestamp,
        after: Option<DuePlace>,
        limit: u64,
    ) -> Result<Vec<Payment>, DatabaseError> {
        or_in_memory!(self.payments_due(now, after, limit));
        let mut query = Entity::find().filter(Column::DueAt.lte(now.0));
        if let Some((due_at, id)) = after {
            query = query
                .filter(Column::DueAt.gte(due_at.0))
                .filter(Column::DueAt.gt(due_at.0).or(Column::Id.gt(id.get())));
        }
        self.first_readable(query.order_by_asc(Column::DueAt).order_by_asc(Column::Id), limit).await
    }
}
