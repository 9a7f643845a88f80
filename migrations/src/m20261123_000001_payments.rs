//! Payments and refunds.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary_len, char_len, integer, string_len, string_len_null,
};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut payment = table::create(manager, Payment::Table);
        payment
            .col(table::id(manager, Payment::Id))
            .col(string_len(Payment::MerchantId, 32))
            .col(string_len(Payment::Status, 20))
            .col(char_len(Payment::Currency, 3));
        for amount in AMOUNTS {
            payment.col(big_integer(amount)).check(Expr::col(amount).gte(0));
        }
        payment
            .col(string_len(Payment::CaptureMode, 9))
            .col(string_len_null(Payment::Description, 500))
            .col(table::long_text_null(Payment::Metadata))
            .col(string_len_null(Payment::PspReference, 64))
            .col(string_len_null(Payment::Reason, 64))
            .col(big_integer(Payment::RequestedAt))
            .col(big_integer(Payment::UpdatedAt))
            .col(big_integer_null(Payment::CaptureBefore))
            .col(big_integer_null(Payment::DueAt))
            .col(integer(Payment::Attempts))
            .col(binary_len(Payment::Claim, 16))
            .col(table::long_text(Payment::Timeline))
            .col(big_integer(Payment::Version))
            .check(Expr::col(Payment::Captured).lte(Expr::col(Payment::Authorized)))
            .check(
                Expr::col(Payment::CapturePending)
                    .add(Expr::col(Payment::Captured))
                    .lte(Expr::col(Payment::Authorized)),
            )
            .check(
                Expr::col(Payment::Refunded).add(Expr::col(Payment::RefundPending)).lte(Expr::col(Payment::Captured)),
            );
        manager.create_table(payment).await?;
        table::index(manager, Payment::Table, "payment_merchant_id_id", [Payment::MerchantId, Payment::Id]).await?;
        table::index(manager, Payment::Table, "payment_due_at", [Payment::DueAt]).await?;

        let refund = table::create(manager, Refund::Table)
            .col(table::id(manager, Refund::Id))
            .col(big_integer(Refund::PaymentId))
            .col(string_len(Refund::MerchantId, 32))
            .col(char_len(Refund::Currency, 3))
            .col(big_integer(Refund::Amount))
            .col(string_len(Refund::Status, 20))
            .col(string_len_null(Refund::Reason, 255))
            .col(string_len_null(Refund::PspReference, 64))
            .col(string_len_null(Refund::Failure, 64))
            .col(big_integer(Refund::RequestedAt))
            .col(big_integer(Refund::UpdatedAt))
            .col(big_integer(Refund::Version))
            .check(Expr::col(Refund::Amount).gt(0))
            .take();
        manager.create_table(refund).await?;
        table::index(manager, Refund::Table, "refund_payment_id", [Refund::PaymentId]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, Refund::Table).await?;
        table::drop(manager, Payment::Table).await
    }
}

/// Minor units, none of them ever below zero.
const AMOUNTS: [Payment; 6] = [
    Payment::Amount,
    Payment::Authorized,
    Payment::CapturePending,
    Payment::Captured,
    Payment::RefundPending,
    Payment::Refunded,
];

#[derive(Clone, Copy, DeriveIden)]
enum Payment {
    Table,
    Id,
    MerchantId,
    Status,
    Currency,
    Amount,
    Authorized,
    CapturePending,
    Captured,
    RefundPending,
    Refunded,
    CaptureMode,
    Description,
    Metadata,
    PspReference,
    Reason,
    RequestedAt,
    UpdatedAt,
    CaptureBefore,
    DueAt,
    Attempts,
    Claim,
    Timeline,
    Version,
}

#[derive(DeriveIden)]
enum Refund {
    Table,
    Id,
    PaymentId,
    MerchantId,
    Currency,
    Amount,
    Status,
    Reason,
    PspReference,
    Failure,
    RequestedAt,
    UpdatedAt,
    Version,
}
