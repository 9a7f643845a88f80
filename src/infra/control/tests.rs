//! What the control store must do, as a SQLite file and on a real MariaDB.

use std::hash::{BuildHasher, RandomState};

use sea_orm::ConnectionTrait;

use super::*;
use crate::domain::identity::SystemId;
use crate::runtime::Clock;

/// A place of a test's own.
struct Fixture {
    place: ControlPlace,
    dir: tempfile::TempDir,
    /// The MariaDB server and the database on it.
    server: Option<(String, String)>,
}

impl Fixture {
    fn on_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { place: ControlPlace::File(dir.path().join("data").join("control.db")), dir, server: None }
    }

    async fn on_mariadb() -> Option<Self> {
        let server = format!("mysql://rialto:rialto@{}", crate::infra::testing::server("mariadb-1")?);
        let name = format!("rialto_test_{:x}", RandomState::new().hash_one("control"));
        admin(&server, &format!("CREATE DATABASE {name}")).await;
        let place = ControlPlace::Server(format!("{server}/{name}"));
        Some(Self { place, dir: tempfile::tempdir().unwrap(), server: Some((server, name)) })
    }

    fn store(&self, system: u64) -> SqlControl {
        SqlControl::new(self.place.clone(), SystemId::new(0, system), Clock::system())
    }

    /// A file is made unreadable for this process by putting a directory in its way, a server by a port where nobody
    /// listens.
    fn out_of_reach(&self) -> ControlPlace {
        match &self.place {
            ControlPlace::File(_) => {
                let path = self.dir.path().join("in the way");
                std::fs::create_dir_all(&path).unwrap();
                ControlPlace::File(path)
            }
            ControlPlace::Server(_) => ControlPlace::Server("mysql://rialto:rialto@127.0.0.1:1/rialto".to_owned()),
        }
    }

    async fn drop(self) {
        if let Some((server, name)) = self.server {
            admin(&server, &format!("DROP DATABASE {name}")).await;
        }
    }
}

