//! Backups and restores that come to nothing: nothing is lost, nothing half stays, and what is said is so.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use crate::backup::{back_up, partial, said, text};
use crate::full_disk::SmallDisk;
use crate::node::{PATIENCE, PROGRAM, TestNode};

/// A command on the node's data directory, with settings over the node's own.
async fn with(node: &TestNode, settings: &[(&str, &str)], name: &str, args: &[&str]) -> Output {
    let mut command = node.command_in(node.data_dir(), name, args);
    command.envs(settings.iter().map(|(name, value)| (format!("RIALTO__{name}"), value)));
    command.output().await.unwrap()
}

/// As `kill` does it.
async fn signal(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().await.unwrap().success());
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn backup_with_another_configuration_than_the_nodes_is_refused() {
    const SERVERS: &str = "[\"mysql://rialto@127.0.0.1:1/one\",\"mysql://rialto@127.0.0.1:1/two\"]";
    let mut node = TestNode::start_embedded_with(&[("SHARD__COUNT", "4")]).await;
    node.captured(1_000).await;
    node.kill().await;
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("backup");
    let kafka = ("KAFKA__BROKERS", "127.0.0.1:1");
    let others: [(&[(&str, &str)], &str); 5] = [
        (&[("SHARD__COUNT", "2")], "shard-3.db is there, and this configuration works without it (shard.count is 2)"),
        (&[("SHARD__COUNT", "1")], "shard-2.db is there"),
        (&[kafka], "events.db is there, and this configuration works without it (kafka.brokers is set)"),
        (&[("PSP__URL", "http://127.0.0.1:1")], "psp.db is there, and this configuration works without it (psp.url"),
        (
            &[kafka, ("SHARD__COUNT", "2"), ("SHARD__DATABASES", SERVERS)],
            "shard-1.db is there, and this configuration works without it (shard.databases is set)",
        ),
    ];
    for (settings, why) in others {
        let output = with(&node, settings, "backup", &["--to", text(&to)]).await;
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(why), "{}", said(&output));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0, "nothing is made");
    }
    // More than there are are missed as before; an audit refuses fewer as well.
    let output = with(&node, &[("SHARD__COUNT", "5")], "backup", &["--to", text(&to)]).await;
    assert!(!output.status.success() && said(&output).contains("shard-5.db"), "{}", said(&output));
    let output = with(&node, &[("SHARD__COUNT", "2")], "audit", &[]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("has a database of shard 3, shard.count is 2"), "{}", said(&output));
}

#[tokio::test]
async fn check_judges_a_backup_without_a_configuration() {
    let node = TestNode::start_embedded_with(&[("SHARD__COUNT", "4")]).await;
    node.captured(1_000).await;
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("backup");
    back_up(&node, &to).await;
    let check = ["--from", text(&to), "--check"];
    let output = with(&node, &[("SHARD__COUNT", "2")], "restore", &check).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("every file is there and whole"), "{}", said(&output));
    assert!(said(&output).contains("with this configuration it is not restored"), "{}", said(&output));
    assert!(said(&output).contains("has shard-3.db"), "{}", said(&output));
    // As a version before made it whose configuration was forgotten: its manifest does not say how many there are.
    let path = to.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["format"] = 1.into();
    manifest.as_object_mut().unwrap().remove("shardCount");
    std::fs::write(&path, manifest.to_string()).unwrap();
    let output = with(&node, &[], "restore", &check).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let is_lost = |file: &Value| file["name"] == "shard-3.db" || file["name"] == "shard-4.db";
    manifest["files"].as_array_mut().unwrap().retain(|file| !is_lost(file));
    std::fs::write(&path, manifest.to_string()).unwrap();
    for args in [&check[..], &check[..2]] {
        let mut command = node.command_in(&parent.path().join("restored"), "restore", args);
        let output = command.env("RIALTO__SHARD__COUNT", "2").output().await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(
            said(&output).contains("is not whole: it has no shard-3.db, and the system has 4"),
            "{}",
            said(&output)
        );
    }
    assert!(!parent.path().join("restored").exists());
}

#[tokio::test]
async fn signals_end_a_backup_and_leave_nothing() {
    let mut node = TestNode::start_embedded().await;
    node.captured(1_000).await;
    node.kill().await;
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("backup");
    // Somebody works on a file, so that it waits.
    let holder = rusqlite::Connection::open(node.data_dir().join("shard-1.db")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = async |disposition: &[&str]| {
        let mut command = Command::new("env");
        command.args(disposition).arg(PROGRAM).args(["backup", "--to", text(&to), "--data-dir"]).arg(node.data_dir());
        command.envs(node.settings()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let backup = command.spawn().unwrap();
        eventually("it begins", || partial(&to).is_some()).await;
        backup
    };
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let backup = begin(&["--default-signal=HUP,INT,TERM"]).await;
        signal(name, backup.id().unwrap()).await;
        let output = backup.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains("nothing that it had made is left"), "{}", said(&output));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
    // With nohup it outlives its terminal.
    let backup = begin(&["--default-signal=HUP,INT,TERM", "--ignore-signal=HUP"]).await;
    signal("-HUP", backup.id().unwrap()).await;
    holder.execute_batch("ROLLBACK").unwrap();
    let output = backup.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let names: Vec<_> = std::fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["backup"]);
}

