//! Up, down, and what a binary says of a schema that isn't its own.

use migrations::{ControlMigrator, SchemaError, SchemaStatus, ShardMigrator, migrate, status};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ActiveValue::Set, DatabaseConnection, DbBackend, EntityTrait};
use sea_orm_migration::seaql_migrations;

use crate::databases::{on_each_empty, on_each_of};

/// What a schema must have.
trait Schema: MigratorTrait {
    const TABLES: &'static [&'static str];
    /// Each with its table.
    const INDEXES: &'static [(&'static str, &'static str)];

    fn names() -> Vec<String> {
        Self::migrations().iter().map(|migration| migration.name().to_owned()).collect()
    }
}

impl Schema for ControlMigrator {
    const TABLES: &'static [&'static str] = &["control_identity", "operator_action"];
    const INDEXES: &'static [(&'static str, &'static str)] = &[];
}

impl Schema for ShardMigrator {
    const TABLES: &'static [&'static str] = &[
        "payment",
        "refund",
        "settlement_request",
        "refund_request",
        "ledger_entry",
        "account_balance",
        "outbox_event",
        "idempotency_key",
        "processed_event",
        "dead_letter",
        "operator_action",
        "shard_identity",
        "timeline_page",
        "write_probe",
    ];

    const INDEXES: &'static [(&'static str, &'static str)] = &[
        ("payment", "payment_merchant_id_id"),
        ("payment", "payment_due_at"),
        ("refund", "refund_payment_id"),
        ("settlement_request", "settlement_request_payment_id_kind"),
        ("settlement_request", "settlement_request_due_at"),
        ("refund_request", "refund_request_refund_id"),
        ("refund_request", "refund_request_due_at"),
        ("refund_request", "refund_request_payment_id"),
        ("ledger_entry", "ledger_entry_event_id"),
        ("ledger_entry", "ledger_entry_payment_id"),
        ("outbox_event", "outbox_event_event_id"),
        ("outbox_event", "outbox_event_published_at_seq"),
        ("idempotency_key", "idempotency_key_expires_at"),
        ("processed_event", "processed_event_processed_at"),
        ("dead_letter", "dead_letter_status_id"),
        ("dead_letter", "dead_letter_due_at"),
    ];
}

async fn record(db: &DatabaseConnection, name: &str) {
    let row = seaql_migrations::ActiveModel { version: Set(name.to_owned()), applied_at: Set(0) };
    seaql_migrations::Entity::insert(row).exec(db).await.unwrap();
}

async fn tables_present<M: Schema>(db: &DatabaseConnection) -> usize {
    let manager = SchemaManager::new(db);
    let mut present = 0;
    for table in M::TABLES {
        present += usize::from(manager.has_table(*table).await.unwrap());
    }
    present
}

async fn up_creates_everything_and_is_current<M: Schema>() {
    on_each_empty(async |db| {
        assert_eq!(migrate::<M>(db).await.unwrap(), M::names());
        assert_eq!(status::<M>(db).await.unwrap(), SchemaStatus::Current);
        assert_eq!(tables_present::<M>(db).await, M::TABLES.len());
        let manager = SchemaManager::new(db);
        for (table, index) in M::INDEXES {
            assert!(manager.has_index(*table, *index).await.unwrap(), "{index}");
        }
        assert!(migrate::<M>(db).await.unwrap().is_empty());
    })
    .await;
}

async fn an_empty_database_is_behind_and_asking_changes_nothing<M: Schema>() {
    on_each_empty(async |db| {
        assert_eq!(status::<M>(db).await.unwrap(), SchemaStatus::Behind { missing: M::names() });
        assert!(!SchemaManager::new(db).has_table("seaql_migrations").await.unwrap());
    })
    .await;
}

async fn a_schema_that_lacks_the_last_migration_is_behind_by_it<M: Schema>() {
    on_each_empty(async |db| {
        let all = M::names();
        let (last, others) = all.split_last().unwrap();
        M::up(db, Some(others.len() as u32)).await.unwrap();
        let status = status::<M>(db).await.unwrap();
        assert_eq!(status, SchemaStatus::Behind { missing: vec![last.clone()] });
        assert!(status.to_string().contains(last));
        assert_eq!(&migrate::<M>(db).await.unwrap(), std::slice::from_ref(last));
    })
    .await;
}

async fn a_migration_that_the_binary_does_not_know_is_ahead_and_refused<M: Schema>() {
    on_each_of::<M>(async |db| {
        let unknown = "m20991231_000001_from_the_future";
        record(db, unknown).await;
        let status = status::<M>(db).await.unwrap();
        assert_eq!(status, SchemaStatus::Ahead { unknown: vec![unknown.to_owned()] });
        assert!(status.to_string().contains(unknown));
        let refusal = migrate::<M>(db).await.unwrap_err();
        assert!(matches!(&refusal, SchemaError::Ahead { unknown: names } if names[..] == [unknown]), "{refusal}");
    })
    .await;
}

async fn down_removes_everything_and_up_works_again<M: Schema>() {
    on_each_of::<M>(async |db| {
        M::down(db, None).await.unwrap();
        assert_eq!(tables_present::<M>(db).await, 0);
        assert_eq!(status::<M>(db).await.unwrap(), SchemaStatus::Behind { missing: M::names() });
        assert_eq!(migrate::<M>(db).await.unwrap(), M::names());
        assert_eq!(status::<M>(db).await.unwrap(), SchemaStatus::Current);
    })
    .await;
}

async fn a_migration_that_was_cut_off_before_it_was_recorded_is_completed<M: Schema>() {
    on_each_of::<M>(async |db| {
        seaql_migrations::Entity::delete_many().exec(db).await.unwrap();
        assert_eq!(migrate::<M>(db).await.unwrap(), M::names());
        assert_eq!(status::<M>(db).await.unwrap(), SchemaStatus::Current);
    })
    .await;
}

async fn hosts_that_start_together_migrate_once<M: Schema>() {
    on_each_empty(async |db| {
        // SQLite files have one owner: the process that holds the data directory.
        if db.get_database_backend() == DbBackend::MySql {
            let (one, other) = tokio::join!(migrate::<M>(db), migrate::<M>(db));
            assert_eq!(one.unwrap().len() + other.unwrap().len(), M::names().len());
            assert_eq!(status::<M>(db).await.unwrap(), SchemaStatus::Current);
        }
    })
    .await;
}

/// Each case with each schema.
macro_rules! of_each {
    ($($case:ident)*) => {$(
        mod $case {
            #[tokio::test]
            async fn of_a_shard() {
                super::$case::<migrations::ShardMigrator>().await;
            }

            #[tokio::test]
            async fn of_the_control_store() {
                super::$case::<migrations::ControlMigrator>().await;
            }
        }
    )*};
}

of_each! {
    up_creates_everything_and_is_current
    an_empty_database_is_behind_and_asking_changes_nothing
    a_schema_that_lacks_the_last_migration_is_behind_by_it
    a_migration_that_the_binary_does_not_know_is_ahead_and_refused
    down_removes_everything_and_up_works_again
    a_migration_that_was_cut_off_before_it_was_recorded_is_completed
    hosts_that_start_together_migrate_once
}