async fn admin(server: &str, sql: &str) {
    let db = sea_orm::Database::connect(server).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

/// An action as it waits in a shard.
pub fn action(id: i64, detail: &str) -> StoredAction {
    StoredAction {
        id,
        at: 1_800_000_000_000 + id,
        operator: "kim".to_owned(),
        kind: "dead_letter.discard".to_owned(),
        target: "dlq_0000000000001".to_owned(),
        detail: detail.to_owned(),
        request_id: "req_1".to_owned(),
    }
}

async fn an_action_is_kept_once_as_it_came_first(case: Fixture) {
    let store = case.store(1);
    assert!(matches!(store.keep_actions(&[action(1, "a")]).await, Err(ControlError::NotOpen)));
    assert!(matches!(store.actions(10).await, Err(ControlError::NotOpen)));
    store.check().await.unwrap();
    assert_eq!(store.keep_actions(&[]).await.unwrap(), []);
    let texts = ["O'Hara", "日本語 🛶"];
    let given: Vec<_> = (1..).zip(texts).map(|(id, text)| action(id, text)).collect();
    for _ in 0..2 {
        assert_eq!(store.keep_actions(&given).await.unwrap(), given);
    }
    let kept = store.keep_actions(&[action(2, "changed"), action(3, "new")]).await.unwrap();
    assert_eq!(kept, [given[1].clone(), action(3, "new")]);
    assert_eq!(store.actions(2).await.unwrap(), [action(3, "new"), given[1].clone()]);
    assert_eq!(store.actions(9).await.unwrap().len(), 3);
    case.drop().await;
}

const GIVEN_AT: Timestamp = Timestamp(1_800_000_000_000);

fn force(name: &str, state: &str) -> StoredForce {
    StoredForce {
        name: name.to_owned(),
        state: state.to_owned(),
        operator: "O'Hara".to_owned(),
        source: "::1".to_owned(),
        reason: "日本語 🛶".to_owned(),
        forced_at: GIVEN_AT.0,
    }
}

/// An order of that many milliseconds later.
fn later(ms: i64, force: StoredForce) -> StoredForce {
    StoredForce { forced_at: GIVEN_AT.0 + ms, ..force }
}

async fn the_last_order_to_a_breaker_is_kept_also_one_that_gives_it_back(case: Fixture) {
    let store = case.store(1);
    let keep = async |row: &StoredForce| store.force_breaker(row, Given::Now, GIVEN_AT).await;
    assert!(matches!(keep(&force("psp", "open")).await, Err(ControlError::NotOpen)));
    store.check().await.unwrap();
    assert_eq!(store.forced_breakers().await.unwrap(), []);
    assert_eq!(keep(&force("psp", "open")).await.unwrap(), force("psp", "open"));
    // Of one millisecond each: one is after the other.
    assert_eq!(keep(&force("psp", "closed")).await.unwrap(), later(1, force("psp", "closed")));
    keep(&force("event_log", "open")).await.unwrap();
    assert_eq!(keep(&force("psp", "none")).await.unwrap(), later(2, force("psp", "none")));
    let kept = [force("event_log", "open"), later(2, force("psp", "none"))];
    assert_eq!(store.forced_breakers().await.unwrap(), kept);
    case.drop().await;
}

async fn an_older_order_undoes_no_newer_one_and_no_clear(case: Fixture) {
    let store = case.store(1);
    store.check().await.unwrap();
    let now = GIVEN_AT.after(std::time::Duration::from_secs(60));
    let bring = async |row: &StoredForce| store.force_breaker(row, Given::Earlier, now).await.unwrap();
    for newer in [later(1_200, force("psp", "open")), later(1_500, force("psp", "none"))] {
        assert_eq!(bring(&newer).await, newer);
        for older in [force("psp", "closed"), force("psp", "none"), later(1_199, force("psp", "open"))] {
            assert_eq!(bring(&older).await, newer);
            assert_eq!(store.forced_breakers().await.unwrap(), std::slice::from_ref(&newer));
        }
        assert_eq!(bring(&newer).await, newer, "brought twice");
    }
    let newest = later(1_501, force("psp", "closed"));
    assert_eq!(bring(&newest).await, newest);
    case.drop().await;
}

/// Whichever comes first.
async fn orders_of_two_processes_end_as_one(case: Fixture) {
    let stores = [case.store(1), case.store(1)];
    stores[0].check().await.unwrap();
    if let ControlPlace::Server(_) = case.place {
        stores[1].check().await.unwrap();
    }
    let stores = if let ControlPlace::Server(_) = case.place { [&stores[0], &stores[1]] } else { [&stores[0]; 2] };
    for name in ["psp", "event_log", "psp_lookup"] {
        let (one, other) = (force(name, "open"), later(1, force(name, "closed")));
        let (first, second) = tokio::join!(
            stores[0].force_breaker(&one, Given::Earlier, GIVEN_AT),
            stores[1].force_breaker(&other, Given::Earlier, GIVEN_AT),
        );
        assert!([&one, &other].contains(&&first.unwrap()));
        assert_eq!(second.unwrap(), other);
        assert!(store_has(stores[0], &other).await, "{name}");
    }
    case.drop().await;
}

async fn store_has(store: &SqlControl, row: &StoredForce) -> bool {
    store.forced_breakers().await.unwrap().contains(row)
}

async fn a_store_that_takes_no_writes_is_out_and_still_read(case: Fixture) {
    let store = case.store(1);
    store.check().await.unwrap();
    store.force_breaker(&force("psp", "open"), Given::Now, GIVEN_AT).await.unwrap();
    let on = "BEFORE UPDATE ON control_identity";
    match &case.place {
        ControlPlace::File(path) => {
            let refuse = format!("CREATE TRIGGER refuse {on} BEGIN SELECT RAISE(ABORT, 'read-only'); END");
            rusqlite::Connection::open(path).unwrap().execute_batch(&refuse).unwrap();
        }
        ControlPlace::Server(url) => {
            let refuse = format!("CREATE TRIGGER refuse {on} FOR EACH ROW SIGNAL SQLSTATE '45000'");
            admin(url, &refuse).await;
        }
    }
    for _ in 0..2 {
        assert!(!store.check().await.unwrap_err().is_final());
        assert_eq!(store.forced_breakers().await.unwrap(), [force("psp", "open")]);
    }
    match &case.place {
        ControlPlace::File(path) => {
            rusqlite::Connection::open(path).unwrap().execute_batch("DROP TRIGGER refuse").unwrap();
        }
        ControlPlace::Server(url) => admin(url, "DROP TRIGGER refuse").await,
    }
    store.check().await.unwrap();
    case.drop().await;
}

async fn it_is_the_first_systems_and_refuses_others(case: Fixture) {
    assert_eq!(system_of(&case.place).await.unwrap(), None);
    case.store(1).check().await.unwrap();
    assert_eq!(system_of(&case.place).await.unwrap(), Some(SystemId::new(0, 1)));
    let other = case.store(2).check().await.unwrap_err();
    assert!(matches!(other, ControlError::Misfit(_)) && other.is_final(), "{other}");
    case.store(1).check().await.unwrap();
    case.drop().await;
}

async fn a_newer_schema_is_refused_for_good(case: Fixture) {
    case.store(1).check().await.unwrap();
    let future = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000001_future', 0)";
    match &case.place {
        ControlPlace::File(path) => drop(rusqlite::Connection::open(path).unwrap().execute(future, []).unwrap()),
        ControlPlace::Server(url) => admin(url, future).await,
    }
    for refused in [case.store(1).check().await.unwrap_err(), system_of(&case.place).await.unwrap_err()] {
        assert!(refused.is_final() && refused.to_string().contains("m20991231_000001_future"), "{refused}");
    }
    assert!(ControlReader::open(&case.place).await.is_err());
    case.drop().await;
}

async fn one_that_is_away_is_opened_once_it_is_there(case: Fixture) {
    let away = SqlControl::new(case.out_of_reach(), SystemId::new(0, 1), Clock::system());
    for _ in 0..2 {
        let error = away.check().await.unwrap_err();
        assert!(!error.is_final(), "{error}");
    }
    if let ControlPlace::File(path) = case.out_of_reach() {
        std::fs::remove_dir(path).unwrap();
        away.check().await.unwrap();
        away.keep_actions(&[action(1, "a")]).await.unwrap();
    }
    case.drop().await;
}

async fn store_that_became_another_systems_keeps_nothing(case: Fixture) {
    let store = case.store(1);
    store.check().await.unwrap();
    let become_of = async |system: SystemId| {
        let restored = format!("UPDATE control_identity SET system_id = '{}'", system.as_str());
        match &case.place {
            ControlPlace::File(path) => drop(rusqlite::Connection::open(path).unwrap().execute(&restored, []).unwrap()),
            ControlPlace::Server(url) => admin(url, &restored).await,
        }
    };
    become_of(SystemId::new(0, 2)).await;
    assert!(matches!(store.keep_actions(&[action(1, "a")]).await, Err(ControlError::Misfit(_))));
    assert!(matches!(store.check().await, Err(ControlError::Misfit(_))));
    become_of(SystemId::new(0, 1)).await;
    store.check().await.unwrap();
    store.keep_actions(&[action(1, "a")]).await.unwrap();
    case.drop().await;
}

async fn who_only_reads_sees_all_in_order(case: Fixture) {
    let store = case.store(1);
    store.check().await.unwrap();
    let given: Vec<_> = (1..=5).map(|id| action(id, "a")).collect();
    store.keep_actions(&given).await.unwrap();
    let reader = ControlReader::open(&case.place).await.unwrap();
    assert_eq!(reader.actions_after(i64::MIN, 3).await.unwrap(), given[..3]);
    assert_eq!(reader.actions_after(3, 3).await.unwrap(), given[3..]);
    assert_eq!(reader.action(2).await.unwrap().as_ref(), Some(&given[1]));
    assert_eq!(reader.action(9).await.unwrap(), None);
    case.drop().await;
}

/// Each case on each engine.
macro_rules! on_each {
    ($($case:ident)*) => {$(
        mod $case {
            #[tokio::test]
            async fn on_sqlite() {
                super::$case(super::Fixture::on_sqlite()).await;
            }

            #[tokio::test]
            async fn on_mariadb() {
                if let Some(case) = super::Fixture::on_mariadb().await {
                    super::$case(case).await;
                }
            }
        }
    )*};
}

on_each! {
    an_action_is_kept_once_as_it_came_first
    it_is_the_first_systems_and_refuses_others
    a_newer_schema_is_refused_for_good
    one_that_is_away_is_opened_once_it_is_there
    store_that_became_another_systems_keeps_nothing
    who_only_reads_sees_all_in_order
    the_last_order_to_a_breaker_is_kept_also_one_that_gives_it_back
    an_older_order_undoes_no_newer_one_and_no_clear
    orders_of_two_processes_end_as_one
    a_store_that_takes_no_writes_is_out_and_still_read
}

#[tokio::test]
async fn what_is_written_to_a_file_that_is_gone_is_not_kept() {
    let case = Fixture::on_sqlite();
    let store = case.store(1);
    store.check().await.unwrap();
    let ControlPlace::File(path) = &case.place else { unreachable!("on SQLite") };
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    for error in [
        store.keep_actions(&[action(1, "a")]).await.unwrap_err(),
        store.actions(1).await.unwrap_err(),
        store.check().await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("deleted or replaced"), "{error}");
    }
    std::fs::rename(&aside, path).unwrap();
    store.check().await.unwrap();
    store.keep_actions(&[action(1, "a")]).await.unwrap();
}

