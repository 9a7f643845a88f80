//! Room for why a payment or a refund failed: a code, what the PSP said, and both amounts where they differ.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len_null;

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::widen_column(manager, Payment::Table, string_len_null(Payment::Reason, 512)).await?;
        table::widen_column(manager, Refund::Table, string_len_null(Refund::Failure, 512)).await
    }

    /// The version before would cut what is longer.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Payment {
    Table,
    Reason,
}

#[derive(DeriveIden)]
enum Refund {
    Table,
    Failure,
}
