//! How Rialto reaches a shard on MariaDB: few connections, every commit on disk before it is answered, and no waiting
//! without an end.

use std::str::FromStr;
use std::time::{Duration, Instant};

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow};
use sea_orm::sqlx::{self, ConnectOptions, Executor, Row};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxMySqlConnector};

use super::connection::{PacketMax, Pool, Target};
use super::error::DatabaseError;
use crate::infra::waits::{Wait, look_for, wait_for};

/// Connections that write a shard. One is in use; another takes over from one that hangs on a network that is gone.
const WRITERS: u32 = 4;
/// How long to wait for a connection to a server that is down before the caller is told so.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long opening waits for a server that is not up yet.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Prepared statements kept per connection; MariaDB allows 16 382 in all (`max_prepared_stmt_count`).
const STATEMENT_CACHE: usize = 512;
/// The oldest version whose locks and indexes the tests know.
const VERSION_MIN: (u32, u32) = (10, 6);

/// A batch locks the rows that it names, and no gaps between them.
const WRITER_ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// A transaction whose client is gone must not keep its locks until TCP notices: the server ends it. Others wait a
/// little less for a lock (error 1205) than their batch may take. Values that do not fit are refused, never cut.
const WRITER_SESSION: &str = "SET SESSION idle_transaction_timeout = 4, SESSION innodb_lock_wait_timeout = 3, \
     SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')";

/// Waits for the server, checks that it keeps what it promises, and has a connection to it.
pub async fn open(url: &str) -> Result<DatabaseConnection, DatabaseError> {
    let pool = opening_pool(url)?;
    let row = reach(&pool, &place(url)?).await.map_err(unavailable)?;
    trusted(pool, &row)
}

/// As [`open`], without waiting for a server that is not up.
pub async fn open_now(url: &str) -> Result<DatabaseConnection, DatabaseError> {
    let pool = opening_pool(url)?;
    let _wait = wait_for(place(url)?);
    let row = present_itself(&pool).await.map_err(unavailable)?;
    trusted(pool, &row)
}

/// A connection to a server that said this of itself, if it keeps what it must.
fn trusted(pool: MySqlPool, row: &MySqlRow) -> Result<DatabaseConnection, DatabaseError> {
    let (version, flush): (String, i64) = (row.get(0), row.get(1));
    if !is_known(&version) {
        return Err(DatabaseError::Server(format!("MariaDB {version} is not one of 10.6 and above")));
    }
    if flush != 1 {
        return Err(DatabaseError::NotDurable(flush));
    }
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

/// Connections that write, each made when it is first needed.
pub fn writers(url: &str, packet_max: &PacketMax) -> Result<Pool, DatabaseError> {
    let session = &[WRITER_ISOLATION, WRITER_SESSION];
    let target = Target::MariaDb { options: Box::new(options(url)?), session, packet_max: packet_max.clone() };
    Ok(Pool::new(target, WRITERS))
}

/// Up to so many connections that read, each made when it is first needed.
pub fn readers(url: &str, connections: u32) -> Result<Pool, DatabaseError> {
    Ok(Pool::new(
        Target::MariaDb { options: Box::new(options(url)?), session: &[], packet_max: PacketMax::default() },
        connections,
    ))
}

/// The connection with which a database is opened.
fn opening_pool(url: &str) -> Result<MySqlPool, DatabaseError> {
    let pool = MySqlPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
    let pool = pool.after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute(WRITER_ISOLATION).await?;
            connection.execute(WRITER_SESSION).await.map(drop)
        })
    });
    Ok(pool.connect_lazy_with(options(url)?))
}

fn options(url: &str) -> Result<MySqlConnectOptions, DatabaseError> {
    // The message does not show the URL: it holds a password.
    let options = MySqlConnectOptions::from_str(url).map_err(|error| DatabaseError::Server(error.to_string()))?;
    Ok(options.statement_cache_capacity(STATEMENT_CACHE).disable_statement_logging())
}

/// How long a statement may be, in bytes.
pub async fn max_allowed_packet(db: &DatabaseConnection) -> Result<i64, DatabaseError> {
    let ask = "SELECT CAST(@@max_allowed_packet AS SIGNED)";
    let asked = sqlx::query_scalar(ask).fetch_one(db.get_mysql_connection_pool()).await;
    asked.map_err(|error| DatabaseError::from(DbErr::Query(RuntimeErr::SqlxError(error))))
}

