//! The files of a data directory, and how each says what it is.

use std::path::PathBuf;

use crate::domain::ShardId;

/// What a file of the data directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Shard(ShardId),
    Control,
    EventLog,
    PspBooks,
}

impl Part {
    /// Whether a data directory may be without it: it is made anew, and what is lost with it is no money.
    pub fn is_optional(self) -> bool {
        self == Self::Control
    }

    /// Asks for the last migration or the format that the file has, as a text.
    pub(super) fn schema_query(self) -> &'static str {
        match self {
            Self::Shard(_) | Self::Control => "SELECT max(version) FROM seaql_migrations",
            Self::EventLog | Self::PspBooks => "SELECT 'format ' || user_version FROM pragma_user_version",
        }
    }

    /// Asks for the system that the file says it is of.
    pub(super) fn system_query(self) -> &'static str {
        match self {
            Self::Shard(_) => "SELECT system_id FROM shard_identity",
            Self::Control => "SELECT system_id FROM control_identity",
            Self::EventLog | Self::PspBooks => "SELECT system FROM identity",
        }
    }
}

/// One file of the data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    pub part: Part,
    pub path: PathBuf,
}

impl DataFile {
    /// Its name in the data directory and in a backup.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
