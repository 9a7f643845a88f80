//! Connections to a shard's database. One on which something went wrong is closed and never used again, so that no
//! later batch stands on what an earlier one has left behind.
//!
//! The pool is our own because the state after an error is what matters here: sqlx's pool keeps a count of open
//! transactions that a ROLLBACK which fails leaves wrong, and it pings a connection that is returned for as long as the
//! network hopes, which keeps the connection's place. Here nothing is counted and nothing is pinged. A transaction that
//! is dropped without its end takes the connection with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions, Executor, Row};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_binder::SqlxValues;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::infra::data_guard::{DataGuard, Lost};
use crate::infra::telemetry::pools::PoolUse;

/// How long a batch, its COMMIT, or a query may take. A network that is gone answers nothing at all.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
/// How long to wait for a place in the pool, and then for the server to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long BEGIN may take on a connection to a server that has rested in the pool. A peer that vanished without a word
/// is given up after this, and another connection is made.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What a statement may be long (`max_allowed_packet`), as the server said to the connection that was made last. Clones
/// share it.
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

    pub fn set(&self, bytes: i64) {
        self.0.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
    }
}

/// What is connected to, and how.
#[derive(Debug)]
pub enum Target {
    Sqlite(Box<SqliteConnectOptions>),
    MariaDb {
        options: Box<MySqlConnectOptions>,
        /// Statements with which each connection begins.
        session: &'static [&'static str],
        /// Told by each connection when it is made.
        packet_max: PacketMax,
    },
}

#[derive(Debug)]
enum Raw {
    Sqlite(SqliteConnection),
    MySql(Box<MySqlConnection>),
}

/// What is known of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is under way on it.
    Sound,
    /// The database has answered a statement with an error. Only a ROLLBACK that succeeds makes it sound again.
    Refused,
    /// A statement is under way, or was when it was given up, or the connection broke.
    Lost,
}

#[derive(Debug)]
struct Connection {
    raw: Raw,
    state: State,
    is_in_transaction: bool,
    /// Whether it has rested in the pool since it was made.
    has_rested: bool,
}

/// Up to so many connections to one database, each made when it is first needed.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    target: Target,
    /// Of the file, where it is one.
    guard: DataGuard,
    max: u32,
    places: Arc<Semaphore>,
    /// The one that rested least is used first: its statements are prepared, and the others may end by themselves.
    idle: Mutex<Vec<Connection>>,
}

/// A connection that is in use, and its place.
#[derive(Debug)]
struct Lease {
    /// None once it is closed.
    connection: Option<Connection>,
    shared: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.state == State::Sound && !connection.is_in_transaction {
            connection.has_rested = true;
            self.shared.idle.lock().push(connection);
        }
    }
}

impl Pool {
    /// `max` is 1 at least.
    pub fn new(target: Target, max: u32) -> Self {
        Self::guarded(target, max, DataGuard::default())
    }

    /// As [`new`](Self::new), to a file that is used only as long as it is still under its path.
    pub fn guarded(target: Target, max: u32, guard: DataGuard) -> Self {
        let places = Arc::new(Semaphore::new(max.max(1) as usize));
        Self(Arc::new(Shared { target, guard, max: max.max(1), places, idle: Mutex::default() }))
    }

