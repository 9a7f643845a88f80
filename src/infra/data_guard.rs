//! Guards the files that hold money: each is written by one process, and what was written is still under its path.
//!
//! The lock is the kernel's (`flock`) on the database file itself: a lock file beside it can be deleted while the
//! process runs, and a second process then makes itself a new one. SQLite locks with `fcntl`, which `flock` does not
//! meet, so that `rialto audit` reads beside a running node. One thing must never happen: closing a handle of a file
//! drops all `fcntl` locks that the process has on it, SQLite's included (<https://www.sqlite.org/howtocorrupt.html>,
//! 2.2). So no handle that was opened here is ever closed before the process ends; a file that is opened again is found
//! among them.
//!
//! A process whose files were deleted goes on writing to files that nobody can open any more. So the path is compared
//! with the handle, by device and inode, before a commit and again before anybody hears of it. The same holds for the
//! write-ahead log, in which the last commits are: SQLite makes a new one under the path of one that was deleted, so
//! that it is not enough that there is one. As long as a connection is open, SQLite keeps the one that it has; the
//! guard holds such a connection.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

/// Files with merchants' money, keys and metadata are private to the account that runs Rialto.
pub const FILE_MODE: u32 = 0o600;
pub(super) const DIRECTORY_MODE: u32 = 0o700;
const OTHERS: u32 = 0o077;
/// How long to wait for another process that has just locked the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why this process cannot own a file.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{0} is in use by another rialto")]
    InUse(PathBuf),
}

/// The file that was written is not under its path any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("its file was deleted or replaced")]
    File,
    #[error("its write-ahead log was deleted or replaced")]
    WriteAheadLog,
}

/// A file by its device and inode.
type Inode = (u64, u64);

/// Every file that this process has opened; see the module for why none is ever closed.
static OPENED: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

struct Opened {
    inode: Inode,
    file: File,
    /// How many guards it has. The file is locked as long as there is one.
    guards: usize,
}

/// One guarded SQLite file. Clones guard the same one. The default guards nothing: the data are on a server.
#[derive(Debug, Clone, Default)]
pub struct DataGuard(Option<Arc<Guarded>>);

/// The guards of the data directory's files that belong to no shard.
#[derive(Debug, Clone, Default)]
pub struct DataFiles {
    pub event_log: DataGuard,
    /// The guard of the simulator's books.
    pub psp: DataGuard,
}

#[derive(Debug)]
struct Guarded {
    path: PathBuf,
    inode: Inode,
    held: Mutex<Option<Held>>,
    is_lost: AtomicBool,
}

/// The write-ahead log that this process writes, and the connection because of which SQLite keeps it.
#[derive(Debug)]
struct Held {
    /// Beside the file itself, also where the path is a link to it.
    path: PathBuf,
    inode: Inode,
    _connection: Connection,
}

