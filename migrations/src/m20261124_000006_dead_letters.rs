//! What is needed to redrive dead letters, and the trail of what operators did.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, string_len, string_len_null};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Letters of before do not say what they are about, so they can only be discarded.
        let columns = [
            string_len(DeadLetter::Matter, 10).default("foreign").take(),
            big_integer_null(DeadLetter::OccurredAt),
            string_len_null(DeadLetter::Traceparent, 55),
            integer(DeadLetter::Redrives).default(0).take(),
            big_integer_null(DeadLetter::DueAt),
            string_len_null(DeadLetter::Note, 255),
            big_integer(DeadLetter::Version).default(1).take(),
        ];
        for column in columns {
            table::add_column(manager, DeadLetter::Table, column).await?;
        }
        table::index(manager, DeadLetter::Table, "dead_letter_due_at", [DeadLetter::DueAt]).await?;

        let action = table::create(manager, OperatorAction::Table)
            .col(table::id(manager, OperatorAction::Id))
            .col(big_integer(OperatorAction::At))
            .col(string_len(OperatorAction::Operator, 64))
            .col(string_len(OperatorAction::Kind, 40))
            .col(string_len(OperatorAction::Target, 64))
            .col(string_len(OperatorAction::Detail, 1024))
            .col(string_len(OperatorAction::RequestId, 64))
            .take();
        manager.create_table(action).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, OperatorAction::Table).await?;
        table::drop_index(manager, DeadLetter::Table, "dead_letter_due_at").await?;
        for column in [
            DeadLetter::Matter,
            DeadLetter::OccurredAt,
            DeadLetter::Traceparent,
            DeadLetter::Redrives,
            DeadLetter::DueAt,
            DeadLetter::Note,
            DeadLetter::Version,
        ] {
            table::drop_column(manager, DeadLetter::Table, column).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum DeadLetter {
    Table,
    Matter,
    OccurredAt,
    Traceparent,
    Redrives,
    DueAt,
    Note,
    Version,
}

#[derive(DeriveIden)]
enum OperatorAction {
    Table,
    Id,
    At,
    Operator,
    Kind,
    Target,
    Detail,
    RequestId,
}
