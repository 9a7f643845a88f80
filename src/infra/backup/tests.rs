//! Cuts through files that are written, and backups that something has happened to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::cut::{cut, try_cut};
use super::*;
use crate::domain::{ShardId, Timestamp};

const NOW: Timestamp = Timestamp(1_795_426_200_000);

/// A file that knows its system, with a table of numbers.
fn file(directory: &Path, name: &str) -> DataFile {
    let path = directory.join(name);
    let db = open(&path);
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA user_version = 1;
         CREATE TABLE identity (system TEXT); INSERT INTO identity VALUES ('one');
         CREATE TABLE fact (id INTEGER PRIMARY KEY, note TEXT)",
    )
    .unwrap();
    DataFile { part: Part::EventLog, path }
}

fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    db
}

fn add(db: &Connection) {
    db.execute("INSERT INTO fact (note) VALUES (hex(randomblob(500)))", []).unwrap();
}

fn count(db: &Connection) -> u64 {
    db.query_row("SELECT count(*) FROM fact", [], |row| row.get(0)).unwrap()
}

fn order(files: &[DataFile], to: &Path) -> Order {
    let (files, to) = (files.to_vec(), to.to_owned());
    Order { files, to, keep_free: 0, node: 3, operator: "mo".to_owned(), outside: Vec::new() }
}

#[test]
fn cut_is_one_instant_of_files_that_are_written_one_after_the_other() {
    const WRITERS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    let files = ["first.db", "second.db"].map(|name| file(dir.path(), name).path);
    let (stop, begun) = (AtomicBool::new(false), std::time::Instant::now());
    let cuts = std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let [first, second] = [&files[0], &files[1]].map(|path| open(path));
                while !stop.load(Ordering::Relaxed) {
                    add(&first);
                    add(&second);
                }
            });
        }
        let mut cuts = Vec::new();
        // In both orders: the file that is locked last may not be newer, nor the first one older.
        while cuts.len() < 60 && begun.elapsed().as_secs() < 30 {
            let paths = if cuts.len() % 2 == 0 { files.to_vec() } else { files.iter().rev().cloned().collect() };
            let cut = cut(&paths).unwrap();
            let counts =
                files.each_ref().map(|path| count(&cut.files.iter().find(|file| file.path == *path).unwrap().reader));
            cuts.push(counts);
        }
        stop.store(true, Ordering::Relaxed);
        cuts
    });
    assert!(cuts.len() > 10 && cuts.windows(2).any(|pair| pair[0] != pair[1]), "there was load: {cuts:?}");
    for [first, second] in cuts {
        assert!(second <= first && first <= second + WRITERS as u64, "{first} and {second}");
    }
}

#[test]
fn what_is_written_after_the_cut_is_not_in_the_copy() {
    let dir = tempfile::tempdir().unwrap();
    let data = file(dir.path(), "events.db");
    let db = open(&data.path);
    (0..500).for_each(|_| add(&db));
    let cut = cut(std::slice::from_ref(&data.path)).unwrap();
    (0..500).for_each(|_| add(&db));
    db.execute("DELETE FROM fact WHERE id < 100", []).unwrap();
    let to = dir.path().join("to");
    fs::create_dir(&to).unwrap();
    let file = cut.files.into_iter().next().unwrap();
    let (saved, system) = super::copy::save(file, &data, &to).unwrap();
    assert_eq!((saved.schema.as_str(), system.as_str()), ("format 1", "one"));
    assert_eq!(count(&open(&to.join("events.db"))), 500);
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1, "the copy stands alone");
}

#[test]
fn files_are_unlocked_again_if_one_of_them_stays_locked() {
    let dir = tempfile::tempdir().unwrap();
    let files = ["first.db", "second.db"].map(|name| file(dir.path(), name).path);
    let holder = open(&files[1]);
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let opened: Vec<_> = files.iter().map(|path| super::cut::open(path).unwrap()).collect();
    assert_eq!(try_cut(&opened).unwrap(), Err(files[1].as_path()));
    let db = open(&files[0]);
    db.busy_timeout(std::time::Duration::ZERO).unwrap();
    add(&db);
    holder.execute_batch("ROLLBACK").unwrap();
    assert!(try_cut(&opened).unwrap().is_ok());
}

