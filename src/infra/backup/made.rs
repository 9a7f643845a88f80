//! What a backup or a restore has made so far. If it comes to nothing, that is deleted by name, and nothing else:
//! somebody may have put a file beside it in the meantime.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use parking_lot::Mutex;

use super::files::is_there;
use crate::infra::data_guard::{DIRECTORY_MODE, FILE_MODE, beside};

/// What SQLite makes beside a database while it works on it.
pub const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];
/// How often a directory is tried to be deleted into which another thread may still be writing, and how long between.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(10);

/// See the file's header. Clones are of the same work.
#[derive(Debug, Clone, Default)]
pub struct Made(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// In the order in which they were made.
    paths: Vec<Item>,
    is_kept: bool,
}

#[derive(Debug)]
enum Item {
    Directory(PathBuf),
    File(PathBuf),
}

/// What has become of it at an end before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// Nothing had been made, or it is deleted.
    Deleted,
    /// It was finished already, and stays.
    Kept,
    /// This could not be deleted.
    Left(PathBuf),
}

impl Made {
    /// Makes a directory that is private to this account, and those above it that are missing. Whether it was made: one
    /// that was there stays as it is.
    pub(super) fn directory(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.0.lock();
        let mut missing = Vec::new();
        for path in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
            // A link that leads nowhere is made no directory of.
            if is_there(path)? {
                break;
            }
            missing.push(path);
        }
        let mut is_made = false;
        for path in missing.into_iter().rev() {
            is_made = match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
                Ok(()) => true,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
                Err(error) => return Err(error),
            };
            if is_made {
                state.paths.push(Item::Directory(path.to_owned()));
            }
        }
        Ok(is_made)
    }

    /// Makes a new file that is private to this account.
    pub(super) fn file(&self, path: &Path) -> io::Result<File> {
        let mut state = self.0.lock();
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        state.paths.push(Item::File(path.to_owned()));
        Ok(file)
    }

    /// As [`file`](Self::file), for a database in a directory that this process has made: what SQLite makes beside it
    /// is made, too.
    pub(super) fn database(&self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        let beside = BESIDE.map(|end| Item::File(beside(path, end)));
        self.0.lock().paths.extend(beside);
        Ok(())
    }

    /// Ends the work by this step, unless it is ended before its time first. Then all that was made stays.
    pub(super) fn keep(&self, last_step: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.0.lock();
        last_step()?;
        state.paths.clear();
        state.is_kept = true;
        Ok(())
    }

    /// Deletes what was made. What cannot be deleted is known as unfinished: it has no manifest, or a marker.
    pub(super) fn undo(&self) {
        self.0.lock().undo();
    }

    /// As `undo`, from another thread than the one that works: that one makes nothing more, and waits for ever at its
    /// next step. For a process that ends now.
    pub fn end(&self) -> Undone {
        let mut state = self.0.lock();
        let undone = state.undo();
        std::mem::forget(state);
        undone
    }
}

impl State {
    fn undo(&mut self) -> Undone {
        if self.is_kept {
            return Undone::Kept;
        }
        let mut left = None;
        for _ in 0..TRIES {
            left = None;
            for item in self.paths.iter().rev() {
                if !item.delete() {
                    left = Some(item.path());
                }
            }
            if left.is_none() {
                break;
            }
            sleep(BETWEEN);
        }
        let undone = left.map_or(Undone::Deleted, |path| Undone::Left(path.to_owned()));
        self.paths.clear();
        undone
    }
}

impl Item {
    fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::File(path) => path,
        }
    }

    /// Deletes it; whether it is gone. A directory stays if there is something in it.
    fn delete(&self) -> bool {
        let deleted = match self {
            Self::Directory(path) => fs::remove_dir(path),
            Self::File(path) => fs::remove_file(path),
        };
        deleted.is_ok() || deleted.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }
}
