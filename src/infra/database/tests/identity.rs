//! What a database is told that it is, on SQLite and on a real MariaDB.

use super::*;
use crate::domain::identity::{Companion, FoundShard, ShardIdentity, SystemId};
use crate::infra::database::identity::{ShardPlace, ShardRecord};

fn identity(of: u64) -> ShardIdentity {
    ShardIdentity { system: SystemId::new(0, of), shard: ShardId(2), count: 3, map_version: 1 }
}

async fn found(place: &ShardPlace) -> FoundShard {
    let record = ShardRecord::look(place).await.unwrap();
    let found = record.found().await.unwrap();
    record.close().await.unwrap();
    found
}

async fn a_database_keeps_what_it_was_told_first(place: &ShardPlace) {
    assert_eq!(found(place).await, FoundShard::default());
    let early = ShardRecord::open(place).await.unwrap();
    assert!(early.claim(&identity(1), NOW).await.is_err(), "looking has made no schema");
    match place {
        ShardPlace::File(path) => ShardDatabase::open_sqlite(ShardId(2), path, true).await.map(drop).unwrap(),
        ShardPlace::Server(url) => ShardDatabase::open_mariadb(ShardId(2), url, true).await.map(drop).unwrap(),
    }
    assert_eq!(found(place).await, FoundShard::default(), "a schema alone is no data");
    let (one, other) = (ShardRecord::open(place).await.unwrap(), ShardRecord::open(place).await.unwrap());
    let (first, second) = (identity(1), identity(2));
    let claims = tokio::join!(one.claim(&first, NOW), other.claim(&second, NOW));
    let (first, second) = (claims.0.unwrap(), claims.1.unwrap());
    assert_eq!(first, second, "of two that come at once one decides");
    for (name, replace, noted) in [("log 1", false, "log 1"), ("log 2", false, "log 1"), ("log 2", true, "log 2")] {
        let said = other.note(Companion::EventLog, name, replace).await.unwrap();
        assert_eq!(said.as_deref(), Some(noted));
    }
    let now = FoundShard { identity: first, event_log: Some("log 2".to_owned()), ..FoundShard::default() };
    assert_eq!(found(place).await, now);
    for record in [early, one, other] {
        record.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_keeps_what_it_was_told_first() {
    let dir = tempfile::tempdir().unwrap();
    a_database_keeps_what_it_was_told_first(&ShardPlace::File(dir.path().join("shard.db"))).await;
}

#[tokio::test]
async fn a_mariadb_keeps_what_it_was_told_first() {
    let Some(server) = crate::infra::testing::server("mariadb-1") else { return };
    let server = format!("mysql://rialto:rialto@{server}");
    let name = format!("rialto_test_{:x}", RandomState::new().hash_one("identity"));
    admin(&server, &format!("CREATE DATABASE {name}")).await;
    a_database_keeps_what_it_was_told_first(&ShardPlace::Server(format!("{server}/{name}"))).await;
    admin(&server, &format!("DROP DATABASE {name}")).await;
}

#[tokio::test]
async fn data_without_an_identity_show_their_payments() {
    let mut fixture = Fixture::on_sqlite().await;
    let place = ShardPlace::File(fixture._dir.path().join("shard.db"));
    let payments: Vec<_> = [fixture.authorize(1).await, fixture.authorize(2).await].into();
    let seen = found(&place).await;
    assert!(seen.holds_data && !seen.has_published && payments.iter().all(|id| seen.payments.contains(id)));
    let seqs: Vec<i64> = fixture.db.unpublished(1).await.unwrap().iter().map(|row| row.seq).collect();
    fixture.run(ReadSet::default(), |unit| unit.published = seqs).await.unwrap();
    assert!(found(&place).await.has_published);
}
