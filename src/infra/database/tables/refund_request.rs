//! Refunds that are owed to the PSP.

use entities::refund_request::{ActiveModel, Column, Entity, Model};
use sea_orm::IntoActiveModel;

use crate::domain::request::{PspRequest, RequestStatus, Task};
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{EventId, Money, PaymentId, RefundId, Timestamp};
use crate::infra::database::connection::Transaction;
use crate::infra::database::error::DatabaseError;
use crate::infra::database::readable::by_key;
use crate::infra::database::row::{Damaged, Reading, count, cut};
use crate::infra::database::table::Table;
use crate::infra::database::write::{BatchWriter, Update};

const CHANGE: Update<Column> = Update {
    name: "change",
    columns: &[
        Column::Status,
        Column::Attempts,
        Column::Unsure,
        Column::DueAt,
        Column::LastError,
        Column::UpdatedAt,
        Column::Version,
    ],
};

impl Table for Entity {
    type Row = PspRequest;
    const NAME: &'static str = "refund_request";
    const KEY: Column = Column::Id;

    fn read(row: Model) -> Result<PspRequest, Damaged> {
        let reading = Reading { table: Self::NAME, id: row.id };
        Ok(PspRequest {
            id: EventId::from_stored(row.id),
            payment_id: PaymentId::from_stored(row.payment_id),
            task: Task::Refund(RefundId::from_stored(row.refund_id)),
            money: Money::new(row.amount, reading.currency(&row.currency)?),
            status: reading.column("status", RequestStatus::parse(&row.status))?,
            attempts: reading.count("attempts", row.attempts)?,
            unsure: row.unsure,
            due_at: row.due_at.map(Timestamp),
            trace: reading.trace(&row.traceparent)?,
            created_at: Timestamp(row.created_at),
            updated_at: Timestamp(row.updated_at),
            version: row.version,
            last_error: row.last_error,
        })
    }

    async fn load(tx: &Transaction, read_set: &ReadSet, unit: &mut UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let ids: Vec<i64> = read_set.refund_requests.iter().map(|id| id.get()).collect();
        for request in by_key::<Entity, _>(tx, &ids).await? {
            unit.refund_requests.load(request.id, request);
        }
        Ok(())
    }

    async fn write(batch: &mut BatchWriter<'_>, unit: &UnitOfWork<'_>) -> Result<(), DatabaseError> {
        let rows = unit.refund_requests.written_rows().filter_map(|(_, request)| match request.task {
            Task::Refund(refund_id) => Some((request.version, row(request, refund_id))),
            Task::Capture(_) | Task::Void => None,
        });
        batch.save(rows, &CHANGE).await
    }
}

/// The row of a request for the refund `refund_id`.
fn row(request: &PspRequest, refund_id: RefundId) -> ActiveModel {
    Model {
        id: request.id.get(),
        refund_id: refund_id.get(),
        payment_id: request.payment_id.get(),
        amount: request.money.minor,
        currency: request.money.currency.code().to_owned(),
        status: request.status.name().to_owned(),
        attempts: count(request.attempts),
        unsure: request.unsure,
        due_at: request.due_at.map(|time| time.0),
        last_error: request.last_error.as_deref().map(|text| cut(text, 255)),
        traceparent: request.trace.to_string(),
        created_at: request.created_at.0,
        updated_at: request.updated_at.0,
        version: request.version + 1,
    }
    .into_active_model()
}
