//! The row by which a batch is known: it came with the whole batch or not at all, and nobody else can have written it.

use entities::{outbox_event, payment, processed_event};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::connection::Transaction;
use super::error::DatabaseError;
use crate::domain::event::Consumer;
use crate::domain::unit_of_work::UnitOfWork;
use crate::domain::{EventId, PaymentId};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    Event(EventId),
    Payment(PaymentId),
    Processed(Consumer, EventId),
}

impl Witness {
    /// A row that the batch inserts, if it inserts any.
    pub fn of(unit: &UnitOfWork<'_>) -> Option<Self> {
        let event = unit.events.first().map(|event| Self::Event(event.id));
        let payment = || unit.payments.new_rows().next().map(|(id, _)| Self::Payment(*id));
        let processed = || unit.processed.new_rows().next().map(|((who, event), _)| Self::Processed(*who, *event));
        event.or_else(payment).or_else(processed)
    }

    /// Whether the row is there. Asks for its lock: a transaction that has written it and is still open, on a
    /// connection that nobody holds any more, is waited for.
    pub async fn is_there(self, tx: &Transaction) -> Result<bool, DatabaseError> {
        let found: Result<Option<i64>, DbErr> = match self {
            Self::Event(id) => {
                let query = outbox_event::Entity::find().filter(outbox_event::Column::EventId.eq(id.get()));
                query.select_only().column(outbox_event::Column::EventId).lock_exclusive().into_tuple().one(tx).await
            }
            Self::Payment(id) => {
                let query = payment::Entity::find_by_id(id.get()).select_only().column(payment::Column::Id);
                query.lock_exclusive().into_tuple().one(tx).await
            }
            Self::Processed(who, event) => {
                let query = processed_event::Entity::find_by_id((who.name().to_owned(), event.get()));
                let query = query.select_only().column(processed_event::Column::EventId);
                query.lock_exclusive().into_tuple().one(tx).await
            }
        };
        Ok(found?.is_some())
    }
}
