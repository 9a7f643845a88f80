//! Refunds that wait for the capture of their payment.

use sea_orm_migration::prelude::*;

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// One column that is null in every row there is: neither database rewrites the table for it.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::add_column(manager, Payment::Table, table::long_text_null(Payment::RefundsWaiting)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop_column(manager, Payment::Table, Payment::RefundsWaiting).await
    }
}

#[derive(DeriveIden)]
enum Payment {
    Table,
    RefundsWaiting,
}