    /// The engine, as OpenTelemetry names it.
    pub fn system(&self) -> &'static str {
        match self.0.target {
            Target::Sqlite(_) => "sqlite",
            Target::MariaDb { .. } => "mariadb",
        }
    }

    /// How many connections there are.
    pub fn in_use(&self) -> PoolUse {
        let free = u32::try_from(self.0.places.available_permits()).unwrap_or(u32::MAX);
        let idle = u32::try_from(self.0.idle.lock().len()).unwrap_or(u32::MAX);
        PoolUse { idle, used: self.0.max.saturating_sub(free), max: self.0.max }
    }

    /// Begins a transaction that writes. On SQLite it has the file's write lock from here on; a connection on which one
    /// is still open would refuse this, so that none is used twice.
    ///
    /// # Errors
    /// When no connection can be had or none answers in time.
    pub async fn begin(&self) -> Result<Transaction, DbErr> {
        self.open("BEGIN IMMEDIATE", ANSWER_TIMEOUT).await
    }

    /// Begins a transaction that only reads, each statement of which may take up to `limit`.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_reading(&self, limit: Duration) -> Result<Transaction, DbErr> {
        self.open("BEGIN", limit).await
    }

    async fn open(&self, on_sqlite: &'static str, limit: Duration) -> Result<Transaction, DbErr> {
        let (begin, begin_limit) = match self.0.target {
            Target::Sqlite(_) => (on_sqlite, limit),
            Target::MariaDb { .. } => ("BEGIN", BEGIN_TIMEOUT),
        };
        loop {
            let mut lease = self.lease().await?;
            let connection = lease.connection()?;
            let has_rested = connection.has_rested;
            let begin_limit = if has_rested { begin_limit } else { limit };
            match connection.command(begin, begin_limit).await {
                Ok(()) => {
                    connection.is_in_transaction = true;
                    let backend = self.backend();
                    return Ok(Transaction { backend, lease: tokio::sync::Mutex::new(lease), limit });
                }
                // It ended while it rested: nothing has been said on it yet, so another one may be asked.
                Err(error) if has_rested && is_loss(&error) => {}
                Err(error) => return Err(DbErr::Exec(RuntimeErr::SqlxError(error))),
            }
        }
    }

    /// One statement on a connection of its own, and once more if the connection ended while it rested. For statements
    /// that only read.
    async fn ask(&self, ask: Ask<'_>) -> Result<Answer, sqlx::Error> {
        loop {
            let mut lease = self.lease().await.map_err(io_error)?;
            let connection = lease.connection().map_err(io_error)?;
            let has_rested = connection.has_rested;
            match connection.run(ask.clone(), ANSWER_TIMEOUT).await {
                Err(error) if has_rested && is_loss(&error) && !is_late(&error) => {}
                Err(error) => {
                    // A statement that was refused outside a transaction leaves nothing behind.
                    if connection.state == State::Refused {
                        connection.state = State::Sound;
                    }
                    return Err(error);
                }
                answer => return answer,
            }
        }
    }

    fn backend(&self) -> DbBackend {
        match self.0.target {
            Target::Sqlite(_) => DbBackend::Sqlite,
            Target::MariaDb { .. } => DbBackend::MySql,
        }
    }

    /// Makes up to so many connections now, as far as they are not there and the database is. One that is made when a
    /// caller needs it may find that the process has no open file left. Waits for nobody who uses one.
    pub async fn fill(&self, connections: u32) {
        let mut leases = Vec::new();
        while leases.len() < connections as usize
            && let Ok(place) = self.0.places.clone().try_acquire_owned()
        {
            match self.lease_of(place).await {
                Ok(lease) => leases.push(lease),
                Err(error) => return tracing::debug!(%error, "a connection is made when it is needed"),
            }
        }
    }

    async fn lease(&self) -> Result<Lease, DbErr> {
        let place = timeout(CONNECT_TIMEOUT, self.0.places.clone().acquire_owned()).await;
        // invariant: nobody closes the semaphore.
        let place =
            place.ok().and_then(Result::ok).ok_or_else(|| unreachable_database("all connections are in use"))?;
        self.lease_of(place).await
    }

    async fn lease_of(&self, place: OwnedSemaphorePermit) -> Result<Lease, DbErr> {
        self.0.guard.check().map_err(lost)?;
        let rested = self.0.idle.lock().pop();
        let connection = match rested {
            Some(connection) => connection,
            None => {
                let connected = timeout(CONNECT_TIMEOUT, self.0.target.connect()).await;
                let connected = connected.map_err(|_| unreachable_database("no connection in time"))?;
                connected.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error)))?
            }
        };
        Ok(Lease { connection: Some(connection), shared: self.0.clone(), _place: place })
    }
}

/// What is read from a file that is gone, or written there, is nowhere when the process ends.
pub(in crate::infra) fn lost(lost: Lost) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(lost.to_string()))
}

fn unreachable_database(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("{why} ({CONNECT_TIMEOUT:?})")))
}

/// Whether the connection is gone, as opposed to an answer of the database that it will not do something.
fn is_loss(error: &sqlx::Error) -> bool {
    error.as_database_error().is_none_or(|error| {
        let mariadb = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
        // Killed, the server shuts down, closed for having rested too long.
        mariadb.is_some_and(|error| matches!(error.number(), 1927 | 1053 | 4031))
    })
}

fn io_error(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(why))
}

fn late() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"))
}

