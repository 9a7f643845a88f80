//! The control store's migrations: what belongs to no shard.

mod m20261129_000001_control_store;
mod m20261129_000002_forced_breakers;

use sea_orm_migration::prelude::*;

/// The control store's migrations in the order in which they are applied; as [`ShardMigrator`](crate::ShardMigrator).
pub struct ControlMigrator;

#[async_trait::async_trait]
impl MigratorTrait for ControlMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261129_000001_control_store::Migration), Box::new(m20261129_000002_forced_breakers::Migration)]
    }
}
