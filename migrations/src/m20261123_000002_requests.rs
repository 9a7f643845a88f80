//! The workers' lists: what to carry out at the PSP.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, char_len, integer, string_len, string_len_null,
};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut settlement = table::create(manager, SettlementRequest::Table)
            .col(table::id(manager, SettlementRequest::Id))
            .col(big_integer(SettlementRequest::PaymentId))
            .col(string_len(SettlementRequest::Kind, 7))
            .take();
        manager.create_table(with_progress(&mut settlement)).await?;
        table::unique_index(
            manager,
            SettlementRequest::Table,
            "settlement_request_payment_id_kind",
            [SettlementRequest::PaymentId, SettlementRequest::Kind],
        )
        .await?;
        table::index(manager, SettlementRequest::Table, "settlement_request_due_at", [Progress::DueAt]).await?;

        let mut refund = table::create(manager, RefundRequest::Table)
            .col(table::id(manager, RefundRequest::Id))
            .col(big_integer(RefundRequest::RefundId))
            .col(big_integer(RefundRequest::PaymentId))
            .take();
        manager.create_table(with_progress(&mut refund)).await?;
        table::unique_index(manager, RefundRequest::Table, "refund_request_refund_id", [RefundRequest::RefundId])
            .await?;
        table::index(manager, RefundRequest::Table, "refund_request_due_at", [Progress::DueAt]).await?;
        table::index(manager, RefundRequest::Table, "refund_request_payment_id", [RefundRequest::PaymentId]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, RefundRequest::Table).await?;
        table::drop(manager, SettlementRequest::Table).await
    }
}

/// The columns that say what is asked of the PSP and how far it has come: the same for both lists.
fn with_progress(statement: &mut TableCreateStatement) -> TableCreateStatement {
    statement
        .col(big_integer(Progress::Amount))
        .col(char_len(Progress::Currency, 3))
        .col(string_len(Progress::Status, 10))
        .col(integer(Progress::Attempts))
        .col(boolean(Progress::Unsure))
        .col(big_integer_null(Progress::DueAt))
        .col(string_len_null(Progress::LastError, 255))
        .col(string_len(Progress::Traceparent, 55))
        .col(big_integer(Progress::CreatedAt))
        .col(big_integer(Progress::UpdatedAt))
        .col(big_integer(Progress::Version))
        .take()
}

#[derive(DeriveIden)]
enum SettlementRequest {
    Table,
    Id,
    PaymentId,
    Kind,
}

#[derive(DeriveIden)]
enum RefundRequest {
    Table,
    Id,
    RefundId,
    PaymentId,
}

#[derive(DeriveIden)]
enum Progress {
    Amount,
    Currency,
    Status,
    Attempts,
    Unsure,
    DueAt,
    LastError,
    Traceparent,
    CreatedAt,
    UpdatedAt,
    Version,
}