fn is_late(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

impl Target {
    async fn connect(&self) -> Result<Connection, sqlx::Error> {
        let raw = match self {
            Self::Sqlite(options) => Raw::Sqlite(options.connect().await?),
            Self::MariaDb { options, session, packet_max } => {
                let mut connection = options.connect().await?;
                let row = connection.fetch_one("SELECT CAST(@@max_allowed_packet AS SIGNED)").await?;
                packet_max.set(row.try_get(0)?);
                for statement in *session {
                    connection.execute(*statement).await?;
                }
                Raw::MySql(Box::new(connection))
            }
        };
        Ok(Connection { raw, state: State::Sound, is_in_transaction: false, has_rested: false })
    }
}

/// What a connection is asked.
#[derive(Debug, Clone)]
enum Ask<'a> {
    Execute(Statement),
    /// One statement or several, without values.
    Unprepared(&'a str),
    One(Statement),
    All(Statement),
}

/// What it answers.
enum Answer {
    Done(ExecResult),
    Row(Option<QueryResult>),
    Rows(Vec<QueryResult>),
}

impl Connection {
    /// Asks one thing, and keeps what is then known of the connection also when the call is given up.
    async fn run(&mut self, ask: Ask<'_>, limit: Duration) -> Result<Answer, sqlx::Error> {
        if self.state == State::Lost {
            return Err(io_error("the connection was given up"));
        }
        self.state = State::Lost;
        let answer = timeout(limit, self.raw.ask(ask)).await.unwrap_or_else(|_| Err(late()));
        match &answer {
            Ok(_) => self.state = State::Sound,
            Err(error) if !is_loss(error) => self.state = State::Refused,
            Err(_) => {}
        }
        answer
    }

    /// BEGIN, COMMIT or ROLLBACK.
    async fn command(&mut self, sql: &'static str, limit: Duration) -> Result<(), sqlx::Error> {
        let ask = match self.raw {
            // Prepared once.
            Raw::Sqlite(_) => Ask::Execute(Statement::from_string(DbBackend::Sqlite, sql)),
            Raw::MySql(_) => Ask::Unprepared(sql),
        };
        self.run(ask, limit).await.map(drop)
    }
}

macro_rules! ask_of {
    ($connection:expr, $ask:expr) => {
        Ok(match $ask {
            Ask::Execute(Statement { sql, values, .. }) => {
                Answer::Done(sqlx::query_with(&sql, bound(values)).execute($connection).await?.into())
            }
            Ask::Unprepared(sql) => Answer::Done($connection.execute(sql).await?.into()),
            Ask::One(Statement { sql, values, .. }) => {
                let row = sqlx::query_with(&sql, bound(values)).fetch_optional($connection).await?;
                Answer::Row(row.map(QueryResult::from))
            }
            Ask::All(Statement { sql, values, .. }) => {
                let rows = sqlx::query_with(&sql, bound(values)).fetch_all($connection).await?;
                Answer::Rows(rows.into_iter().map(QueryResult::from).collect())
            }
        })
    };
}

impl Raw {
    async fn ask(&mut self, ask: Ask<'_>) -> Result<Answer, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => ask_of!(&mut *connection, ask),
            Self::MySql(connection) => ask_of!(&mut **connection, ask),
        }
    }
}

fn bound(values: Option<Values>) -> SqlxValues {
    SqlxValues(values.unwrap_or_else(|| Values(Vec::new())))
}

impl Lease {
    fn connection(&mut self) -> Result<&mut Connection, DbErr> {
        self.connection.as_mut().ok_or_else(|| unreachable_database("the connection is closed"))
    }
}

/// A transaction. Dropped without its end, it is undone, and its connection is closed.
#[derive(Debug)]
pub struct Transaction {
    backend: DbBackend,
    lease: tokio::sync::Mutex<Lease>,
    /// How long one statement may take.
    limit: Duration,
}

impl Transaction {
    /// Commits. What is sent is a COMMIT and never the RELEASE of a savepoint, so a database that says yes has nothing
    /// open any more.
    ///
    /// # Errors
    /// Whatever the error, the connection is closed before this returns; whether the transaction is in the tables is
    /// not known.
    pub async fn commit(self) -> Result<(), DbErr> {
        let mut lease = self.lease.into_inner();
        let connection = lease.connection()?;
        match connection.command("COMMIT", self.limit).await {
            Ok(()) => {
                connection.is_in_transaction = false;
                Ok(())
            }
            Err(error) => {
                lease.connection = None;
                Err(DbErr::Exec(RuntimeErr::SqlxError(error)))
            }
        }
    }

    /// Undoes everything. Its connection is kept only if the database says that it has done so.
    pub async fn rollback(self) {
        let mut lease = self.lease.into_inner();
        let Ok(connection) = lease.connection() else { return };
        match connection.command("ROLLBACK", self.limit).await {
            Ok(()) => connection.is_in_transaction = false,
            Err(error) => tracing::warn!(%error, "rollback failed; the connection is closed"),
        }
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Answer, sqlx::Error> {
        let mut lease = self.lease.lock().await;
        let connection = lease.connection().map_err(io_error)?;
        connection.run(ask, self.limit).await
    }

    fn backend(&self) -> DbBackend {
        self.backend
    }
}

/// The same for both: each statement is asked, and answered in time or not at all.
macro_rules! connection_trait {
    ($asked:ty) => {
        #[async_trait]
        impl ConnectionTrait for $asked {
            fn get_database_backend(&self) -> DbBackend {
                self.backend()
            }

            async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                done(self.ask(Ask::Execute(statement)).await)
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                done(self.ask(Ask::Unprepared(sql)).await)
            }

            async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                match self.ask(Ask::One(statement)).await.map_err(query_error)? {
                    Answer::Row(row) => Ok(row),
                    Answer::Rows(_) | Answer::Done(_) => Err(query_error(io_error("another answer than asked for"))),
                }
            }

            async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                match self.ask(Ask::All(statement)).await.map_err(query_error)? {
                    Answer::Rows(rows) => Ok(rows),
                    Answer::Row(_) | Answer::Done(_) => Err(query_error(io_error("another answer than asked for"))),
                }
            }
        }
    };
}

connection_trait!(Pool);
connection_trait!(Transaction);

fn done(answer: Result<Answer, sqlx::Error>) -> Result<ExecResult, DbErr> {
    let exec_error = |error| DbErr::Exec(RuntimeErr::SqlxError(error));
    match answer.map_err(exec_error)? {
        Answer::Done(result) => Ok(result),
        Answer::Row(_) | Answer::Rows(_) => Err(exec_error(io_error("another answer than asked for"))),
    }
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error))
}
