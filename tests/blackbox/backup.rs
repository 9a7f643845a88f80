//! Backups of a running node. What is restored of them goes on as if the node had been killed at that moment.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::crashes::{FAST, Told, client, holds};
use crate::full_disk::SmallDisk;
use crate::node::{PATIENCE, PROGRAM, TestNode, order};

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Backs the node up into this directory.
pub async fn back_up(node: &TestNode, to: &Path) -> String {
    let output = node.command("backup", &["--to", text(to)]).await;
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// Restores a backup into a directory of its own, which must be clean, and starts a node on it.
async fn restored(from: &Path, like: &TestNode) -> TestNode {
    let data_dir = tempfile::tempdir().unwrap();
    let output = like.command_in(data_dir.path(), "restore", &["--from", text(from)]).output().await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    TestNode::start_on(data_dir, like).await
}

/// What `restore` says of a backup that it refuses. It writes nothing then.
async fn refused(from: &Path, node: &TestNode) -> String {
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("data");
    let output = node.command_in(&to, "restore", &["--from", text(from)]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!to.exists(), "{}", said(&output));
    said(&output)
}

/// Backs a node up again and again while clients drive payments. Each backup comes with all that clients had been told
/// before it began.
async fn backups_under_load(node: &TestNode, count: usize, to: &Path) -> Vec<HashMap<String, Vec<Value>>> {
    let url = Mutex::new(node.url.clone());
    let (stop, told) = (AtomicBool::new(false), Told::default());
    let clients = futures_util::future::join_all((1..=16).map(|number| client(number, &url, &stop, &told)));
    let backups = async {
        let mut known = Vec::new();
        for number in 0..count {
            tokio::time::sleep(Duration::from_millis(300)).await;
            known.push(told.lock().await.clone());
            back_up(node, &to.join(number.to_string())).await;
        }
        stop.store(true, Ordering::Relaxed);
        known
    };
    tokio::join!(clients, backups).1
}

/// The longest that writers waited for one of the backups.
fn longest_pause(to: &Path, count: usize) -> Duration {
    let pause = |number: usize| {
        let manifest = std::fs::read(to.join(number.to_string()).join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        Duration::from_micros(manifest["pauseUs"].as_u64().unwrap())
    };
    (0..count).map(pause).max().unwrap()
}

/// Takes so many backups under load and restores each of them.
async fn survive(backups: usize) {
    let node = TestNode::start_embedded_with(FAST).await;
    let to = tempfile::tempdir().unwrap();
    let known = backups_under_load(&node, backups, to.path()).await;
    node.audit().await;
    let last = known.last().unwrap();
    assert!(last.len() > backups && known.windows(2).all(|pair| pair[0].len() < pair[1].len()), "there was load");
    let pause = longest_pause(to.path(), backups);
    println!("{} payments in the last backup, writers waited {pause:?} at most", last.len());
    assert!(pause < Duration::from_secs(1), "{pause:?}");
    for (number, told) in known.iter().enumerate() {
        let node = restored(&to.path().join(number.to_string()), &node).await;
        // Everything settles, and what was acknowledged before the backup began is there, booked once.
        node.audit().await;
        holds(&node, told).await;
        let payment = node.captured(1_000).await;
        node.ledger(&payment, 1).await;
        node.audit().await;
    }
}

#[tokio::test]
async fn backups_in_the_middle_of_load_lose_and_double_nothing() {
    survive(6).await;
}

/// The long form: `cargo test --release --test blackbox -- --ignored forty_backups`.
#[tokio::test]
#[ignore = "takes some minutes; six backups are restored every time"]
async fn forty_backups_in_the_middle_of_load_lose_and_double_nothing() {
    survive(40).await;
}

/// A key that was answered before the backup is answered the same after it.
#[tokio::test]
async fn keys_answers_and_operators_actions_are_restored() {
    let mut node = TestNode::start_embedded().await;
    let keyed = order("MERCHANT-1", 1_000);
    let answer = node.post("/payments/authorize", &keyed).await.expect(200).text;
    node.force_breaker("psp_lookup", None).await;
    let to = tempfile::tempdir().unwrap();
    let (running, stopped) = (to.path().join("running"), to.path().join("stopped"));
    back_up(&node, &running).await;
    // A node that runs no more can be backed up as well, however it ended.
    node.kill().await;
    back_up(&node, &stopped).await;
    for from in [running, stopped] {
        let node = restored(&from, &node).await;
        let again = node.post("/payments/authorize", &keyed).await.expect(200);
        assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (answer.as_str(), Some("true")));
        let actions = node.get("/admin/actions").await.expect(200).json();
        assert_eq!(actions["data"].as_array().unwrap().len(), 1, "{actions:#}");
    }
}

/// Where a backup to this place is while it is not whole.
pub fn partial(to: &Path) -> Option<PathBuf> {
    let begin = format!("{}.partial-", to.file_name().unwrap().to_str().unwrap());
    let mut entries = std::fs::read_dir(to.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
    entries.find(|entry| entry.file_name().to_str().unwrap().starts_with(&begin)).map(|entry| entry.path())
}

/// Starts a backup and kills it as soon as it has written something.
async fn killed_backup(node: &TestNode, to: &Path) {
    let mut command = node.command_in(node.data_dir(), "backup", &["--to", text(to)]);
    let mut backup = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !to.exists() && partial(to).is_none_or(|partial| !partial.join("shard-1.db").exists()) {
        assert!(begun.elapsed() < PATIENCE, "it writes nothing");
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    backup.start_kill().unwrap();
    backup.wait().await.unwrap();
}

#[tokio::test]
async fn backup_that_was_killed_is_refused_and_the_node_goes_on() {
    let node = TestNode::start_embedded().await;
    futures_util::future::join_all((0..200).map(|_| node.authorize(1_000))).await;
    let parent = tempfile::tempdir().unwrap();
    let mut cut_off = 0;
    for number in 0..20 {
        let to = parent.path().join(number.to_string());
        killed_backup(&node, &to).await;
        let Some(partial) = partial(&to).filter(|partial| !partial.join("manifest.json").exists()) else { continue };
        cut_off += 1;
        assert!(!to.exists(), "nothing has its name yet");
        let said = refused(&partial, &node).await;
        assert!(said.contains("has no manifest.json"), "{said}");
        // What is left of it is in nobody's way.
        back_up(&node, &to).await;
    }
    assert!(cut_off > 0, "no backup was cut off");
    node.payment_is_authorized_captured_and_refunded().await;
}

#[tokio::test]
async fn damaged_backup_and_newer_one_are_refused_by_name() {
    let mut node = TestNode::start_embedded().await;
    node.captured(1_000).await;
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("whole");
    back_up(&node, &to).await;
    let path = to.join("shard-2.db");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let said = refused(&to, &node).await;
    assert!(said.contains("shard-2.db is damaged: it has"), "{said}");
    std::fs::write(&path, whole).unwrap();
    let check = node.command("restore", &["--from", text(&to), "--check"]).await;
    assert!(check.status.success(), "{}", self::said(&check));

    // As a later version would have left it.
    node.kill().await;
    let path = node.data_dir().join("shard-2.db");
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000001_later', 0)";
    rusqlite::Connection::open(path).unwrap().execute(newer, []).unwrap();
    let to = parent.path().join("newer");
    back_up(&node, &to).await;
    let said = refused(&to, &node).await;
    assert!(said.contains("shard-2.db") && said.contains("does not know m20990101_000001_later"), "{said}");
    let said = node.refused(&[], &[]).await;
    assert!(said.contains("does not know m20990101_000001_later"), "{said}");
}

#[tokio::test]
async fn backup_of_a_version_before_is_restored_and_brought_up_to_date_by_the_node() {
    let mut node = TestNode::start_embedded().await;
    node.captured(1_000).await;
    node.audit().await;
    node.kill().await;
    for shard in ["shard-1.db", "shard-2.db"] {
        let db = rusqlite::Connection::open(node.data_dir().join(shard)).unwrap();
        let back = "DELETE FROM seaql_migrations WHERE version LIKE '%write_probe'; DROP TABLE write_probe";
        db.execute_batch(back).unwrap();
    }
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("older");
    back_up(&node, &to).await;
    let data_dir = tempfile::tempdir().unwrap();
    let output = node.command_in(data_dir.path(), "restore", &["--from", text(&to)]).output().await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("not audited: shard-1.db, shard-2.db are of a version before"), "{}", said(&output));
    let node = TestNode::start_on(data_dir, &node).await;
    node.audit().await;
    node.payment_is_authorized_captured_and_refunded().await;
}

#[tokio::test]
async fn restore_that_was_cut_off_is_no_data_directory() {
    let node = TestNode::start_embedded().await;
    let to = tempfile::tempdir().unwrap();
    back_up(&node, &to.path().join("whole")).await;
    let cut_off: TempDir = tempfile::tempdir().unwrap();
    for file in ["shard-1.db", "shard-2.db", "events.db"] {
        std::fs::copy(to.path().join("whole").join(file), cut_off.path().join(file)).unwrap();
    }
    std::fs::write(cut_off.path().join("restoring"), "").unwrap();
    let said = node.refused_in(cut_off.path(), &[], &[]).await;
    assert!(said.contains("holds an unfinished restore"), "{said}");
    let whole = to.path().join("whole");
    let mut again = node.command_in(cut_off.path(), "restore", &["--from", text(&whole)]);
    let again = again.output().await.unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(self::said(&again).contains("unfinished restore: if none is running, delete"), "{}", self::said(&again));
    let audit = node.command_in(cut_off.path(), "audit", &[]).output().await.unwrap();
    assert_eq!(audit.status.code(), Some(2), "{}", self::said(&audit));
}

#[tokio::test]
async fn backup_that_finds_no_room_leaves_nothing_and_harms_nobody() {
    let node = TestNode::start_embedded().await;
    node.authorize(1_000).await;
    let parent = tempfile::tempdir().unwrap();
    // Before anything is written: on a small disk, and where the node's own disk would be left too little.
    if let Some(_disk) = SmallDisk::at(&parent.path().join("small"), "64k") {
        let output = node.command("backup", &["--to", text(&parent.path().join("small/backup"))]).await;
        assert!(!output.status.success() && said(&output).contains("bytes left"), "{}", said(&output));
        assert!(!parent.path().join("small/backup").exists());
    }
    let mut command = node.command_in(node.data_dir(), "backup", &["--to", text(&parent.path().join("backup"))]);
    let output = command.env("RIALTO__STORAGE__FREE_MIN_BYTES", "4000000000000000000").output().await.unwrap();
    assert!(!output.status.success() && said(&output).contains("bytes left"), "{}", said(&output));
    // In the middle: the kernel lets it write no more than so many KiB into a file.
    let to = parent.path().join("cut");
    let mut command = Command::new("bash");
    let script = "trap '' XFSZ; ulimit -f 40; exec \"$0\" backup --data-dir \"$1\" --to \"$2\"";
    command.args(["-c", script, PROGRAM]).arg(node.data_dir()).arg(&to);
    let output = command.envs(node.settings()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("shard-1.db"), "{}", said(&output));
    assert!(!to.exists() && partial(&to).is_none());
    node.payment_is_authorized_captured_and_refunded().await;
}

/// The PSP is not in the backup and goes on. What it did after the backup is named, and nothing new is taken for it.
#[tokio::test]
async fn what_the_psp_did_after_the_backup_is_named_and_never_repeated() {
    let mut node = TestNode::start_embedded_beside_psp(FAST).await;
    let kept = node.captured(1_000).await;
    node.ledger(&kept, 1).await;
    let to = tempfile::tempdir().unwrap();
    let said = back_up(&node, &to.path().join("one")).await;
    assert!(said.contains("not in it, since they are on servers: psp.url"), "{said}");
    let keyed = order("MERCHANT-1", 700);
    let lost = node.post("/payments/authorize", &keyed).await.expect(200).json();
    let lost = lost["paymentId"].as_str().unwrap();
    node.refund(&kept, json!({ "amount": 400 })).await.expect(200);
    node.eventually(&kept, "PARTIALLY_REFUNDED").await;
    let psp = node.take_psp();
    node.kill().await;

    let data_dir = tempfile::tempdir().unwrap();
    let from = to.path().join("one");
    let output = node.command_in(data_dir.path(), "restore", &["--from", text(&from)]).output().await.unwrap();
    // It is restored, and the audit says what the PSP knows and the shards do not.
    assert_eq!(output.status.code(), Some(1));
    let said = self::said(&output);
    assert!(said.contains(&format!("{lost}: known to the psp, and no such payment")), "{said}");
    assert!(said.contains(&kept.id) && said.contains("refunded 0, at the psp 400"), "{said}");

    let node = TestNode::start_on(data_dir, &node).await;
    let again = node.post("/payments/authorize", &keyed).await.expect(200).json();
    let again = again["paymentId"].as_str().unwrap();
    assert_ne!(again, lost, "ids are not made again");
    let books = node.http.get(format!("{}/v1/books/authorizations?after=&limit=10", psp.url)).send().await.unwrap();
    let books: Value = books.json().await.unwrap();
    let held: Vec<_> = books.as_array().unwrap().iter().map(|row| row["payment"].as_str().unwrap()).collect();
    assert!([kept.id.as_str(), lost, again].iter().all(|id| held.contains(id)) && held.len() == 3, "{books:#}");
}
