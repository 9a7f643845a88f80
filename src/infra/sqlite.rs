//! How Rialto opens a SQLite file: write-ahead log, every commit on disk before it is answered, one writer.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::TransactionBehavior::Immediate;
use rusqlite::{OpenFlags, Transaction};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sea_orm::sqlx::{self, ConnectOptions};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxSqliteConnector};

use super::data_guard::beside;

/// How long a connection waits for another's lock. Inside a process one writer never waits; this is for a command such
/// as `rialto audit` beside a running `rialto serve`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept per connection: above the number of texts that a shard's writer uses, each in the few sizes
/// of [`even_chunks`].
const STATEMENT_CACHE: usize = 512;
/// How a file is written, whichever library holds the connection.
const WRITER_PRAGMAS: [(&str, &str); 7] = [
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    ("wal_autocheckpoint", CHECKPOINT_PAGES),
    ("journal_size_limit", LOG_SIZE_LIMIT_BYTES),
    ("cache_size", WRITER_CACHE_KIB),
    // Otherwise the undo data of a multi-row statement goes to a temporary file, page by page.
    ("temp_store", "MEMORY"),
];
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
    #[error("{path} cannot be opened to read: {source}")]
    Read { path: PathBuf, source: sqlx::Error },
    #[error("{path} cannot be opened to write: {source}")]
    Write { path: PathBuf, source: rusqlite::Error },
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

/// How a connection that writes the file is made.
pub fn writing(path: &Path) -> SqliteConnectOptions {
    writer_options(path).create_if_missing(false)
}

/// How a connection that only reads the file is made, also where nothing can be written.
pub fn reading(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true).immutable(is_at_rest(path))
}

/// As [`reading`], for this thread alone.
pub(super) fn read_only(path: &Path) -> rusqlite::Result<rusqlite::Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = if is_at_rest(path) {
        rusqlite::Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        rusqlite::Connection::open_with_flags(path, flags)?
    };
    db.busy_timeout(BUSY_TIMEOUT)?;
    Ok(db)
}

/// Whether nobody who works on the file can be there: this process cannot write to its directory, and nothing is beside
/// it. To read a file with a write-ahead log SQLite makes files beside it; one at rest is read without (`immutable`:
/// <https://www.sqlite.org/wal.html>, "Read-Only Databases").
fn is_at_rest(path: &Path) -> bool {
    is_read_only(path) && !beside(path, "-shm").exists() && !has_log(path)
}

/// Whether the file has commits in its write-ahead log that nobody can read here: they are found by an index beside it,
/// which is not there and cannot be made.
pub fn has_unreadable_log(path: &Path) -> bool {
    is_read_only(path) && !beside(path, "-shm").exists() && has_log(path)
}

fn is_read_only(path: &Path) -> bool {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    directory.exists() && rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_err()
}

fn has_log(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// The file's name as an RFC 3986 URI, with what has a meaning there written as its number.
fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

fn connection_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error))
}

async fn writer_pool(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    pool(1).connect_with(writer_options(path)).await
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    let options = options(path).create_if_missing(true);
    WRITER_PRAGMAS.into_iter().fold(options, |options, (pragma, value)| options.pragma(pragma, value))
}

async fn reader_pool(path: &Path, connections: u32) -> Result<SqlitePool, sqlx::Error> {
    pool(connections).connect_with(reading(path)).await
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging()
}

/// Connections to a file in this process do not become stale, so none is tested, aged or reaped: no timer runs behind a
/// query.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// The one connection that writes a private file. After an error it is closed and another one is opened, so that
/// nothing depends on the state that a failed COMMIT or ROLLBACK has left. It blocks its caller: use it on a thread of
/// its own.
#[derive(Debug)]
pub(super) struct PrivateWriter {
    path: PathBuf,
    format: i64,
    /// None after an error.
    db: Option<rusqlite::Connection>,
    /// Whether the file may hold a commit that was reported as failed: a later write takes its place.
    has_to_overwrite: bool,
}

impl PrivateWriter {
    /// Opens the file, creating `tables` in it if it is new, and refuses one of a format above `format`. The format is
    /// SQLite's `user_version`.
    pub(super) fn open(path: &Path, format: i64, tables: &str) -> Result<Self, OpenError> {
        let opened = blocking_writer(path, OpenFlags::SQLITE_OPEN_CREATE);
        let write_error = |source| OpenError::Write { path: path.to_owned(), source };
        let (path, db) = (path.to_owned(), Some(opened.map_err(write_error)?));
        let mut writer = Self { path: path.clone(), format, db, has_to_overwrite: false };
        let prepared = writer.transaction(|transaction| {
            let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if found == 0 {
                transaction.execute_batch(&format!("{tables}; PRAGMA user_version = {format};"))?;
            }
            Ok::<_, rusqlite::Error>(found)
        });
        match prepared.map_err(write_error)? {
            found if found > format => Err(OpenError::NewerFormat { path, found, known: format }),
            _ => Ok(writer),
        }
    }