#[tokio::test]
async fn signal_ends_a_restore_that_leaves_nothing_and_can_be_repeated() {
    let node = TestNode::start_embedded().await;
    futures_util::future::join_all((0..200).map(|_| node.authorize(1_000))).await;
    let parent = tempfile::tempdir().unwrap();
    let from = parent.path().join("backup");
    back_up(&node, &from).await;
    let to = parent.path().join("restored");
    let mut is_cut_off = false;
    for _ in 0..20 {
        let mut command = Command::new("env");
        command.arg("--default-signal=TERM").arg(PROGRAM).args(["restore", "--from", text(&from), "--data-dir"]);
        command.arg(&to).envs(node.settings()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let restore = command.spawn().unwrap();
        eventually("it begins", || to.join("shard-1.db").exists()).await;
        signal("-TERM", restore.id().unwrap()).await;
        let output = restore.wait_with_output().await.unwrap();
        assert!(matches!(output.status.code(), Some(0 | 143)), "{}", said(&output));
        if !to.exists() {
            assert!(said(&output).contains("nothing that it had made is left"), "{}", said(&output));
            is_cut_off = true;
            break;
        }
        // It was finished: what is there is whole.
        assert!(!to.join("restoring").exists(), "{}", said(&output));
        std::fs::remove_dir_all(&to).unwrap();
    }
    assert!(is_cut_off, "no restore was cut off");
    let output = node.command_in(&to, "restore", &["--from", text(&from)]).output().await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[tokio::test]
async fn restore_onto_a_full_disk_names_it_leaves_nothing_and_succeeds_with_room() {
    let node = TestNode::start_embedded().await;
    node.captured(1_000).await;
    let parent = tempfile::tempdir().unwrap();
    let from = parent.path().join("backup");
    back_up(&node, &from).await;
    let restore = ["--from", text(&from)];
    if let Some(_disk) = SmallDisk::at(&parent.path().join("small"), "64k") {
        let to = parent.path().join("small/data");
        let output = node.command_in(&to, "restore", &restore).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("small/data has") && said(&output).contains("bytes left"), "{}", said(&output));
        assert!(!to.exists());
    }
    // In the middle: the kernel lets it write no more than so many KiB into a file.
    let to = parent.path().join("restored");
    let script = "trap '' XFSZ; ulimit -f 40; exec \"$0\" restore --from \"$1\" --data-dir \"$2\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, PROGRAM]).args([&from, &to]).envs(node.settings());
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("restored/shard-1.db: File too large"), "{}", said(&output));
    assert!(!to.exists());
    let output = node.command_in(&to, "restore", &restore).output().await.unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Runs it without the rights of root over other accounts' files.
fn without_privilege(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    if rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", PROGRAM]);
    }
    command.args(args);
    command
}

#[tokio::test]
async fn backup_that_may_not_be_read_is_not_said_to_be_cut_off() {
    let node = TestNode::start_embedded().await;
    let parent = tempfile::tempdir().unwrap();
    let to = parent.path().join("backup");
    back_up(&node, &to).await;
    let close = |mode| std::fs::set_permissions(&to, Permissions::from_mode(mode)).unwrap();
    close(0o000);
    let output = without_privilege(&["restore", "--from", text(&to), "--check"]).output().await.unwrap();
    close(0o700);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("manifest.json: Permission denied"), "{}", said(&output));
    assert!(!said(&output).contains("no backup"), "{}", said(&output));
}

#[tokio::test]
async fn node_that_is_stopped_is_backed_up_unless_it_is_in_a_transaction() {
    let node = TestNode::start_embedded().await;
    node.captured(1_000).await;
    let parent = tempfile::tempdir().unwrap();
    let mut is_saved = false;
    for number in 0..20 {
        signal("-STOP", node.process_id()).await;
        let output = node.command("backup", &["--to", text(&parent.path().join(number.to_string()))]).await;
        signal("-CONT", node.process_id()).await;
        is_saved = output.status.success();
        if is_saved {
            break;
        }
        let process = node.process_id();
        let why = format!("is locked by process {process}, which is stopped in the middle of a transaction");
        assert!(said(&output).contains(&why), "{}", said(&output));
    }
    assert!(is_saved, "it is not always in a transaction");
    node.payment_is_authorized_captured_and_refunded().await;
}

#[tokio::test]
async fn fifo_in_a_backup_is_named_and_not_waited_for() {
    let node = TestNode::start_embedded().await;
    let parent = tempfile::tempdir().unwrap();
    for name in ["shard-2.db", "manifest.json"] {
        let to = parent.path().join(name);
        back_up(&node, &to).await;
        replace_by_fifo(&to.join(name)).await;
        let check = ["--from", text(&to), "--check"];
        let mut command = node.command_in(node.data_dir(), "restore", &check);
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it waits").unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(&format!("{name} is no regular file")), "{}", said(&output));
    }
}

async fn replace_by_fifo(path: &Path) {
    std::fs::remove_file(path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().await.unwrap().success());
}
