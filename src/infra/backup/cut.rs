//! The cut: all files at one instant, while whoever writes them goes on.
//!
//! Every file's write lock is taken, one after the other. Once all of them are held nobody can commit anywhere; a read
//! transaction is begun on each file, and the locks are given back. What those transactions see is therefore what one
//! instant had committed. Writers wait meanwhile as they do for each other; nothing fails if that is short.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{BackupError, backup_io, backup_sqlite};
use super::holder::LockHolder;

/// How long writers may wait for one try. A write is given up after 4 s.
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// How long to try.
const WITHIN: Duration = Duration::from_secs(30);
/// How long to try if whoever has a lock is stopped: it goes on no sooner for being waited for.
const STOPPED_WITHIN: Duration = Duration::from_secs(2);
/// Between two tries, so that writers get on with what has waited.
const BREATH: Duration = Duration::from_millis(250);
/// How often a lock that a writer has is asked for: a writer may have its next transaction a moment after the last.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// How long to wait for another process that just opens or recovers the file.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// A read, without which SQLite has opened nothing.
const LOOK: &str = "SELECT count(*) FROM sqlite_master";

/// A file as it was at the cut, for as long as this lives.
#[derive(Debug)]
pub struct FileAtCut {
    pub path: PathBuf,
    /// In a read transaction.
    pub reader: Connection,
}

/// All files at one instant.
#[derive(Debug)]
pub struct Cut {
    pub files: Vec<FileAtCut>,
    /// From the first lock to the last one's end: no writer waited for longer because of it.
    pub pause: Duration,
}

#[derive(Debug)]
pub(super) struct Opened {
    path: PathBuf,
    writer: Connection,
    reader: Connection,
}

/// Takes the cut through these files.
///
/// # Errors
/// [`BackupError::Busy`] if writers leave no gap, [`BackupError::Stopped`] if one was stopped in the middle of a
/// transaction; [`BackupError::Sqlite`] for a file that cannot be opened to write.
pub fn cut(paths: &[PathBuf]) -> Result<Cut, BackupError> {
    let opened: Vec<Opened> = paths.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
    let begun = Instant::now();
    loop {
        match try_cut(&opened)? {
            Ok(pause) => {
                let files = opened.into_iter().map(|Opened { path, reader, .. }| FileAtCut { path, reader }).collect();
                return Ok(Cut { files, pause });
            }
            Err(busy) => {
                let holder = LockHolder::of(busy);
                match holder {
                    Some(LockHolder { process, is_stopped: true }) if begun.elapsed() > STOPPED_WITHIN => {
                        return Err(BackupError::Stopped { path: busy.to_owned(), process });
                    }
                    _ if begun.elapsed() > WITHIN => {
                        return Err(BackupError::Busy { path: busy.to_owned(), within: WITHIN, holder });
                    }
                    _ => sleep(BREATH),
                }
            }
        }
    }
}

pub(super) fn open(path: &Path) -> Result<Opened, BackupError> {
    // SQLite would wait for what a FIFO brings. A link is followed: a file may be on another disk.
    if !fs::metadata(path).map_err(backup_io(path))?.is_file() {
        return Err(BackupError::NotRegular(path.to_owned()));
    }
    let connect = |access| {
        let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(OPEN_TIMEOUT)?;
        connection.query_row(LOOK, [], |_| Ok(()))?;
        Ok(connection)
    };
    let writer = connect(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(backup_sqlite(path))?;
    // Who waits for the lock is seen to here.
    writer.busy_timeout(Duration::ZERO).map_err(backup_sqlite(path))?;
    let reader = connect(OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(backup_sqlite(path))?;
    Ok(Opened { path: path.to_owned(), writer, reader })
}

/// How long the writers waited; or the file whose lock was not to be had in time, with all locks given back.
pub(super) fn try_cut(files: &[Opened]) -> Result<Result<Duration, &Path>, BackupError> {
    let mut first = None;
    let locked = lock_all(files, &mut first);
    // While all are locked: from the first of these on to the last nobody commits.
    let begun = match locked {
        Ok(None) => files.iter().try_for_each(begin_reading),
        Ok(Some(_)) | Err(_) => Ok(()),
    };
    let unlocked = files.iter().filter(|file| !file.writer.is_autocommit()).try_for_each(|file| {
        let rolled_back = file.writer.execute_batch("ROLLBACK");
        rolled_back.map_err(backup_sqlite(&file.path))
    });
    let pause = first.map_or(Duration::ZERO, |first: Instant| first.elapsed());
    match locked? {
        Some(busy) => unlocked.map(|()| Err(busy)),
        None => begun.and(unlocked).map(|()| Ok(pause)),
    }
}

/// Locks one after the other; the first that could not be had in time. `first` is when the first one was had: from then
/// on somebody may be waiting.
fn lock_all<'a>(files: &'a [Opened], first: &mut Option<Instant>) -> Result<Option<&'a Path>, BackupError> {
    let begun = Instant::now();
    for file in files {
        loop {
            match file.writer.execute_batch("BEGIN IMMEDIATE") {
                Ok(()) => break,
                Err(error) if is_busy(&error) && first.unwrap_or(begun).elapsed() < PAUSE_MAX => sleep(LOOK_EVERY),
                Err(error) if is_busy(&error) => return Ok(Some(&file.path)),
                Err(error) => return Err(backup_sqlite(&file.path)(error)),
            }
        }
        first.get_or_insert_with(Instant::now);
    }
    Ok(None)
}

fn begin_reading(file: &Opened) -> Result<(), BackupError> {
    let begin = || {
        file.reader.execute_batch("BEGIN")?;
        file.reader.query_row(LOOK, [], |_| Ok(()))
    };
    begin().map_err(backup_sqlite(&file.path))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}