/// A backup of two files, and what was backed up.
fn backup() -> (tempfile::TempDir, Vec<DataFile>, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<_> = ["events.db", "psp.db"].iter().map(|name| file(dir.path(), name)).collect();
    files.iter().for_each(|file| (0..50).for_each(|_| add(&open(&file.path))));
    let to = dir.path().join("backup");
    let manifest = take(&order(&files, &to), || NOW).unwrap();
    assert_eq!((manifest.system.as_str(), manifest.node, manifest.files.len()), ("one", 3, 2));
    assert_eq!(Manifest::read(&to).unwrap(), manifest);
    (dir, files, to)
}

#[test]
fn restored_files_are_what_was_backed_up_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, files, from) = backup();
    let to = dir.path().join("restored");
    restore(&verify(&from, &files, NOW).unwrap(), &to).unwrap();
    for file in &files {
        let path = to.join(file.name());
        assert_eq!(count(&open(&path)), 50);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = restore(&verify(&from, &files, NOW).unwrap(), &to).unwrap_err();
    assert!(matches!(again, RestoreError::NotEmpty(_)), "{again}");
}

#[test]
fn backup_to_which_something_has_happened_is_refused_by_name() {
    type Harm = fn(&Path);
    let harms: [(Harm, &str); 6] = [
        (|from| fs::remove_file(from.join("manifest.json")).unwrap(), "has no manifest.json"),
        (|from| fs::write(from.join("manifest.json"), "{\"format\": 1").unwrap(), "manifest.json cannot be read"),
        (|from| fs::remove_file(from.join("psp.db")).unwrap(), "psp.db: No such file"),
        (
            |from| {
                let path = from.join("psp.db");
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() - 4_096]).unwrap();
            },
            "psp.db is damaged: it has",
        ),
        (
            |from| {
                let path = from.join("events.db");
                let mut bytes = fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&path, bytes).unwrap();
            },
            "events.db is damaged: its SHA-256",
        ),
        (
            |from| {
                let path = from.join("manifest.json");
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, text.replace("psp.db", "../psp.db")).unwrap();
            },
            "which no backup has",
        ),
    ];
    for (harm, said) in harms {
        let (_dir, files, from) = backup();
        harm(&from);
        let error = verify(&from, &files, NOW).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn configuration_and_clock_must_be_those_of_the_backup() {
    let (dir, files, from) = backup();
    let refused = |files: &[DataFile], now| verify(&from, files, now).unwrap_err().to_string();
    let shard = DataFile { part: Part::Shard(ShardId(1)), path: dir.path().join("shard-1.db") };
    let more: Vec<_> = files.iter().cloned().chain([shard]).collect();
    assert!(refused(&more, NOW).contains("has no shard-1.db"));
    assert!(refused(&files[..1], NOW).contains("has psp.db, which"));
    assert!(refused(&files, Timestamp(NOW.0 - 1)).contains("set the clock right"));
    let control = DataFile { part: Part::Control, path: dir.path().join("control.db") };
    let may_lack: Vec<_> = files.iter().cloned().chain([control]).collect();
    verify(&from, &may_lack, NOW).unwrap();
}

#[test]
fn failed_backup_leaves_nothing_and_overwrites_nothing() {
    let (dir, files, from) = backup();
    let again = take(&order(&files, &from), || NOW).unwrap_err();
    assert!(matches!(again, BackupError::NotEmpty(_)), "{again}");
    verify(&from, &files, NOW).unwrap();

    let to = dir.path().join("other");
    open(&files[1].path).execute("UPDATE identity SET system = 'two'", []).unwrap();
    let error = take(&order(&files, &to), || NOW).unwrap_err().to_string();
    assert!(error.contains("psp.db is of system two, and the files before it are of system one"), "{error}");
    assert!(!to.exists());
    let room = Order { keep_free: u64::MAX / 2, ..order(&files[..1], &to) };
    let error = take(&room, || NOW).unwrap_err();
    assert!(matches!(error, BackupError::NoRoom { .. }), "{error}");
    assert!(!to.exists());
}

#[test]
fn damaged_file_is_not_backed_up() {
    let (dir, files, _) = backup();
    let path = &files[0].path;
    open(path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut bytes = fs::read(path).unwrap();
    // A page in the middle, of the table's.
    let page = bytes.len() / 2 / 4_096 * 4_096;
    bytes[page..page + 64].fill(0xff);
    fs::write(path, bytes).unwrap();
    let to = dir.path().join("other");
    let error = take(&order(&files, &to), || NOW).unwrap_err().to_string();
    assert!(error.contains("events.db"), "{error}");
    assert!(!to.exists());
}
