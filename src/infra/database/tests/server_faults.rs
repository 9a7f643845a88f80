//! What a MariaDB or a network that fails leaves behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

impl Fixture {
    /// Opens the database of `fixture` by way of `address`.
    async fn by_way_of(&mut self, address: &str) {
        let (_, name) = self.server.clone().unwrap();
        let url = format!("mysql://rialto:rialto@{address}/{name}");
        self.db = ShardDatabase::open_mariadb(ShardId(1), &url, false).await.unwrap();
    }

    /// Ends all connections to the database, or what they are doing.
    async fn kill(&self, what: &str) {
        let (server, name) = self.server.as_ref().unwrap();
        let db = sea_orm::Database::connect(server.as_str()).await.unwrap();
        let list = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
        let found = db.query_all(sea_orm::Statement::from_string(sea_orm::DbBackend::MySql, list)).await.unwrap();
        for row in found {
            let id: i64 = row.try_get_by_index(0).unwrap();
            // It may have ended by itself.
            let _ = db.execute_unprepared(&format!("KILL {what} {id}")).await;
        }
        db.close().await.unwrap();
    }
}

/// Passes everything on to the server, and while it swallows, nothing back: TCP stays up, answers never come. It begins
/// with the answer to the next COMMIT when that is asked of it.
#[derive(Clone, Default)]
struct Swallower {
    swallows: Arc<AtomicBool>,
    from_commit_on: Arc<AtomicBool>,
}

