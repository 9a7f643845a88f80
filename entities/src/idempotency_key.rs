//! What was asked under an idempotency key, and its answer once there is one.
//! Source: IETF draft-ietf-httpapi-idempotency-key-header.

use sea_orm::entity::prelude::*;

/// One claimed key. Indexed by `expires_at`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_key")]
pub struct Model {
    /// 16 bytes that stand for merchant, operation, target and key: the claim is this row's insertion.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Binary(16)")]
    pub scope: Vec<u8>,
    pub merchant_id: String,
    /// Such as `authorize`; at most 10 characters.
    pub operation: String,
    /// As the caller sent it; at most 255 printable ASCII characters.
    pub idempotency_key: String,
    /// The payment the operation made or worked on.
    pub payment_id: i64,
    /// SHA-256 (32 bytes) of the validated body in canonical form.
    #[sea_orm(column_type = "Binary(32)")]
    pub fingerprint: Vec<u8>,
    /// The stored answer; null while the first call runs.
    pub outcome: Option<String>,
    pub created_at: i64,
    /// Null while the first call runs.
    pub finished_at: Option<i64>,
    pub expires_at: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
