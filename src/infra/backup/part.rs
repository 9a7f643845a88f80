//! The files of a data directory, and how each says what it is.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::domain::ShardId;

/// What a file of the data directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Shard(ShardId),
    Control,
    EventLog,
    PspBooks,
}

impl Part {
    /// Its file's name, in a data directory and in a backup.
    pub fn file_name(self) -> String {
        match self {
            Self::Shard(shard) => format!("shard-{shard}.db"),
            Self::Control => "control.db".to_owned(),
            Self::EventLog => "events.db".to_owned(),
            Self::PspBooks => "psp.db".to_owned(),
        }
    }

    /// What a file of this name is; none for a name that no part has.
    pub fn named(name: &str) -> Option<Self> {
        let part = match name {
            "control.db" => Self::Control,
            "events.db" => Self::EventLog,
            "psp.db" => Self::PspBooks,
            _ => Self::Shard(ShardId(name.strip_prefix("shard-")?.strip_suffix(".db")?.parse().ok()?)),
        };
        // Shards are numbered from 1, and "shard-01.db" is no name of shard 1.
        (part != Self::Shard(ShardId(0)) && part.file_name() == name).then_some(part)
    }

    /// The setting that has it on a server.
    pub fn server_setting(self) -> &'static str {
        match self {
            Self::Shard(_) => "shard.databases",
            Self::Control => "control.database",
            Self::EventLog => "kafka.brokers",
            Self::PspBooks => "psp.url",
        }
    }

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
    pub fn of(part: Part, data_dir: &Path) -> Self {
        Self { part, path: data_dir.join(part.file_name()) }
    }

    /// Its name in the data directory and in a backup.
    pub fn name(&self) -> String {
        self.part.file_name()
    }
}

/// Which shard a database is, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardOf {
    pub shard: u32,
    pub count: u32,
}

impl ShardOf {
    /// What the database says that it is.
    pub(super) fn said_by(db: &Connection) -> rusqlite::Result<Self> {
        db.query_row("SELECT shard, shard_count FROM shard_identity", [], |row| {
            Ok(Self { shard: row.get(0)?, count: row.get(1)? })
        })
    }
}

impl fmt::Display for ShardOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.shard, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_data_directory_has_are_parts() {
        let parts = [Part::Shard(ShardId(1)), Part::Shard(ShardId(12)), Part::Control, Part::EventLog, Part::PspBooks];
        for part in parts {
            assert_eq!(Part::named(&part.file_name()), Some(part));
        }
        let others =
            ["", "shard-0.db", "shard-01.db", "shard-+1.db", "shard-1.db-wal", "shard-x.db", "../psp.db", "lock"];
        for name in others {
            assert_eq!(Part::named(name), None, "{name}");
        }
    }
}
