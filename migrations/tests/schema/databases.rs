//! The databases that a case runs on.

use std::sync::atomic::{AtomicU32, Ordering};

use migrations::ShardMigrator;
use sea_orm_migration::MigratorTrait;
use sea_orm_migration::sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

/// Runs `case` on an empty database of each engine.
pub async fn on_each_empty(case: impl AsyncFn(&DatabaseConnection)) {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = connect(format!("sqlite://{}?mode=rwc", dir.path().join("shard.db").display())).await;
    case(&sqlite).await;
    sqlite.close().await.unwrap();

    let Ok(server_url) = std::env::var("RIALTO_TEST_DATABASE_URL") else { return };
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("rialto_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let server = connect(server_url.clone()).await;
    server.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
    server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let mariadb = connect(format!("{}/{name}", server_url.trim_end_matches('/'))).await;
    case(&mariadb).await;
    mariadb.close().await.unwrap();
    server.execute_unprepared(&format!("DROP DATABASE {name}")).await.unwrap();
}

/// Runs `case` on a shard of each engine.
pub async fn on_each(case: impl AsyncFn(&DatabaseConnection)) {
    on_each_of::<ShardMigrator>(case).await;
}

/// Runs `case` on a database of each engine that `M` has migrated.
pub async fn on_each_of<M: MigratorTrait>(case: impl AsyncFn(&DatabaseConnection)) {
    on_each_empty(async |db| {
        migrations::migrate::<M>(db).await.unwrap();
        case(db).await;
    })
    .await;
}

async fn connect(url: String) -> DatabaseConnection {
    Database::connect(ConnectOptions::new(url).sqlx_logging(false).max_connections(2).to_owned()).await.unwrap()
}
