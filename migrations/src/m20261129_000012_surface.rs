//! What merchants look things up by: their own references, refunds, captures, and entries of the ledger.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, string_len, string_len_null};

use crate::{table, waiting_refunds};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// The columns are null in every row there is: neither database rewrites the table for them. References have
    /// tables of their own, so that a payment without one costs no index anything.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::add_column(manager, Payment::Table, string_len_null(Payment::MerchantReference, 64)).await?;
        table::add_column(manager, Payment::Table, big_integer_null(Payment::CaptureId)).await?;
        table::add_column(manager, Payment::Table, big_integer_null(Payment::CaptureAmount)).await?;
        table::add_column(manager, Payment::Table, big_integer_null(Payment::CaptureVersion)).await?;
        let reference = table::create_clustered(manager, MerchantReference::Table)
            .col(string_len(MerchantReference::MerchantId, 32))
            .col(string_len(MerchantReference::Reference, 64))
            .col(big_integer(MerchantReference::PaymentId))
            .primary_key(
                Index::create()
                    .col(MerchantReference::MerchantId)
                    .col(MerchantReference::Reference)
                    .col(MerchantReference::PaymentId),
            )
            .take();
        manager.create_table(reference).await?;
        let unique = table::create_clustered(manager, UniqueReference::Table)
            .col(string_len(UniqueReference::MerchantId, 32))
            .col(string_len(UniqueReference::Reference, 64))
            .col(big_integer(UniqueReference::PaymentId))
            .col(big_integer(UniqueReference::Version))
            .primary_key(Index::create().col(UniqueReference::MerchantId).col(UniqueReference::Reference))
            .take();
        manager.create_table(unique).await?;
        let waiting = table::create(manager, WaitingRefund::Table)
            .col(table::id(manager, WaitingRefund::Id))
            .col(big_integer(WaitingRefund::PaymentId))
            .col(string_len(WaitingRefund::MerchantId, 32))
            .take();
        manager.create_table(waiting).await?;
        let waiting_key = [WaitingRefund::MerchantId, WaitingRefund::Id];
        table::index(manager, WaitingRefund::Table, "waiting_refund_merchant_id_id", waiting_key).await?;
        table::index(manager, Refund::Table, "refund_merchant_id_id", [Refund::MerchantId, Refund::Id]).await?;
        let entry_key = [LedgerEntry::MerchantId, LedgerEntry::Id];
        table::index(manager, LedgerEntry::Table, "ledger_entry_merchant_id_id", entry_key).await?;
        waiting_refunds::find(manager.get_connection()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop_index(manager, LedgerEntry::Table, "ledger_entry_merchant_id_id").await?;
        table::drop_index(manager, Refund::Table, "refund_merchant_id_id").await?;
        table::drop(manager, WaitingRefund::Table).await?;
        table::drop(manager, UniqueReference::Table).await?;
        table::drop(manager, MerchantReference::Table).await?;
        table::drop_column(manager, Payment::Table, Payment::CaptureVersion).await?;
        table::drop_column(manager, Payment::Table, Payment::CaptureAmount).await?;
        table::drop_column(manager, Payment::Table, Payment::CaptureId).await?;
        table::drop_column(manager, Payment::Table, Payment::MerchantReference).await
    }
}

#[derive(DeriveIden)]
enum Payment {
    Table,
    MerchantReference,
    CaptureId,
    CaptureAmount,
    CaptureVersion,
}

#[derive(DeriveIden)]
enum MerchantReference {
    Table,
    MerchantId,
    Reference,
    PaymentId,
}

#[derive(DeriveIden)]
enum UniqueReference {
    Table,
    MerchantId,
    Reference,
    PaymentId,
    Version,
}

#[derive(DeriveIden)]
enum WaitingRefund {
    Table,
    Id,
    PaymentId,
    MerchantId,
}

#[derive(DeriveIden)]
enum Refund {
    Table,
    MerchantId,
    Id,
}

#[derive(DeriveIden)]
enum LedgerEntry {
    Table,
    MerchantId,
    Id,
}
