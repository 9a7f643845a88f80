//! Copies one file at the cut into one that stands alone, and says what it is.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::cut::FileAtCut;
use super::error::{BackupError, backup_io, backup_sqlite};
use super::files::{CopyError, digest};
use super::made::Made;
use super::manifest::SavedFile;
use super::part::{DataFile, Part, ShardOf};

/// Pages copied at once, 8 MiB.
const PAGES: i32 = 2_048;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Where copies are put, and what shards are expected.
#[derive(Debug)]
pub struct Place<'a> {
    pub directory: &'a Path,
    pub made: &'a Made,
    /// How many shards the configuration has.
    pub shard_count: u32,
}

/// Copies the file, durably, and gives its place in the manifest with the system that it says it is of.
pub fn save(file: FileAtCut, data: &DataFile, to: &Place<'_>) -> Result<(SavedFile, String), BackupError> {
    let copy = to.directory.join(data.name());
    to.made.database(&copy).map_err(backup_io(&copy))?;
    copy_pages(&file, &copy)?;
    // The file's log may be cut back from here on.
    drop(file);
    let (schema, system) = stand_alone(&copy, data, to.shard_count)?;
    let (bytes, sha256) = synced_digest(&copy).map_err(backup_io(&copy))?;
    Ok((SavedFile { name: data.name(), bytes, sha256, schema }, system))
}

fn copy_pages(file: &FileAtCut, copy: &Path) -> Result<(), BackupError> {
    let mut to = connect(copy)?;
    // Nobody has the copy until it is whole, and it is synced then.
    to.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(backup_sqlite(copy))?;
    let backup = Backup::new(&file.reader, &mut to).map_err(backup_sqlite(copy))?;
    loop {
        // What fails is most often the disk of the copy.
        match backup.step(PAGES).map_err(backup_sqlite(copy))? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => std::thread::sleep(BUSY_PAUSE),
        }
    }
}

/// Makes it a file without a write-ahead log, so that reading it creates nothing beside it; checks that its pages fit
/// together, and that a shard is the one that it should be; reads its schema and system.
fn stand_alone(copy: &Path, data: &DataFile, shard_count: u32) -> Result<(String, String), BackupError> {
    let db = connect(copy)?;
    db.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(backup_sqlite(copy))?;
    let found: String =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(backup_sqlite(&data.path))?;
    if found != "ok" {
        return Err(BackupError::Damaged { path: data.path.clone(), found });
    }
    let ask = |query: &str| db.query_row(query, [], |row| row.get::<_, Option<String>>(0)).optional();
    let nameless = || BackupError::Nameless(data.path.clone());
    let schema = ask(data.part.schema_query()).map_err(backup_sqlite(&data.path))?.flatten().ok_or_else(nameless)?;
    // A version before identities has no such table.
    let system = ask(data.part.system_query()).ok().flatten().flatten().ok_or_else(nameless)?;
    if let Part::Shard(shard) = data.part {
        let found = ShardOf::said_by(&db).map_err(backup_sqlite(&data.path))?;
        let wanted = ShardOf { shard: shard.0, count: shard_count };
        if found != wanted {
            return Err(BackupError::OtherShard { path: data.path.clone(), found, wanted });
        }
    }
    Ok((schema, system))
}

fn connect(path: &Path) -> Result<Connection, BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(backup_sqlite(path))
}

/// How long the file is, and its SHA-256, once it is on the disk.
fn synced_digest(path: &Path) -> io::Result<(u64, String)> {
    let file = File::open(path)?;
    file.sync_all()?;
    digest(file, io::sink()).map_err(|(CopyError::Read(error) | CopyError::Write(error))| error)
}

/// The bytes of a file at the cut.
pub fn size(file: &FileAtCut) -> Result<u64, BackupError> {
    let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: i64 = file.reader.query_row(pages, [], |row| row.get(0)).map_err(backup_sqlite(&file.path))?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}
