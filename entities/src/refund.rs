//! A refund that a merchant asked for; a payment may have several.

use sea_orm::entity::prelude::*;

/// One refund. Indexed by `payment_id`, and by (`merchant_id`, `id`) for listing.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refund")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub payment_id: i64,
    pub merchant_id: String,
    pub currency: String,
    /// Above zero.
    pub amount: i64,
    /// The state machine's name for the state; at most 20 characters.
    pub status: String,
    /// The merchant's words; at most 255 characters.
    pub reason: Option<String>,
    /// The PSP's id of the refund; at most 64 characters.
    pub psp_reference: Option<String>,
    /// Why it failed; a code of at most 64 characters.
    pub failure: Option<String>,
    /// The event that told that it is done; null before that, and for refunds of before the column.
    pub refunded_event: Option<i64>,
    pub requested_at: i64,
    pub updated_at: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
