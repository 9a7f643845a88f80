//! Cuts through files that are written, and backups that something has happened to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

use super::cut::{cut, try_cut};
use super::{BackupError, DataFile, MARKER, Made, Manifest, Order, Part, RestoreError, Undone, Verified};
use crate::domain::{ShardId, Timestamp};

const NOW: Timestamp = Timestamp(1_795_426_200_000);

/// How many shards the system of these tests has.
const SHARDS: u32 = 2;

/// The parts of a whole backup.
fn parts() -> impl Iterator<Item = Part> {
    (1..=SHARDS).map(|number| Part::Shard(ShardId(number))).chain([Part::EventLog, Part::PspBooks])
}

/// A file that knows its system, with a table of numbers.
fn file(directory: &Path, part: Part) -> DataFile {
    let data = DataFile::of(part, directory);
    let identity = match part {
        Part::Shard(shard) => format!(
            "CREATE TABLE seaql_migrations (version TEXT); INSERT INTO seaql_migrations VALUES ('m1');
             CREATE TABLE shard_identity (system_id TEXT, shard INTEGER, shard_count INTEGER);
             INSERT INTO shard_identity VALUES ('one', {shard}, {SHARDS});"
        ),
        _ => "CREATE TABLE identity (system TEXT); INSERT INTO identity VALUES ('one');".to_owned(),
    };
    let facts = "PRAGMA journal_mode = WAL; PRAGMA user_version = 1;
         CREATE TABLE fact (id INTEGER PRIMARY KEY, note TEXT);";
    open(&data.path).execute_batch(&format!("{facts}{identity}")).unwrap();
    data
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
    Order {
        data_dir: files[0].path.parent().unwrap().to_owned(),
        files: files.to_vec(),
        shard_count: SHARDS,
        to: to.to_owned(),
        keep_free: 0,
        node: 3,
        operator: "mo".to_owned(),
        outside: Vec::new(),
    }
}

fn take(order: &Order) -> Result<Manifest, BackupError> {
    super::take(order, &Made::default(), || NOW)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn cut_is_one_instant_of_files_that_are_written_one_after_the_other() {
    const WRITERS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    let files = [Part::EventLog, Part::PspBooks].map(|part| file(dir.path(), part).path);
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
    let data = file(dir.path(), Part::EventLog);
    let db = open(&data.path);
    (0..500).for_each(|_| add(&db));
    let cut = cut(std::slice::from_ref(&data.path)).unwrap();
    (0..500).for_each(|_| add(&db));
    db.execute("DELETE FROM fact WHERE id < 100", []).unwrap();
    let to = dir.path().join("to");
    fs::create_dir(&to).unwrap();
    let file = cut.files.into_iter().next().unwrap();
    let place = super::copy::Place { directory: &to, made: &Made::default(), shard_count: SHARDS };
    let (saved, system) = super::copy::save(file, &data, &place).unwrap();
    assert_eq!((saved.schema.as_str(), system.as_str()), ("format 1", "one"));
    assert_eq!(count(&open(&to.join("events.db"))), 500);
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1, "the copy stands alone");
}

