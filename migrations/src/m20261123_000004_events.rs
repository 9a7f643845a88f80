//! Events on their way out, events that were applied, and messages that could not be.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, integer_null, string_len, string_len_null};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let outbox = table::create(manager, OutboxEvent::Table)
            .col(table::id(manager, OutboxEvent::Seq).auto_increment())
            .col(big_integer(OutboxEvent::EventId))
            .col(big_integer(OutboxEvent::PaymentId))
            .col(string_len(OutboxEvent::Topic, 40))
            .col(table::long_text(OutboxEvent::Payload))
            .col(string_len(OutboxEvent::Traceparent, 55))
            .col(big_integer(OutboxEvent::OccurredAt))
            .col(big_integer_null(OutboxEvent::PublishedAt))
            .take();
        manager.create_table(outbox).await?;
        table::unique_index(manager, OutboxEvent::Table, "outbox_event_event_id", [OutboxEvent::EventId]).await?;
        table::index(
            manager,
            OutboxEvent::Table,
            "outbox_event_published_at_seq",
            [OutboxEvent::PublishedAt, OutboxEvent::Seq],
        )
        .await?;

        let processed = table::create_clustered(manager, ProcessedEvent::Table)
            .col(string_len(ProcessedEvent::Consumer, 20))
            .col(big_integer(ProcessedEvent::EventId))
            .col(big_integer(ProcessedEvent::ProcessedAt))
            .primary_key(Index::create().col(ProcessedEvent::Consumer).col(ProcessedEvent::EventId))
            .take();
        manager.create_table(processed).await?;
        table::index(manager, ProcessedEvent::Table, "processed_event_processed_at", [ProcessedEvent::ProcessedAt])
            .await?;

        let dead_letter = table::create(manager, DeadLetter::Table)
            .col(table::id(manager, DeadLetter::Id))
            .col(string_len(DeadLetter::Topic, 40))
            .col(string_len_null(DeadLetter::SourceTopic, 40))
            .col(integer_null(DeadLetter::SourcePartition))
            .col(big_integer_null(DeadLetter::SourceOffset))
            .col(string_len_null(DeadLetter::EventKey, 64))
            .col(table::long_text(DeadLetter::Payload))
            .col(string_len(DeadLetter::ErrorType, 64))
            .col(string_len(DeadLetter::ErrorMessage, 1024))
            .col(integer(DeadLetter::RetryCount))
            .col(big_integer(DeadLetter::FirstFailedAt))
            .col(big_integer(DeadLetter::LastFailedAt))
            .col(string_len_null(DeadLetter::TraceId, 32))
            .col(string_len(DeadLetter::Status, 10))
            .take();
        manager.create_table(dead_letter).await?;
        table::index(manager, DeadLetter::Table, "dead_letter_status_id", [DeadLetter::Status, DeadLetter::Id]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, DeadLetter::Table).await?;
        table::drop(manager, ProcessedEvent::Table).await?;
        table::drop(manager, OutboxEvent::Table).await
    }
}

#[derive(DeriveIden)]
enum OutboxEvent {
    Table,
    Seq,
    EventId,
    PaymentId,
    Topic,
    Payload,
    Traceparent,
    OccurredAt,
    PublishedAt,
}

#[derive(DeriveIden)]
enum ProcessedEvent {
    Table,
    Consumer,
    EventId,
    ProcessedAt,
}

#[derive(DeriveIden)]
enum DeadLetter {
    Table,
    Id,
    Topic,
    SourceTopic,
    SourcePartition,
    SourceOffset,
    EventKey,
    Payload,
    ErrorType,
    ErrorMessage,
    RetryCount,
    FirstFailedAt,
    LastFailedAt,
    TraceId,
    Status,
}