async fn swallower(server: String) -> (String, Swallower) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let swallower = Swallower::default();
    let Swallower { swallows, from_commit_on } = swallower.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let upstream = TcpStream::connect(&server).await.unwrap();
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), upstream.into_split());
            let (waits, begins) = (from_commit_on.clone(), swallows.clone());
            tokio::spawn(async move {
                let mut asked = vec![0; 1 << 16];
                while let Ok(read @ 1..) = from_client.read(&mut asked).await {
                    if asked[..read].ends_with(b"COMMIT") && waits.swap(false, Ordering::Relaxed) {
                        begins.store(true, Ordering::Relaxed);
                    }
                    to_server.write_all(&asked[..read]).await.unwrap();
                }
            });
            let swallows = swallows.clone();
            tokio::spawn(async move {
                let mut answer = vec![0; 1 << 16];
                let mut has_lost = false;
                while let Ok(read @ 1..) = from_server.read(&mut answer).await {
                    has_lost |= swallows.load(Ordering::Relaxed);
                    // What follows a lost answer would be taken for it.
                    if !has_lost && to_client.write_all(&answer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, swallower)
}

/// A shard that is reached by way of a swallower and holds payment 1, the way to it that is never swallowed, and the
/// swallower.
async fn behind_a_swallower() -> Option<(Fixture, ShardDatabase, Swallower)> {
    let mut fixture = Fixture::on_mariadb().await?;
    let address = fixture.server.as_ref().unwrap().0.rsplit('@').next().unwrap().to_owned();
    let (address, proxy) = swallower(address).await;
    let own = fixture.db.clone();
    fixture.by_way_of(&address).await;
    fixture.try_authorize(1).await.unwrap();
    Some((fixture, own, proxy))
}

#[tokio::test]
async fn connections_that_never_answer_give_their_places_back() {
    let Some((mut fixture, own, proxy)) = behind_a_swallower().await else { return };
    proxy.swallows.store(true, Ordering::Relaxed);
    let db = fixture.db.clone();
    let reads = async { futures_util::future::join_all((0..8).map(|_| db.ping())).await };
    let (failed, read) = tokio::join!(fixture.try_authorize(2), reads);
    assert!(failed.is_err() && read.iter().all(Result::is_err), "{failed:?}");
    assert_eq!((fixture.db.writer.in_use().used, fixture.db.readers.in_use().used), (0, 0));
    proxy.swallows.store(false, Ordering::Relaxed);
    let begun = Instant::now();
    fixture.try_authorize(3).await.unwrap();
    fixture.db.ping().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    fixture.db = own;
    fixture.drop().await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_swallowed_is_found() {
    let Some((mut fixture, own, proxy)) = behind_a_swallower().await else { return };
    proxy.from_commit_on.store(true, Ordering::Relaxed);
    let heals_once_it_is_there = async {
        while own.payment(PaymentId::from_stored(2)).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(proxy.swallows.swap(false, Ordering::Relaxed), "the answer was passed on");
    };
    let (committed, ()) = tokio::join!(fixture.try_authorize(2), heals_once_it_is_there);
    assert_eq!(committed.unwrap(), KeyOutcome::Fresh(Ok(())));
    fixture.db = own;
    fixture.drop().await;
}

#[tokio::test]
async fn a_connection_that_ended_while_it_rested_costs_nobody_an_error() {
    let Some(mut fixture) = Fixture::on_mariadb().await else { return };
    for id in 1..4 {
        fixture.try_authorize(id).await.unwrap();
        futures_util::future::join_all((0..4).map(|_| fixture.db.ping())).await;
        fixture.kill("CONNECTION").await;
        fixture.db.ping().await.unwrap();
    }
    fixture.drop().await;
}

#[tokio::test]
async fn statements_that_are_killed_are_the_servers_trouble_and_nobodys_refusal() {
    let Some(mut fixture) = Fixture::on_mariadb().await else { return };
    let is_over = Arc::new(AtomicBool::new(false));
    let (server, name) = fixture.server.clone().unwrap();
    let until = is_over.clone();
    let killer = tokio::spawn(async move {
        let db = sea_orm::Database::connect(server.as_str()).await.unwrap();
        let list = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
        let mut killed = 0;
        while !until.load(Ordering::Relaxed) {
            let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::MySql, list.as_str());
            for row in db.query_all(statement).await.unwrap() {
                let id: i64 = row.try_get_by_index(0).unwrap();
                killed += usize::from(db.execute_unprepared(&format!("KILL QUERY {id}")).await.is_ok());
            }
        }
        db.close().await.unwrap();
        killed
    });
    let (mut done, mut failed) = (Vec::new(), 0);
    let begun = Instant::now();
    for id in 1.. {
        match fixture.try_authorize(id).await {
            Ok(_) => done.push(id),
            Err(DatabaseError::Conflict | DatabaseError::Unavailable(_) | DatabaseError::NotCommitted(_)) => {
                failed += 1
            }
            Err(error) => panic!("{error}"),
        }
        if begun.elapsed() > Duration::from_secs(30) || done.len() > 100 && failed > 5 {
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    assert!(killer.await.unwrap() > 100 && failed > 0, "{failed} failed");
    // What was said is there, and nothing else.
    for id in &done {
        assert!(fixture.db.payment(PaymentId::from_stored(*id)).await.unwrap().is_some(), "{id}");
    }
    fixture.drop().await;
}

#[tokio::test]
async fn errors_are_sorted_by_what_they_say_about_the_row_and_what_about_the_server() {
    let Some(fixture) = Fixture::on_mariadb().await else { return };
    let of_the_server = [1317, 1927, 1053, 1040, 3024, 1969, 1044, 1146, 1105, 1206, 1047];
    let of_its_storage = [1290, 1836, 1114, 1021, 1030, 1180];
    let of_the_row = [1048, 1064, 1264, 1292, 1366, 1406, 1452, 1690, 4025, 1153];
    let passing = [1062, 1205, 1213, 1020];
    let kinds = [("unavailable", &of_the_server[..]), ("storage", &of_its_storage), ("refused", &of_the_row)];
    for (kind, numbers) in kinds.into_iter().chain([("conflict", &passing[..])]) {
        for number in numbers {
            let signal = format!("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}");
            let error = fixture.db.readers.execute_unprepared(&signal).await.unwrap_err();
            assert_eq!(DatabaseError::from(error).name(), kind, "{number}");
        }
    }
    assert_eq!(fixture.db.readers.in_use().used, 0);
    fixture.drop().await;
}