impl DataGuard {
    /// Makes the file this process's own for as long as a guard of it lives, creating it if it is missing. To be called
    /// before SQLite opens the file.
    ///
    /// # Errors
    /// [`GuardError::InUse`] if another process has it.
    pub fn lock(path: &Path) -> Result<Self, GuardError> {
        let failed = |error| GuardError::Io { path: path.to_owned(), error };
        let mut opened = OPENED.lock();
        let there = fs::metadata(path).ok().map(|found| inode(&found));
        let place = match opened.iter().position(|opened| Some(opened.inode) == there) {
            Some(place) => place,
            None => {
                let mut options = OpenOptions::new();
                let file = options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
                let file = file.map_err(failed)?;
                let inode = file.metadata().map(|found| inode(&found)).map_err(failed)?;
                opened.push(Opened { inode, file, guards: 0 });
                opened.len() - 1
            }
        };
        let Opened { inode, file, guards } = &mut opened[place];
        if *guards == 0 {
            file.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => GuardError::InUse(path.to_owned()),
                TryLockError::Error(error) => failed(error),
            })?;
        }
        *guards += 1;
        let inode = *inode;
        drop(opened);
        for path in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
            close_to_others(&path);
        }
        Ok(Self(Some(Arc::new(Guarded {
            path: path.to_owned(),
            inode,
            held: Mutex::default(),
            is_lost: AtomicBool::new(false),
        }))))
    }

    /// From here on the write-ahead log must stay the one that it is. To be called once SQLite has made the file.
    ///
    /// # Errors
    /// If the file cannot be opened, or has no write-ahead log.
    pub fn hold_write_ahead_log(&self) -> Result<(), GuardError> {
        let Some(guarded) = &self.0 else { return Ok(()) };
        let failed =
            |error: rusqlite::Error| GuardError::Io { path: guarded.path.clone(), error: io::Error::other(error) };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&guarded.path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        // Only a connection that has read has the log open.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).map_err(failed)?;
        let path = fs::canonicalize(&guarded.path).map(|path| beside(&path, "-wal"));
        let path = path.map_err(|error| GuardError::Io { path: guarded.path.clone(), error })?;
        let log = fs::metadata(&path).map_err(|error| GuardError::Io { path: path.clone(), error })?;
        *guarded.held.lock() = Some(Held { path, inode: inode(&log), _connection: connection });
        Ok(())
    }

    /// Whether file and write-ahead log are still the ones that are open. Call it before a transaction, before anything
    /// is read, and between a commit and its answer.
    ///
    /// # Errors
    /// [`Lost`] as long as either is not.
    pub fn check(&self) -> Result<(), Lost> {
        let Some(guarded) = &self.0 else { return Ok(()) };
        let checked = guarded.check_file().and_then(|()| guarded.check_write_ahead_log());
        guarded.note(checked);
        checked
    }

    /// Whether the last check found it lost, and it still is. Costs nothing otherwise.
    pub fn is_lost(&self) -> bool {
        self.0.as_ref().is_some_and(|guarded| guarded.is_lost.load(Relaxed)) && self.check().is_err()
    }
}

/// The last guard lets other processes have the file. It is unlocked and not closed.
impl Drop for Guarded {
    fn drop(&mut self) {
        let mut opened = OPENED.lock();
        let Some(opened) = opened.iter_mut().find(|opened| opened.inode == self.inode) else { return };
        opened.guards = opened.guards.saturating_sub(1);
        if opened.guards == 0
            && let Err(error) = opened.file.unlock()
        {
            tracing::warn!(path = %self.path.display(), %error, "file stays locked until the process ends");
        }
    }
}

impl Guarded {
    fn check_file(&self) -> Result<(), Lost> {
        match fs::metadata(&self.path) {
            Ok(found) if inode(&found) == self.inode => Ok(()),
            _ => Err(Lost::File),
        }
    }

    fn check_write_ahead_log(&self) -> Result<(), Lost> {
        let held = self.held.lock();
        let Some(held) = held.as_ref() else { return Ok(()) };
        match fs::metadata(&held.path) {
            Ok(found) if inode(&found) == held.inode => Ok(()),
            _ => Err(Lost::WriteAheadLog),
        }
    }

    /// Logs once that the file is lost, and once that it is back.
    fn note(&self, checked: Result<(), Lost>) {
        let was_lost = self.is_lost.swap(checked.is_err(), Relaxed);
        match checked {
            Err(lost) if !was_lost => {
                tracing::error!(path = %self.path.display(), "data file is lost: {lost}; nothing is written any more");
            }
            Ok(()) if was_lost => tracing::warn!(path = %self.path.display(), "data file is back"),
            _ => {}
        }
    }
}

fn inode(found: &fs::Metadata) -> Inode {
    (found.dev(), found.ino())
}

/// The name of a file that SQLite keeps beside a database.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// An earlier version made its files readable to everybody.
fn close_to_others(path: &Path) {
    let Ok(found) = fs::metadata(path) else { return };
    if found.mode() & OTHERS != 0
        && let Err(error) = fs::set_permissions(path, Permissions::from_mode(FILE_MODE))
    {
        tracing::warn!(path = %path.display(), %error, "others can read or write this file");
    }
}