    /// Does work in one transaction and commits it.
    ///
    /// # Errors
    /// The work's error, or SQLite's: then nothing of it is in the file.
    pub(super) fn transaction<T, E: From<rusqlite::Error>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut db = match self.db.take() {
            // BEGIN would fail on a connection with an open transaction, so it is not tried.
            Some(db) if db.is_autocommit() => db,
            _ => self.reopen()?,
        };
        let transaction = db.transaction_with_behavior(Immediate)?;
        let done = work(&transaction)?;
        if let Err(error) = transaction.commit() {
            self.has_to_overwrite = is_io_error(&error);
            return Err(error.into());
        }
        self.db = Some(db);
        Ok(done)
    }

    /// Never makes a new file: if the old one is gone, its content is gone too.
    fn reopen(&mut self) -> rusqlite::Result<rusqlite::Connection> {
        let db = blocking_writer(&self.path, OpenFlags::empty())?;
        if self.has_to_overwrite {
            db.execute_batch(&format!("PRAGMA user_version = {}", self.format))?;
            self.has_to_overwrite = false;
        }
        Ok(db)
    }
}

fn is_io_error(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
}

/// As [`writer_options`].
fn blocking_writer(path: &Path, and: OpenFlags) -> rusqlite::Result<rusqlite::Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | and;
    let db = rusqlite::Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    for (pragma, value) in WRITER_PRAGMAS {
        db.execute_batch(&format!("PRAGMA {pragma} = {value}"))?;
    }
    Ok(db)
}

/// Opens an existing private file for reading; refuses one of a format above `known`.
pub(super) async fn private_readers(path: &Path, known: i64, connections: u32) -> Result<SqlitePool, OpenError> {
    let sqlite = |source| OpenError::Read { path: path.to_owned(), source };
    let pool = reader_pool(path, connections).await.map_err(sqlite)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await.map_err(sqlite)?;
    if found > known {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found, known });
    }
    Ok(pool)
}

/// Divides `rows` into few pieces of few sizes: see [`even_sizes`].
pub(super) fn even_chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    even_sizes(rows.len()).map(move |size| {
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        piece
    })
}

/// Divides a number of rows into 128s, then 32s, then the rest. Multi-row statements then have 33 texts and stay
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
    async fn writers_are_durable_and_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts.db");
        let writer = writer_pool(&path).await.unwrap();
        let blocking = blocking_writer(&path, OpenFlags::empty()).unwrap();
        for (pragma, value) in [
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("busy_timeout", "5000"),
            ("wal_autocheckpoint", CHECKPOINT_PAGES),
            ("journal_size_limit", LOG_SIZE_LIMIT_BYTES),
            ("cache_size", WRITER_CACHE_KIB),
            ("temp_store", "2"),
        ] {
            let ask = format!("PRAGMA {pragma}");
            let found: i64 = sqlx::query_scalar(&ask).fetch_one(&writer).await.unwrap();
            let blocking: i64 = blocking.query_row(&ask, [], |row| row.get(0)).unwrap();
            assert_eq!((found.to_string(), blocking.to_string()), (value.to_owned(), value.to_owned()), "{pragma}");
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
        let mut writer = PrivateWriter::open(&dir.path().join("live.db"), 1, TABLES).unwrap();
        writer.transaction(|transaction| transaction.execute("INSERT INTO fact VALUES (7)", [])).unwrap();
        // The state after a SIGKILL: the file and its log, without the shared-memory index.
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
        PrivateWriter::open(&path, 1, TABLES).unwrap();
        PrivateWriter::open(&path, 1, TABLES).unwrap();
        blocking_writer(&path, OpenFlags::empty()).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
        let writer = PrivateWriter::open(&path, 1, TABLES).err();
        let readers = private_readers(&path, 1, 1).await.err();
        for refused in [writer, readers] {
            assert!(matches!(refused, Some(OpenError::NewerFormat { found: 2, known: 1, .. })), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_missing_file_cannot_be_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open_readers(&dir.path().join("none.db"), 1).await.is_err());
        assert!(open_writer(&dir.path().join("none").join("none.db")).await.is_err());
    }

    #[test]
    fn uri_names_the_file_whatever_it_is_called() {
        assert_eq!(immutable_uri(Path::new("/a b/50%?#1.db")), "file:/a%20b/50%25%3F%231.db?immutable=1");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("50%?#1 ä.db");
        PrivateWriter::open(&path, 1, TABLES).unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let db = rusqlite::Connection::open_with_flags(immutable_uri(&path), flags).unwrap();
        assert_eq!(db.query_row("SELECT count(*) FROM fact", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    }

    #[test]
    fn chunks_have_few_sizes_and_lose_no_row() {
        for len in [0, 1, 2, 3, 127, 128, 129, 300, 1000] {
            let rows: Vec<usize> = (0..len).collect();
            let chunks: Vec<&[usize]> = even_chunks(&rows).collect();
            assert!(chunks.iter().all(|chunk| [32, 128].contains(&chunk.len()) || chunk.len() < 32));
            assert_eq!(chunks.concat(), rows);
        }
    }
}
