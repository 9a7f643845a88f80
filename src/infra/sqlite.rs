//! How Rialto opens a SQLite file: write-ahead log, every commit on disk before it is answered, one writer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, ConnectOptions, Connection, QueryBuilder, Sqlite};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxSqliteConnector};

/// How long a connection waits for another's lock. Inside a process one writer never waits; this is for a command such
/// as `rialto audit` beside a running `rialto serve`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: above the number of texts that a shard's writer uses, each in the few sizes
/// of [`even_chunks`].
const STATEMENT_CACHE: usize = 512;
/// Pages (4 KiB) in the write-ahead log at which it is copied back, 16 MiB: pages that many batches touch are then
/// copied once instead of with every 4 MiB, SQLite's default.
const CHECKPOINT_PAGES: &str = "4000";
/// The write-ahead log's file is cut to this after a burst, in bytes.
const LOG_SIZE_LIMIT_BYTES: &str = "67108864";
/// Page cache of the writer in KiB (hence the sign): a batch of hundreds of rows must fit, or SQLite spills half of it
/// to the log early. Taken only as it fills.
const WRITER_CACHE_KIB: &str = "-8192";

/// Why a private SQLite file (one that no migration manages) could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer Rialto wrote the file; this one must not touch it.
    #[error("{path} has format {found}, this version knows {known}")]
    NewerFormat { path: PathBuf, found: i64, known: i64 },
    #[error("{path} cannot be opened: {source}")]
    Sqlite { path: PathBuf, source: sqlx::Error },
}

/// Opens the file for writing, creating it if missing, on exactly one connection: writers queue here, not on SQLite's
/// lock.
pub async fn open_writer(path: &Path) -> Result<DatabaseConnection, DbErr> {
    writer_pool(path).await.map(SqlxSqliteConnector::from_sqlx_sqlite_pool).map_err(connection_error)
}

/// Opens an existing file for reading on up to `connections` connections, which neither wait for the writer nor hold it
/// up.
pub async fn open_readers(path: &Path, connections: u32) -> Result<DatabaseConnection, DbErr> {
    reader_pool(path, connections).await.map(SqlxSqliteConnector::from_sqlx_sqlite_pool).map_err(connection_error)
}

fn connection_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error))
}

async fn writer_pool(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    pool(1).connect_with(writer_options(path)).await
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", LOG_SIZE_LIMIT_BYTES)
        .pragma("cache_size", WRITER_CACHE_KIB)
        // What a multi-row statement would have to undo goes to a temporary file otherwise, page by page.
        .pragma("temp_store", "memory")
}

async fn reader_pool(path: &Path, connections: u32) -> Result<SqlitePool, sqlx::Error> {
    pool(connections).connect_with(options(path).read_only(true)).await
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging()
}

/// Connections to a file in this process do not go stale, so none is tested, aged or reaped: no timer runs behind a
/// query.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Opens a private file for its one writer, creating `tables` in it if it is new, and refuses one of a format above
/// `known`. The format is SQLite's `user_version`. The connection is no pool's: taking it costs neither a ping nor a
/// timer.
pub(super) async fn private_writer(path: &Path, known: i64, tables: &str) -> Result<SqliteConnection, OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let mut connection = writer_options(path).connect().await.map_err(sqlite)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(sqlite)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await.map_err(sqlite)?;
    if found > known {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found, known });
    }
    if found == 0 {
        let format = format!("{tables}; PRAGMA user_version = {known};");
        sqlx::raw_sql(&format).execute(&mut *transaction).await.map_err(sqlite)?;
    }
    transaction.commit().await.map_err(sqlite)?;
    Ok(connection)
}

/// Opens an existing private file for reading; refuses one of a format above `known`.
pub(super) async fn private_readers(path: &Path, known: i64, connections: u32) -> Result<SqlitePool, OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let pool = reader_pool(path, connections).await.map_err(sqlite)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await.map_err(sqlite)?;
    if found > known {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found, known });
    }
    Ok(pool)
}

/// One transaction whose statements go to the connection's thread together: every trip there and back costs as much as a
/// few rows.
pub(super) struct Script<'a>(QueryBuilder<'a, Sqlite>);

impl<'a> Script<'a> {
    pub(super) fn begin() -> Self {
        Self(QueryBuilder::new("BEGIN IMMEDIATE; "))
    }

    /// One more statement, written by `write`.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut QueryBuilder<'a, Sqlite>)) {
        write(&mut self.0);
        self.0.push("; ");
    }

    /// One more statement, unless there are no rows: inserts them `into` a `table (column, ...)`, each given as a list in the columns'
    /// order. `conflict` is empty or begins with ON CONFLICT. The text is the same however many rows there are, since a script is
    /// prepared, and kept prepared, as a whole.
    pub(super) fn insert<T: serde::Serialize>(
        &mut self,
        into: &str,
        rows: impl IntoIterator<Item = T>,
        conflict: &str,
    ) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        let values: Vec<_> = (0..into.split(',').count()).map(|column| format!("value ->> {column}")).collect();
        let values = values.join(", ");
        self.add(|query| {
            query.push(format_args!("INSERT INTO {into} SELECT {values} FROM json_each(")).push_bind(json_list(rows));
            // Without a WHERE the grammar takes ON for a join's.
            query.push(format_args!(") WHERE true {conflict}"));
        });
    }

    /// Runs all of it. When it fails, nothing of it was done.
    pub(super) async fn commit(mut self, db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let done = self.0.push("COMMIT").build().execute(&mut *db).await;
        if done.is_err() {
            // Refused in turn if what failed was the beginning or the end.
            sqlx::query("ROLLBACK").execute(db).await.ok();
        }
        done.map(drop)
    }
}

