//! What a shard's database is: which system's, which shard of how many, and which event log and PSP belong to it.
//! The row is written by the node, which knows these, and not here.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, char_len, integer, string_len_null};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let identity = table::create(manager, ShardIdentity::Table)
            .col(table::id(manager, ShardIdentity::Id))
            .col(char_len(ShardIdentity::SystemId, 32))
            .col(integer(ShardIdentity::Shard))
            .col(integer(ShardIdentity::ShardCount))
            .col(integer(ShardIdentity::MapVersion))
            .col(string_len_null(ShardIdentity::EventLog, 512))
            .col(string_len_null(ShardIdentity::Psp, 512))
            .col(big_integer(ShardIdentity::CreatedAt))
            .check(Expr::col(ShardIdentity::Id).eq(1))
            .take();
        manager.create_table(identity).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, ShardIdentity::Table).await
    }
}

#[derive(DeriveIden)]
enum ShardIdentity {
    Table,
    Id,
    SystemId,
    Shard,
    ShardCount,
    MapVersion,
    EventLog,
    Psp,
    CreatedAt,
}