/// Waits for a server that is not up yet, and has it present itself.
async fn reach(pool: &MySqlPool, place: &str) -> Result<MySqlRow, sqlx::Error> {
    // Whatever a server says itself (no such user, no such database), it will say again.
    let passes = |error: &Unreached| error.error.as_database_error().is_none();
    let reached =
        until_it_passes(wait_for(place), async || Unreached::of(pool, present_itself(pool).await).await, passes);
    reached.await.map_err(|unreached| unreached.error)
}

/// Why a server did not present itself. The pool's own error does not say it.
#[derive(Debug)]
struct Unreached {
    error: sqlx::Error,
    said: String,
}

impl Unreached {
    async fn of<T>(pool: &MySqlPool, reached: Result<T, sqlx::Error>) -> Result<T, Self> {
        let error = match reached {
            Ok(reached) => return Ok(reached),
            Err(error) => error,
        };
        let said = match &error {
            sqlx::Error::PoolTimedOut => {
                let options = pool.connect_options();
                match look_for((options.get_host(), options.get_port())).await {
                    Ok(()) => format!("it takes connections and does not answer within {ACQUIRE_TIMEOUT:?}"),
                    Err(why) => why,
                }
            }
            other => other.to_string(),
        };
        Err(Self { error, said })
    }
}

impl std::fmt::Display for Unreached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.said)
    }
}

/// Where the database is, without credentials.
fn place(url: &str) -> Result<String, DatabaseError> {
    Ok(said(&options(url)?))
}

/// Where a database is that may be a file, too.
fn place_of(db: &DatabaseConnection) -> String {
    match db.get_database_backend() {
        DbBackend::MySql => said(&db.get_mysql_connection_pool().connect_options()),
        DbBackend::Sqlite | DbBackend::Postgres => {
            let options = db.get_sqlite_connection_pool().connect_options();
            format!("the file {}", options.get_filename().display())
        }
    }
}

fn said(options: &MySqlConnectOptions) -> String {
    let database = options.get_database().map(|name| format!("/{name}")).unwrap_or_default();
    format!("MariaDB at {}:{}{database}", options.get_host(), options.get_port())
}

/// Has the server say its version and how it commits.
async fn present_itself(pool: &MySqlPool) -> Result<MySqlRow, sqlx::Error> {
    sqlx::query("SELECT VERSION(), CAST(@@innodb_flush_log_at_trx_commit AS SIGNED)").fetch_one(pool).await
}

/// Brings up the schema by `prepare`, again and again while a busy server refuses what it may do in a moment: another
/// database's DDL can hold the locks that ours waits for.
pub async fn patiently<T>(
    db: &DatabaseConnection,
    prepare: impl AsyncFn() -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    let what = format!("the schema, or another process that migrates it, of {}", place_of(db));
    let passes = |error: &DatabaseError| matches!(error, DatabaseError::Conflict | DatabaseError::Unavailable(_));
    let wait = wait_for(what);
    let wait = if db.get_database_backend() == DbBackend::Sqlite { wait.that_locks_prolong() } else { wait };
    until_it_passes(wait, prepare, passes).await
}

/// Asks again what fails in a way that passes, for as long as opening may wait.
async fn until_it_passes<T, E: std::fmt::Display>(
    wait: Wait,
    ask: impl AsyncFn() -> Result<T, E>,
    passes: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(error) if passes(&error) && begun.elapsed() < OPEN_TIMEOUT => {
                wait.because(&error);
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
            answer => return answer,
        }
    }
}

fn is_known(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse::<u32>().ok());
    let found = numbers.next().flatten().zip(numbers.next().flatten());
    version.contains("MariaDB") && found.is_some_and(|found| found >= VERSION_MIN)
}

fn unavailable(error: sqlx::Error) -> DatabaseError {
    DatabaseError::Unavailable(DbErr::Conn(RuntimeErr::SqlxError(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_foreign_servers_are_known_by_their_version() {
        for known in ["10.6.0-MariaDB", "10.11.6-MariaDB-0+deb12u1", "11.4.2-MariaDB"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["10.5.23-MariaDB", "8.0.36", "8.4.0-mysql", "", "MariaDB"] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_and_not_shown() {
        for url in ["mysql://rialto:secret@host:port/x", "secret"] {
            let error = options(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
