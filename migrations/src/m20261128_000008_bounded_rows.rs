//! Rows of payments that do not grow without end, and what proves that an event is the shard's own.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::add_column(manager, Payment::Table, big_integer_null(Payment::CapturedEvent)).await?;
        table::add_column(manager, Payment::Table, integer(Payment::Refunds).default(0).take()).await?;
        table::add_column(manager, Refund::Table, big_integer_null(Refund::RefundedEvent)).await?;
        let count = "UPDATE payment SET refunds = (SELECT COUNT(*) FROM refund WHERE refund.payment_id = payment.id) \
             WHERE id IN (SELECT payment_id FROM refund)";
        manager.get_connection().execute_unprepared(count).await?;
        let pages = table::create_clustered(manager, TimelinePage::Table)
            .col(big_integer(TimelinePage::PaymentId))
            .col(integer(TimelinePage::First))
            .col(table::long_text(TimelinePage::Entries))
            .primary_key(Index::create().col(TimelinePage::PaymentId).col(TimelinePage::First))
            .take();
        manager.create_table(pages).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, TimelinePage::Table).await?;
        table::drop_column(manager, Refund::Table, Refund::RefundedEvent).await?;
        table::drop_column(manager, Payment::Table, Payment::Refunds).await?;
        table::drop_column(manager, Payment::Table, Payment::CapturedEvent).await
    }
}

#[derive(DeriveIden)]
enum Payment {
    Table,
    CapturedEvent,
    Refunds,
}

#[derive(DeriveIden)]
enum Refund {
    Table,
    RefundedEvent,
}

#[derive(DeriveIden)]
enum TimelinePage {
    Table,
    PaymentId,
    First,
    Entries,
}