/// Creates the directory for the files, with those above it, for this account alone. One that is there stays as it is,
/// since it may be somebody else's as well; who can enter it is said.
///
/// # Errors
/// If there is none and none can be made.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let is_new = !path.exists();
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    if !is_new && fs::metadata(path)?.mode() & OTHERS != 0 {
        tracing::info!(path = %path.display(), "others can enter this directory; its files are closed to them");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded() -> (tempfile::TempDir, PathBuf, DataGuard) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts.db");
        let guard = DataGuard::lock(&path).unwrap();
        (dir, path, guard)
    }

    #[test]
    fn deleted_or_replaced_file_is_lost_until_it_is_back() {
        let (_dir, path, guard) = guarded();
        assert_eq!((guard.check(), guard.is_lost()), (Ok(()), false));
        let aside = beside(&path, ".aside");
        fs::rename(&path, &aside).unwrap();
        assert_eq!((guard.check(), guard.is_lost()), (Err(Lost::File), true));
        fs::write(&path, "another").unwrap();
        assert_eq!(guard.check(), Err(Lost::File));
        fs::rename(&aside, &path).unwrap();
        assert_eq!((guard.check(), guard.is_lost()), (Ok(()), false));
    }

    #[test]
    fn last_guard_releases_the_file_to_other_processes() {
        let (_dir, path, guard) = guarded();
        let is_free = || {
            let python = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)";
            std::process::Command::new("python3").args(["-c", python]).arg(&path).output().unwrap().status.success()
        };
        let another = DataGuard::lock(&path).unwrap();
        drop(guard);
        assert!(!is_free());
        drop(another);
        assert!(is_free());
        let again = DataGuard::lock(&path).unwrap();
        assert!(!is_free());
        drop(again);
    }

    #[test]
    fn deleted_or_replaced_wal_is_lost_until_it_is_back() {
        let (_dir, path, guard) = guarded();
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE fact (id INTEGER)").unwrap();
        assert_eq!(guard.check(), Ok(()));
        guard.hold_write_ahead_log().unwrap();
        // The log stays when all other connections are closed, for those that are opened later.
        drop(db);
        assert_eq!(guard.check(), Ok(()));
        let (log, aside) = (beside(&path, "-wal"), beside(&path, "-wal.aside"));
        fs::rename(&log, &aside).unwrap();
        assert_eq!((guard.check(), guard.is_lost()), (Err(Lost::WriteAheadLog), true));
        fs::copy(&aside, &log).unwrap();
        assert_eq!(guard.check(), Err(Lost::WriteAheadLog), "another one with the same bytes");
        fs::remove_file(&log).unwrap();
        rusqlite::Connection::open(&path).unwrap().execute_batch("SELECT count(*) FROM fact").ok();
        assert_eq!(guard.check(), Err(Lost::WriteAheadLog), "whoever opens the file makes a new one");
        fs::rename(&aside, &log).unwrap();
        assert_eq!((guard.check(), guard.is_lost()), (Ok(()), false));
    }

    #[test]
    fn files_and_directories_are_private_to_the_account() {
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let (dir, path, _guard) = guarded();
        assert_eq!(mode(&path), FILE_MODE);
        let deep = dir.path().join("one").join("two");
        create_directory(&deep).unwrap();
        assert_eq!((mode(&deep), mode(&dir.path().join("one"))), (DIRECTORY_MODE, DIRECTORY_MODE));
        let old = deep.join("old.db");
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o644)).unwrap();
        DataGuard::lock(&old).unwrap();
        assert_eq!(mode(&old), FILE_MODE);
    }

    #[test]
    fn sqlite_keeps_its_locks_beside_the_guard() {
        let (_dir, path, guard) = guarded();
        let mut db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE fact (id INTEGER)").unwrap();
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
        // A handle more, as of a second part of the process, which goes while the transaction is open.
        drop(DataGuard::lock(&path).unwrap());
        drop(guard);
        let python = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')";
        let other = std::process::Command::new("python3").args(["-c", python]).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&other.stderr).into_owned();
        assert!(said.contains("locked"), "another process got the lock: {said}");
        transaction.commit().unwrap();
    }
}
