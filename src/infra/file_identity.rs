//! The identity of a private SQLite file: it has a name of its own, and knows the system that works with it. Kept in a
//! table that earlier versions ignore.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::TransactionBehavior::Immediate;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::sqlite::read_only;
use crate::domain::identity::{FoundCompanion, SystemId};

/// How long to wait for another writer of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file's identity cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
pub struct IdentityError {
    path: PathBuf,
    error: rusqlite::Error,
}

/// What is at the path, where `is_used` asks whether it has rows. Creates nothing.
pub(super) fn look(path: &Path, is_used: &str) -> Result<FoundCompanion, IdentityError> {
    let nothing = FoundCompanion { name: None, system: None, is_used: false, holds_data: false, is_file: true };
    if !path.exists() {
        return Ok(nothing);
    }
    let look = || {
        let db = read_only(path)?;
        // A process that died while it made the file leaves one without tables.
        let format: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if format == 0 {
            return Ok(nothing);
        }
        let is_used = db.query_row(is_used, [], |row| row.get(0))?;
        let has_identity = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'identity')";
        let has_identity: bool = db.query_row(has_identity, [], |row| row.get(0))?;
        if !has_identity {
            return Ok(FoundCompanion { is_used, holds_data: is_used, ..nothing });
        }
        let identity = db.query_row("SELECT name, system FROM identity", [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (name, system): (Option<String>, Option<String>) = identity.optional()?.unwrap_or_default();
        Ok(FoundCompanion { name, system: system.map(SystemId::from_stored), is_used, holds_data: is_used, ..nothing })
    };
    look().map_err(|error| IdentityError { path: path.to_owned(), error })
}

/// Gives an existing file a name unless it has one, and assigns it to this system, whichever it belonged to. Returns
/// the name.
pub(super) fn claim(path: &Path, system: &SystemId) -> Result<String, IdentityError> {
    let claim = || {
        let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        let transaction = db.transaction_with_behavior(Immediate)?;
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS identity (
                one INTEGER PRIMARY KEY CHECK (one = 1),
                name TEXT NOT NULL,
                system TEXT NOT NULL
            ) STRICT",
        )?;
        transaction.execute(
            "INSERT INTO identity (one, name, system) VALUES (1, 'file ' || lower(hex(randomblob(16))), ?) \
             ON CONFLICT DO UPDATE SET system = excluded.system",
            [system.as_str()],
        )?;
        let name = transaction.query_row("SELECT name FROM identity", [], |row| row.get(0))?;
        transaction.commit()?;
        Ok(name)
    };
    claim().map_err(|error| IdentityError { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infra::sqlite::PrivateWriter;

    const TABLES: &str = "CREATE TABLE fact (id INTEGER PRIMARY KEY) STRICT";
    const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM fact)";

    #[test]
    fn file_keeps_its_name_and_changes_its_system_only_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts.db");
        let nothing = FoundCompanion { name: None, system: None, is_used: false, holds_data: false, is_file: true };
        assert_eq!(look(&path, IS_USED).unwrap(), nothing);
        assert!(!path.exists(), "looking creates nothing");
        let mut writer = PrivateWriter::open(&path, 1, TABLES).unwrap();
        let mut write = |id: i64| {
            let insert =
                |transaction: &rusqlite::Transaction<'_>| transaction.execute("INSERT INTO fact VALUES (?)", [id]);
            writer.transaction(insert).unwrap();
        };
        assert_eq!(look(&path, IS_USED).unwrap(), nothing);
        write(1);
        assert_eq!(
            look(&path, IS_USED).unwrap(),
            FoundCompanion { is_used: true, holds_data: true, ..nothing },
            "of a version before"
        );
        let (one, other) = (SystemId::new(0, 1), SystemId::new(0, 2));
        let name = claim(&path, &one).unwrap();
        for system in [&one, &other] {
            assert_eq!(claim(&path, system).unwrap(), name);
            let found = look(&path, IS_USED).unwrap();
            assert_eq!((found.name.as_ref(), found.system.as_ref(), found.is_used), (Some(&name), Some(system), true));
        }
        write(2);
    }

    #[test]
    fn files_have_different_names() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["one.db", "two.db"].map(|file| {
            PrivateWriter::open(&dir.path().join(file), 1, TABLES).unwrap();
            claim(&dir.path().join(file), &SystemId::new(0, 1)).unwrap()
        });
        assert_ne!(names[0], names[1]);
    }
}
