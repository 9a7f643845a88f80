//! The double-entry ledger. One row is one transfer (a debit and a credit of the same amount), so an unbalanced entry
//! cannot be written.
//!
//! Rows are never updated or deleted: triggers refuse both. The table refuses an amount below 1 and a transfer from an
//! account to itself.

use sea_orm::entity::prelude::*;

/// One transfer. Unique by `event_id`; indexed by `payment_id`, and by (`merchant_id`, `id`) for listing.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The event that is booked, so a redelivered event cannot book twice.
    #[sea_orm(unique)]
    pub event_id: i64,
    pub payment_id: i64,
    /// Null for a capture.
    pub refund_id: Option<i64>,
    pub merchant_id: String,
    /// At most 32 characters, as `credit_account`.
    pub debit_account: String,
    pub credit_account: String,
    /// Above zero.
    pub amount: i64,
    pub currency: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
