//! The schemas of a shard and of the control store, and the only place that creates tables: the same migrations serve
//! MariaDB 10.6+ and SQLite.
//!
//! Migrations of a release are not edited afterwards; a change of a schema is a new one at the end of its list
//! ([`ShardMigrator`], [`ControlMigrator`]). On MariaDB the ledger's triggers need the TRIGGER privilege (and, with the
//! binary log on, `log_bin_trust_function_creators = 1` or SUPER).

mod control;
mod m20261123_000001_payments;
mod m20261123_000002_requests;
mod m20261123_000003_ledger;
mod m20261123_000004_events;
mod m20261123_000005_idempotency_keys;
mod m20261124_000006_dead_letters;
mod m20261128_000007_shard_identity;
mod m20261128_000008_bounded_rows;
mod m20261128_000009_refunds_waiting;
mod m20261128_000010_write_probe;
mod m20261129_000011_failures;
mod m20261129_000012_surface;
mod schema;
mod table;
mod waiting_refunds;

pub use control::ControlMigrator;
pub use schema::{SchemaError, SchemaStatus, migrate, status};

use sea_orm_migration::prelude::*;

/// A shard's migrations in the order in which they are applied. [`migrate`] applies them and [`status`] compares them
/// with a database; the trait's own methods are for taking a schema down.
pub struct ShardMigrator;

#[async_trait::async_trait]
impl MigratorTrait for ShardMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_payments::Migration),
            Box::new(m20261123_000002_requests::Migration),
            Box::new(m20261123_000003_ledger::Migration),
            Box::new(m20261123_000004_events::Migration),
            Box::new(m20261123_000005_idempotency_keys::Migration),
            Box::new(m20261124_000006_dead_letters::Migration),
            Box::new(m20261128_000007_shard_identity::Migration),
            Box::new(m20261128_000008_bounded_rows::Migration),
            Box::new(m20261128_000009_refunds_waiting::Migration),
            Box::new(m20261128_000010_write_probe::Migration),
            Box::new(m20261129_000011_failures::Migration),
            Box::new(m20261129_000012_surface::Migration),
        ]
    }
}
