//! The breakers that operators hold in a state, for every node.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string_len};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let forced = table::create(manager, ForcedBreaker::Table)
            .col(string_len(ForcedBreaker::Name, 32).primary_key())
            .col(string_len(ForcedBreaker::State, 8))
            .col(string_len(ForcedBreaker::Operator, 64))
            .col(string_len(ForcedBreaker::Source, 64))
            .col(string_len(ForcedBreaker::Reason, 200))
            .col(big_integer(ForcedBreaker::ForcedAt))
            .take();
        manager.create_table(forced).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, ForcedBreaker::Table).await
    }
}

#[derive(DeriveIden)]
enum ForcedBreaker {
    Table,
    Name,
    State,
    Operator,
    Source,
    Reason,
    ForcedAt,
}
