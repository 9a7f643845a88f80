//! Whose control store it is, and the trail of what operators did. The rows have the columns that they have in a shard,
//! where they wait until they are moved here.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, char_len, string_len};

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let identity = table::create(manager, ControlIdentity::Table)
            .col(table::id(manager, ControlIdentity::Id))
            .col(char_len(ControlIdentity::SystemId, 32))
            .col(big_integer(ControlIdentity::CreatedAt))
            .check(Expr::col(ControlIdentity::Id).eq(1))
            .take();
        manager.create_table(identity).await?;

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
        table::drop(manager, ControlIdentity::Table).await
    }
}

#[derive(DeriveIden)]
enum ControlIdentity {
    Table,
    Id,
    SystemId,
    CreatedAt,
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