#[test]
fn files_are_unlocked_again_if_one_of_them_stays_locked() {
    let dir = tempfile::tempdir().unwrap();
    let files = [Part::EventLog, Part::PspBooks].map(|part| file(dir.path(), part).path);
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

/// A data directory, its backup beside it, and what was backed up.
struct Saved {
    dir: tempfile::TempDir,
    files: Vec<DataFile>,
    from: PathBuf,
}

impl Saved {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        let files: Vec<_> = parts().map(|part| file(&data, part)).collect();
        files.iter().for_each(|file| (0..50).for_each(|_| add(&open(&file.path))));
        let from = dir.path().join("backup");
        let manifest = take(&order(&files, &from)).unwrap();
        assert_eq!((manifest.system.as_str(), manifest.node, manifest.files.len()), ("one", 3, 4));
        assert_eq!((manifest.format, manifest.shard_count), (2, Some(SHARDS)));
        assert_eq!(Manifest::read(&from).unwrap(), manifest);
        assert_eq!(names(dir.path()), ["backup", "data"], "nothing is left beside it");
        Self { dir, files, from }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn verify(&self) -> Result<Verified, RestoreError> {
        super::verify(&self.from, NOW)
    }

    fn refused(&self) -> String {
        self.verify().unwrap_err().to_string()
    }

    fn edit_manifest(&self, edit: impl FnOnce(&mut serde_json::Value)) {
        let path = self.from.join("manifest.json");
        let mut manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        edit(&mut manifest);
        fs::write(path, manifest.to_string()).unwrap();
    }

    /// As if the file had never been saved.
    fn leave_out(&self, name: &str) {
        fs::remove_file(self.from.join(name)).unwrap();
        self.edit_manifest(|manifest| {
            manifest["files"].as_array_mut().unwrap().retain(|file| file["name"] != name);
        });
    }

    /// As the version before wrote it.
    fn make_format_1(&self) {
        self.edit_manifest(|manifest| {
            manifest["format"] = 1.into();
            manifest.as_object_mut().unwrap().remove("shardCount");
        });
    }
}

fn restore(backup: &Verified, to: &Path) -> Result<(), RestoreError> {
    super::restore(backup, to, &Made::default())
}

#[test]
fn restored_files_are_what_was_backed_up_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let saved = Saved::new();
    let to = saved.path("restored");
    restore(&saved.verify().unwrap(), &to).unwrap();
    for file in &saved.files {
        let path = to.join(file.name());
        assert_eq!(count(&open(&path)), 50);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = restore(&saved.verify().unwrap(), &to).unwrap_err();
    assert!(matches!(again, RestoreError::NotEmpty(_)), "{again}");
}

#[test]
fn backup_to_which_something_has_happened_is_refused_by_name() {
    type Harm = fn(&Path);
    let harms: [(Harm, &str); 11] = [
        (|from| fs::remove_file(from.join("manifest.json")).unwrap(), "has no manifest.json"),
        (|from| fs::write(from.join("manifest.json"), "{\"format\": 1").unwrap(), "manifest.json cannot be read"),
        (
            |from| fs::write(from.join("manifest.json"), "{\"format\": 3}").unwrap(),
            "manifest.json has format 3, this version knows 2",
        ),
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
        (|from| replace_by_fifo(&from.join("shard-2.db")), "shard-2.db is no regular file"),
        (|from| replace_by_fifo(&from.join("manifest.json")), "manifest.json is no regular file"),
        (
            |from| {
                let (path, aside) = (from.join("psp.db"), from.with_file_name("aside"));
                fs::rename(&path, &aside).unwrap();
                std::os::unix::fs::symlink(aside, path).unwrap();
            },
            "psp.db is no regular file",
        ),
        (|from| replace_by_fifo(&from.join("shard-1.db-journal")), "shard-1.db-journal is not of the backup"),
    ];
    for (harm, said) in harms {
        let saved = Saved::new();
        harm(&saved.from);
        let error = saved.refused();
        assert!(error.contains(said), "{error}");
    }
}

/// Whoever opens it to read waits until somebody writes.
fn replace_by_fifo(path: &Path) {
    let _ = fs::remove_file(path);
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn set_that_is_not_whole_is_refused_in_both_formats() {
    for is_old in [false, true] {
        for (missing, said) in [
            ("shard-2.db", "has no shard-2.db, and the system has 2 shards"),
            ("events.db", "has no events.db"),
            ("psp.db", "has no psp.db"),
        ] {
            let saved = Saved::new();
            if is_old {
                saved.make_format_1();
            }
            saved.verify().unwrap();
            saved.leave_out(missing);
            let error = saved.refused();
            assert!(error.contains(said), "{error}");
        }
    }
    // What is on servers is not missed; the rest still is.
    let saved = Saved::new();
    saved.leave_out("psp.db");
    saved.edit_manifest(|manifest| manifest["outside"] = serde_json::json!(["psp.url"]));
    saved.verify().unwrap();
    saved.leave_out("events.db");
    assert!(saved.refused().contains("has no events.db"));
    // A manifest that says something else than the shards do.
    let saved = Saved::new();
    saved.edit_manifest(|manifest| manifest["shardCount"] = 1.into());
    assert!(saved.refused().contains("says that it is shard 1 of 2, and in the backup it is shard 1 of 1"));
}

#[test]
fn shard_that_is_another_one_than_configured_is_not_backed_up() {
    let saved = Saved::new();
    let to = saved.path("other");
    // The configuration was forgotten, and the default has fewer shards.
    let fewer = Order { shard_count: 1, ..order(&saved.files, &to) };
    let error = take(&fewer).unwrap_err().to_string();
    assert!(error.contains("shard-1.db is shard 1 of 2, and this configuration has shard 1 of 1"), "{error}");
    open(&saved.files[1].path).execute("UPDATE shard_identity SET shard = 1", []).unwrap();
    let error = take(&order(&saved.files, &to)).unwrap_err().to_string();
    assert!(error.contains("shard-2.db is shard 1 of 2, and this configuration has shard 2 of 2"), "{error}");
    assert_eq!(names(saved.dir.path()), ["backup", "data"]);
}

#[test]
fn configuration_and_clock_must_be_those_of_the_backup() {
    let saved = Saved::new();
    let backup = saved.verify().unwrap();
    let refused = |files: &[DataFile]| backup.fits(files).unwrap_err().to_string();
    let with = |part| [&saved.files[..], &[DataFile::of(part, saved.dir.path())]].concat();
    assert!(refused(&with(Part::Shard(ShardId(3)))).contains("has no shard-3.db"));
    assert!(refused(&saved.files[..3]).contains("has psp.db, which"));
    backup.fits(&saved.files).unwrap();
    backup.fits(&with(Part::Control)).unwrap();
    let error = super::verify(&saved.from, Timestamp(NOW.0 - 1)).unwrap_err().to_string();
    assert!(error.contains("set the clock right"), "{error}");
}

#[test]
fn failed_backup_leaves_nothing_and_overwrites_nothing() {
    let saved = Saved::new();
    let again = take(&order(&saved.files, &saved.from)).unwrap_err();
    assert!(matches!(again, BackupError::NotEmpty(_)), "{again}");
    saved.verify().unwrap();

    let to = saved.path("new/other");
    open(&saved.files[3].path).execute("UPDATE identity SET system = 'two'", []).unwrap();
    let error = take(&order(&saved.files, &to)).unwrap_err().to_string();
    assert!(error.contains("psp.db is of system two, and the files before it are of system one"), "{error}");
    let room = Order { keep_free: u64::MAX / 2, ..order(&saved.files[..1], &to) };
    let error = take(&room).unwrap_err();
    assert!(matches!(error, BackupError::NoRoom { .. }), "{error}");
    assert_eq!(names(saved.dir.path()), ["backup", "data"], "nor the directory above");
}

/// Two at once, a file that somebody puts there: whoever comes second fails and harms nobody.
#[test]
fn backup_that_fails_deletes_only_what_it_made() {
    let saved = Saved::new();
    for is_backup in [true, false] {
        let to = saved.path(if is_backup { "first" } else { "noted" });
        let meanwhile = || {
            if is_backup {
                take(&order(&saved.files, &to)).unwrap();
            } else {
                fs::create_dir(&to).unwrap();
                fs::write(to.join("note.txt"), "keep").unwrap();
            }
            NOW
        };
        let late = super::take(&order(&saved.files, &to), &Made::default(), meanwhile).unwrap_err();
        assert!(matches!(late, BackupError::NotEmpty(_)), "{late}");
        if is_backup {
            super::verify(&to, NOW).unwrap();
        } else {
            assert_eq!(fs::read_to_string(to.join("note.txt")).unwrap(), "keep");
        }
    }
    assert_eq!(names(saved.dir.path()), ["backup", "data", "first", "noted"]);
    // An empty one is taken, also if it has been made in the meantime.
    let to = saved.path("empty");
    let empty = || {
        fs::create_dir(&to).unwrap();
        NOW
    };
    super::take(&order(&saved.files, &to), &Made::default(), empty).unwrap();
    super::verify(&to, NOW).unwrap();
}

#[test]
fn backups_to_one_place_at_once_leave_one_whole_backup() {
    let saved = Saved::new();
    let to = saved.path("one");
    let results: Vec<_> = std::thread::scope(|scope| {
        let backups =
            [(); 4].map(|()| scope.spawn(|| take(&order(&saved.files, &to)).map_err(|error| error.to_string())));
        backups.into_iter().map(|backup| backup.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let refused = results.iter().filter_map(|result| result.as_ref().err());
    refused.for_each(|error| assert!(error.contains("is not empty"), "{error}"));
    super::verify(&to, NOW).unwrap();
    assert_eq!(names(saved.dir.path()), ["backup", "data", "one"]);
}

#[test]
fn backup_ended_in_the_middle_leaves_nothing_and_goes_no_further() {
    let saved = Saved::new();
    let (to, made) = (saved.path("ended"), Made::default());
    let other = made.clone();
    let (ends, ended) = std::sync::mpsc::channel();
    let order = order(&saved.files, &to);
    // As by a signal: the thread that works waits for ever at its next step.
    std::thread::spawn(move || {
        let end = || {
            ends.send(other.end()).unwrap();
            NOW
        };
        let _ = super::take(&order, &made, end);
        unreachable!("it goes on");
    });
    assert_eq!(ended.recv().unwrap(), Undone::Deleted);
    assert_eq!(names(saved.dir.path()), ["backup", "data"]);
}

#[test]
fn backup_in_its_data_and_data_in_their_backup_are_refused() {
    let saved = Saved::new();
    let data = saved.path("data");
    let link = saved.path("link");
    std::os::unix::fs::symlink(&data, &link).unwrap();
    let before = names(&data);
    for to in [data.join("sub"), data.join("a/b"), link.join("sub"), data.clone(), data.join("../data/sub")] {
        let error = take(&order(&saved.files, &to)).unwrap_err().to_string();
        assert!(error.contains("is in the data directory"), "{error}");
    }
    assert_eq!(names(&data), before);
    let before = names(&saved.from);
    for to in [saved.from.join("in"), saved.from.clone()] {
        let error = restore(&saved.verify().unwrap(), &to).unwrap_err().to_string();
        assert!(error.contains("is in the backup"), "{error}");
    }
    assert_eq!(names(&saved.from), before);
}

#[test]
fn restore_that_fails_leaves_nothing_and_one_that_was_killed_is_known() {
    let saved = Saved::new();
    let backup = saved.verify().unwrap();
    let to = saved.path("restored");
    fs::create_dir(&to).unwrap();
    // Its last file is damaged after it was checked.
    let mut manifest = backup.manifest.clone();
    manifest.files[3].sha256 = "of another time".to_owned();
    let late = Verified { directory: backup.directory.clone(), manifest };
    let error = restore(&late, &to).unwrap_err();
    assert!(matches!(&error, RestoreError::Damaged(path) if path.ends_with("backup/psp.db")), "{error}");
    assert_eq!(names(&to), [""; 0], "the directory was there, and stays");
    // The marker of one that was killed, which deletes nothing.
    fs::write(to.join(MARKER), "").unwrap();
    fs::write(to.join("shard-2.db"), "half").unwrap();
    let error = restore(&backup, &to).unwrap_err().to_string();
    assert!(
        error.contains("restored holds an unfinished restore: if none is running, delete the directory"),
        "{error}"
    );
    assert_eq!(names(&to), [MARKER, "shard-2.db"]);
}

#[test]
fn copy_knows_which_side_has_failed() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let saved = Saved::new();
    let manifest = Manifest::read(&saved.from).unwrap();
    let target = Path::new("/target/shard-1.db");
    let error = super::verify::read_checked(&saved.from, &manifest.files[0], Full, target).unwrap_err().to_string();
    assert!(error.starts_with("/target/shard-1.db: "), "{error}");
}

/// A process that has begun a transaction and is stopped in the middle of it.
#[test]
fn stopped_process_that_holds_the_lock_is_named() {
    use std::process::{Command, Stdio};
    let saved = Saved::new();
    let begin = "import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('BEGIN IMMEDIATE')
print('begun', flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
sys.stdin.read()";
    let mut command = Command::new("python3");
    command.args(["-c", begin]).arg(&saved.files[1].path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = command.spawn().unwrap();
    let mut begun = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.as_mut().unwrap()), &mut begun).unwrap();
    let to = saved.path("other");
    let error = take(&order(&saved.files, &to)).unwrap_err().to_string();
    let process = holder.id();
    holder.kill().unwrap();
    holder.wait().unwrap();
    let said = format!("shard-2.db is locked by process {process}, which is stopped in the middle of a transaction");
    assert!(error.contains(&said), "{error}");
    assert_eq!(names(saved.dir.path()), ["backup", "data"]);
    take(&order(&saved.files, &to)).unwrap();
}

#[test]
fn damaged_file_is_not_backed_up() {
    let saved = Saved::new();
    let path = &saved.files[2].path;
    open(path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut bytes = fs::read(path).unwrap();
    // A page in the middle, of the table's.
    let page = bytes.len() / 2 / 4_096 * 4_096;
    bytes[page..page + 64].fill(0xff);
    fs::write(path, bytes).unwrap();
    let to = saved.path("other");
    let error = take(&order(&saved.files, &to)).unwrap_err().to_string();
    assert!(error.contains("events.db"), "{error}");
    assert_eq!(names(saved.dir.path()), ["backup", "data"]);
}
