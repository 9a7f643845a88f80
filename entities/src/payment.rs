//! A payment and its amounts. The amounts are the truth; the status follows from them.
//!
//! The table refuses negative amounts, `captured + capture_pending > authorized` and
//! `refunded + refund_pending > captured`, whatever the code above it believes.

use sea_orm::entity::prelude::*;

/// One payment. Indexed by (`merchant_id`, `id`) for listing and by `due_at` for the resolver.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    /// Carries the merchant's bucket, so the id alone finds the shard.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// At most 32 of `[A-Za-z0-9_-]`.
    pub merchant_id: String,
    /// The state machine's name for the state, such as `AUTHORIZED`; at most 20 characters.
    pub status: String,
    pub currency: String,
    /// What the merchant asked for.
    pub amount: i64,
    /// What the PSP holds for us; 0 until it says so.
    pub authorized: i64,
    /// What the merchant asked to capture and the PSP has not confirmed.
    pub capture_pending: i64,
    pub captured: i64,
    /// What the merchant asked to refund and the PSP has not confirmed, over all open refunds.
    pub refund_pending: i64,
    pub refunded: i64,
    /// `manual` or `automatic`.
    pub capture_mode: String,
    /// The merchant's words; at most 500 characters.
    pub description: Option<String>,
    /// A JSON object whose values are strings.
    pub metadata: Option<String>,
    /// The PSP's id of the authorization; at most 64 characters.
    pub psp_reference: Option<String>,
    /// Why the payment is declined, failed or held: JSON of at most 512 characters with a version. Without one it is a
    /// code of the version before.
    pub reason: Option<String>,
    pub requested_at: i64,
    pub updated_at: i64,
    /// When the authorization expires; null unless there is one.
    pub capture_before: Option<i64>,
    /// When the resolver must look at it next; null when nothing is open.
    pub due_at: Option<i64>,
    /// How often the resolver has tried.
    pub attempts: i32,
    /// The 16 bytes of the idempotency key's scope that the authorization answers: `idempotency_key.scope`.
    #[sea_orm(column_type = "Binary(16)")]
    pub claim: Vec<u8>,
    /// JSON lines, oldest first: one line for each decision and PSP call. Older ones than fit are in `timeline_page`.
    pub timeline: String,
    /// The event that told of the capture; null before it, and for captures of before the column.
    pub captured_event: Option<i64>,
    /// How many refunds were asked for.
    pub refunds: i32,
    pub version: i64,
    /// A JSON array of the refunds that wait for the capture under way; null when there is none.
    pub refunds_waiting: Option<String>,
    /// The merchant's own name for the payment; at most 64 characters. Found through `merchant_reference`.
    pub merchant_reference: Option<String>,
    /// The capture that was asked for last; null before it, and for captures of before the column.
    pub capture_id: Option<i64>,
    /// What that capture is of; null with `capture_id`.
    pub capture_amount: Option<i64>,
    /// The `version` with which the capture was written. A row of another one was written since by a node of an earlier
    /// version, which knows nothing of captures: what stands here may be of one before.
    pub capture_version: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
