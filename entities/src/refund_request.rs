//! The refund worker's list: refunds to carry out at the PSP.

use sea_orm::entity::prelude::*;

/// The PSP side of one refund. Unique by `refund_id`; indexed by `due_at` and by `payment_id`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refund_request")]
pub struct Model {
    /// The id of the event that asked for it, so a redelivered event cannot ask twice.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    #[sea_orm(unique)]
    pub refund_id: i64,
    pub payment_id: i64,
    pub amount: i64,
    pub currency: String,
    /// `pending`, `done` or `failed`.
    pub status: String,
    /// How often the PSP was asked.
    pub attempts: i32,
    /// An attempt's effect at the PSP is unknown, so the PSP must be asked what it did before the request may fail.
    pub unsure: bool,
    /// Null when not pending.
    pub due_at: Option<i64>,
    /// What went wrong at the last attempt; at most 255 characters.
    pub last_error: Option<String>,
    pub traceparent: String,
    pub created_at: i64,
    pub updated_at: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
