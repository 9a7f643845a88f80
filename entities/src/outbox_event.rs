//! Events that were committed with the change they tell of, until the publisher has told the event log.

use sea_orm::entity::prelude::*;

/// One event. Unique by `event_id`; indexed by (`published_at`, `seq`), so the unpublished ones are read in order.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox_event")]
pub struct Model {
    /// The order of publishing; given by the database, with gaps where a transaction was rolled back.
    #[sea_orm(primary_key)]
    pub seq: i64,
    #[sea_orm(unique)]
    pub event_id: i64,
    /// The event's key in the log: one payment's events stay in order.
    pub payment_id: i64,
    /// At most 40 characters.
    pub topic: String,
    /// The event's data as JSON.
    pub payload: String,
    pub traceparent: String,
    pub occurred_at: i64,
    /// Null until the event log has confirmed it.
    pub published_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
