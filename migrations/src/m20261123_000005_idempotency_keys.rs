//! Idempotency keys and the answers stored under them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, binary_len, string_len};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = table::create(manager, IdempotencyKey::Table)
            .col(binary_len(IdempotencyKey::Scope, 16).primary_key())
            .col(string_len(IdempotencyKey::MerchantId, 32))
            .col(string_len(IdempotencyKey::Operation, 10))
            .col(string_len(IdempotencyKey::IdempotencyKey, 255))
            .col(big_integer(IdempotencyKey::PaymentId))
            .col(binary_len(IdempotencyKey::Fingerprint, 32))
            .col(table::long_text_null(IdempotencyKey::Outcome))
            .col(big_integer(IdempotencyKey::CreatedAt))
            .col(big_integer_null(IdempotencyKey::FinishedAt))
            .col(big_integer(IdempotencyKey::ExpiresAt))
            .col(big_integer(IdempotencyKey::Version))
            .take();
        manager.create_table(keys).await?;
        table::index(manager, IdempotencyKey::Table, "idempotency_key_expires_at", [IdempotencyKey::ExpiresAt]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, IdempotencyKey::Table).await
    }
}

#[derive(DeriveIden)]
enum IdempotencyKey {
    Table,
    Scope,
    MerchantId,
    Operation,
    #[expect(clippy::enum_variant_names, reason = "the column has the name of its table")]
    IdempotencyKey,
    PaymentId,
    Fingerprint,
    Outcome,
    CreatedAt,
    FinishedAt,
    ExpiresAt,
    Version,
}