#[tokio::test]
async fn a_file_has_one_process() {
    let case = Fixture::on_sqlite();
    case.store(1).check().await.unwrap();
    let ControlPlace::File(path) = &case.place else { unreachable!("on SQLite") };
    let python = "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True); \
                  sys.stdin.read()";
    let mut other = std::process::Command::new("python3")
        .args(["-c", python])
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(other.stdout.as_mut().unwrap()), &mut String::new())
        .unwrap();
    let error = case.store(1).check().await.unwrap_err();
    assert!(matches!(error, ControlError::File(GuardError::InUse(_))) && !error.is_final(), "{error}");
    drop(other.stdin.take());
    other.wait().unwrap();
    case.store(1).check().await.unwrap();
}

#[tokio::test]
async fn database_that_was_made_anew_is_opened_again() {
    let Some(case) = Fixture::on_mariadb().await else { return };
    let store = case.store(1);
    store.check().await.unwrap();
    let (server, name) = case.server.as_ref().unwrap();
    admin(server, &format!("DROP DATABASE {name}")).await;
    assert!(store.check().await.is_err());
    admin(server, &format!("CREATE DATABASE {name}")).await;
    store.check().await.unwrap();
    store.keep_actions(&[action(1, "a")]).await.unwrap();
    case.drop().await;
}
