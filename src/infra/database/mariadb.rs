//! How Rialto reaches a shard on MariaDB: few connections, every commit on disk before it is answered, and no waiting
//! without an end.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow};
use sea_orm::sqlx::{self, ConnectOptions, Executor, Row};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxMySqlConnector};

use super::error::DatabaseError;

/// Connections that write a shard. One is in use; the others take over from one that hangs on a network that is gone, or
/// that the pool is testing after use.
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

/// What a statement may be long (`max_allowed_packet`), as the server said to the connection that was made last. Clones share it.
#[derive(Debug, Clone)]
pub struct PacketMax(Arc<AtomicUsize>);

impl Default for PacketMax {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }
}

impl PacketMax {
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, bytes: i64) {
        self.0.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
    }
}

/// Waits for the server, checks that it keeps what it promises, and has a connection to it.
pub async fn open(url: &str, packet_max: &PacketMax) -> Result<DatabaseConnection, DatabaseError> {
    let pool = writer_pool(url, packet_max)?;
    let row = reach(&pool).await.map_err(unavailable)?;
    let (version, flush): (String, i64) = (row.get(0), row.get(1));
    if !is_known(&version) {
        return Err(DatabaseError::Server(format!("MariaDB {version} is not one of 10.6 and above")));
    }
    if flush != 1 {
        let why = format!("innodb_flush_log_at_trx_commit is {flush}: a commit would be answered before it is on disk");
        return Err(DatabaseError::Server(why));
    }
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

/// Connections that write, each made when it is first needed.
pub fn writers(url: &str, packet_max: &PacketMax) -> Result<DatabaseConnection, DatabaseError> {
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(writer_pool(url, packet_max)?))
}

/// Up to so many connections that read, each made when it is first needed.
pub fn readers(url: &str, connections: u32) -> Result<DatabaseConnection, DatabaseError> {
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool(connections).connect_lazy_with(options(url)?)))
}

fn writer_pool(url: &str, packet_max: &PacketMax) -> Result<MySqlPool, DatabaseError> {
    let packet_max = packet_max.clone();
    let pool = pool(WRITERS).after_connect(move |connection, _| {
        let packet_max = packet_max.clone();
        Box::pin(async move {
            let row = connection.fetch_one("SELECT CAST(@@max_allowed_packet AS SIGNED)").await?;
            packet_max.set(row.try_get(0)?);
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

/// A connection is not tested before use: whoever uses it learns as much, without a round trip more.
fn pool(connections: u32) -> MySqlPoolOptions {
    MySqlPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire(false)
}

/// Waits for a server that is not up yet, and has it say its version and how it commits.
async fn reach(pool: &MySqlPool) -> Result<MySqlRow, sqlx::Error> {
    let ask = || sqlx::query("SELECT VERSION(), CAST(@@innodb_flush_log_at_trx_commit AS SIGNED)").fetch_one(pool);
    // Whatever a server says itself (no such user, no such database), it will say again.
    until_it_passes(async || ask().await, |error| error.as_database_error().is_none()).await
}

/// Brings up the schema by `prepare`, again and again while a busy server refuses what it may do in a moment: another database's
/// DDL can hold the locks that ours waits for.
pub async fn patiently(prepare: impl AsyncFn() -> Result<(), DatabaseError>) -> Result<(), DatabaseError> {
    until_it_passes(prepare, |error| matches!(error, DatabaseError::Conflict | DatabaseError::Unavailable(_))).await
}

/// Asks again what fails in a way that passes, for as long as opening may wait.
async fn until_it_passes<T, E: std::fmt::Display>(
    ask: impl AsyncFn() -> Result<T, E>,
    passes: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let begun = Instant::now();
    loop {
        match ask().await {
            Err(error) if passes(&error) && begun.elapsed() < OPEN_TIMEOUT => {
                tracing::warn!(%error, "waiting for MariaDB");
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