/// A list as one parameter, to be read with `json_each`: the statement's text is the same however long it is.
pub(super) fn json_list<T: serde::Serialize>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<T> = values.into_iter().collect();
    // Texts and numbers always have a JSON form.
    serde_json::to_string(&values).unwrap_or_default()
}

/// Cuts `rows` into few pieces of few sizes: see [`even_sizes`].
pub(super) fn even_chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    even_sizes(rows.len()).map(move |size| {
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        piece
    })
}

/// Cuts a number of rows into 128s, then 32s, then what is left. Multi-row statements then come in 33 texts and stay
/// prepared, a small batch is one statement, and none meets SQLite's limit of 32 766 parameters.
pub(super) fn even_sizes(mut rows: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let size = [128, 32].into_iter().find(|size| rows >= *size).unwrap_or(rows);
        rows -= size;
        (size > 0).then_some(size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "CREATE TABLE fact (id INTEGER PRIMARY KEY) STRICT";

    #[tokio::test]
    async fn the_writer_is_durable_and_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts.db");
        let writer = writer_pool(&path).await.unwrap();
        for (pragma, value) in [
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("busy_timeout", "5000"),
            ("wal_autocheckpoint", CHECKPOINT_PAGES),
            ("cache_size", WRITER_CACHE_KIB),
            ("temp_store", "2"),
        ] {
            let found: i64 = sqlx::query_scalar(&format!("PRAGMA {pragma}")).fetch_one(&writer).await.unwrap();
            assert_eq!(found.to_string(), value, "{pragma}");
        }
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&writer).await.unwrap();
        assert_eq!(mode, "wal");
        sqlx::raw_sql(TABLES).execute(&writer).await.unwrap();
        let readers = reader_pool(&path, 2).await.unwrap();
        assert!(sqlx::query("INSERT INTO fact VALUES (1)").execute(&readers).await.is_err());
        sqlx::query("INSERT INTO fact VALUES (1)").execute(&writer).await.unwrap();
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM fact").fetch_one(&readers).await.unwrap();
        assert_eq!(seen, 1);
    }

    #[tokio::test]
    async fn readers_see_what_a_killed_writer_committed() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = private_writer(&dir.path().join("live.db"), 1, TABLES).await.unwrap();
        sqlx::query("INSERT INTO fact VALUES (7)").execute(&mut writer).await.unwrap();
        // What a SIGKILL leaves: the file and its log, without the shared-memory index.
        for end in ["", "-wal"] {
            std::fs::copy(dir.path().join(format!("live.db{end}")), dir.path().join(format!("dead.db{end}"))).unwrap();
        }
        let readers = private_readers(&dir.path().join("dead.db"), 1, 1).await.unwrap();
        let seen: i64 = sqlx::query_scalar("SELECT id FROM fact").fetch_one(&readers).await.unwrap();
        assert_eq!(seen, 7);
    }

    #[tokio::test]
    async fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts.db");
        private_writer(&path, 1, TABLES).await.unwrap();
        private_writer(&path, 1, TABLES).await.unwrap();
        sqlx::raw_sql("PRAGMA user_version = 2").execute(&writer_pool(&path).await.unwrap()).await.unwrap();
        let writer = private_writer(&path, 1, TABLES).await.err();
        let readers = private_readers(&path, 1, 1).await.err();
        for refused in [writer, readers] {
            assert!(matches!(refused, Some(OpenError::NewerFormat { found: 2, known: 1, .. })), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_script_is_done_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = private_writer(&dir.path().join("facts.db"), 1, TABLES).await.unwrap();
        let script = |ids: [i64; 2]| {
            let mut script = Script::begin();
            script.insert("fact (id)", ids.map(|id| [id]), "");
            script.insert("fact (id)", [[1]; 0], "ON CONFLICT DO NOTHING");
            script
        };
        script([1, 2]).commit(&mut db).await.unwrap();
        assert!(script([3, 1]).commit(&mut db).await.is_err());
        script([4, 5]).commit(&mut db).await.unwrap();
        let listed = "SELECT fact.id FROM json_each(?) AS asked CROSS JOIN fact ON fact.id = asked.value";
        let found: Vec<i64> = sqlx::query_scalar(listed).bind(json_list([5, 3, 1])).fetch_all(&mut db).await.unwrap();
        assert_eq!(found, [5, 1], "3 was undone with 1");
    }

    #[tokio::test]
    async fn a_missing_file_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open_readers(&dir.path().join("none.db"), 1).await.is_err());
        assert!(open_writer(&dir.path().join("none").join("none.db")).await.is_err());
    }

    #[test]
    fn chunks_are_few_in_kind_and_lose_nothing() {
        for len in [0, 1, 2, 3, 127, 128, 129, 300, 1000] {
            let rows: Vec<usize> = (0..len).collect();
            let chunks: Vec<&[usize]> = even_chunks(&rows).collect();
            assert!(chunks.iter().all(|chunk| [32, 128].contains(&chunk.len()) || chunk.len() < 32));
            assert_eq!(chunks.concat(), rows);
        }
    }
}
