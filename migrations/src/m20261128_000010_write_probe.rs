//! A row that is written only to find out whether the database takes writes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let probe = table::create(manager, WriteProbe::Table)
            .col(table::id(manager, WriteProbe::Id))
            .col(big_integer(WriteProbe::Writes))
            .take();
        manager.create_table(probe).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, WriteProbe::Table).await
    }
}

#[derive(DeriveIden)]
enum WriteProbe {
    Table,
    Id,
    Writes,
}
