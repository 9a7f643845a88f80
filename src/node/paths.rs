//! Where the embedded default keeps what in its data directory.

use std::path::{Path, PathBuf};

use crate::domain::ShardId;

/// A shard.
pub fn shard_path(data_dir: &Path, shard: ShardId) -> PathBuf {
    data_dir.join(format!("shard-{shard}.db"))
}

/// The event log.
pub fn event_log_path(data_dir: &Path) -> PathBuf {
    data_dir.join("events.db")
}

/// The PSP simulator's books.
pub fn psp_books_path(data_dir: &Path) -> PathBuf {
    data_dir.join("psp.db")
}
