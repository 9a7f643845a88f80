//! Who holds the write lock of a SQLite file, as the kernel tells it.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{major, minor};

use crate::infra::data_guard::beside;

/// The byte of the write-ahead log's index that a writer locks: WAL_WRITE_LOCK of
/// <https://www.sqlite.org/walformat.html>, section 2.3.
const WRITE_LOCK: u64 = 120;

/// A process in the middle of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockHolder {
    pub process: u32,
    /// By a signal (SIGSTOP), or by a debugger.
    pub is_stopped: bool,
}

impl LockHolder {
    /// Who holds it at this moment; none if nobody does, or the kernel does not tell it here. No file is opened for
    /// it: closing one would drop SQLite's own locks.
    pub fn of(database: &Path) -> Option<Self> {
        let index = fs::canonicalize(database).and_then(|path| fs::metadata(beside(&path, "-shm"))).ok()?;
        let inode = format!("{:02x}:{:02x}:{}", major(index.dev()), minor(index.dev()), index.ino());
        let process = writer(&fs::read_to_string("/proc/locks").ok()?, &inode)?;
        Some(Self { process, is_stopped: is_stopped(process) })
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.process)
    }
}

/// The process that has the byte of the file, in the lines of proc_locks(5), such as
/// `13: POSIX  ADVISORY  WRITE 4711 fe:00:10002574 120 120`. Who waits for a lock has an arrow before.
fn writer(locks: &str, inode: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "POSIX", _, "WRITE", process, found, first, last] = words[..] else { return None };
        let last = if last == "EOF" { u64::MAX } else { last.parse().ok()? };
        let is_it = found == inode && (first.parse::<u64>().ok()?..=last).contains(&WRITE_LOCK);
        is_it.then(|| process.parse().ok()).flatten()
    })
}

/// The state is behind the process's name, which is in brackets and may have any characters: proc_pid_stat(5).
fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    matches!(state, Some("T" | "t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writer_is_the_one_that_has_the_byte_of_this_file() {
        let locks = "1: POSIX  ADVISORY  READ 11 fe:00:77 128 128\n\
                     2: POSIX  ADVISORY  WRITE 12 fe:00:78 120 120\n\
                     3: -> POSIX  ADVISORY  WRITE 13 fe:00:77 120 120\n\
                     4: FLOCK  ADVISORY  WRITE 14 fe:00:77 0 EOF\n\
                     5: POSIX  ADVISORY  WRITE 15 fe:00:77 121 127\n";
        assert_eq!(writer(locks, "fe:00:77"), None);
        assert_eq!(writer(locks, "fe:00:78"), Some(12));
        assert_eq!(writer(&format!("{locks}6: POSIX  ADVISORY  WRITE 16 fe:00:77 0 EOF\n"), "fe:00:77"), Some(16));
    }
}
