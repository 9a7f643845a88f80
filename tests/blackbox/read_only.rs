//! Audits where nothing can be written, such as a snapshot of a disk that is mounted read-only.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::node::TestNode;

/// A directory under another name, where nobody can write.
struct ReadOnly(PathBuf);

impl ReadOnly {
    /// None where nothing can be mounted.
    fn of(dir: &Path, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").arg("--bind").args([dir, at]).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("skipped: mounting needs root");
            return None;
        }
        let mount = Self(at.to_owned());
        assert!(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(at).status().unwrap().success());
        assert!(std::fs::write(at.join("probe"), "").is_err(), "it can be written to");
        Some(mount)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.path(), entry.metadata().unwrap().len())
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn audit_reads_a_directory_that_cannot_be_written_to() {
    let mut node = TestNode::start_embedded().await;
    let payment = node.captured(1_000).await;
    node.ledger(&payment, 1).await;
    node.audit().await;
    let parent = tempfile::tempdir().unwrap();
    // Beside the node that runs: its write-ahead log is read.
    let at = parent.path().join("running");
    let Some(_mount) = ReadOnly::of(node.data_dir(), &at) else { return };
    let (code, said) = audited(&node, &at).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 payment"), "{said}");

    // After a kill: the log is there, with its index or without.
    node.kill().await;
    let (code, said) = audited(&node, &at).await;
    assert_eq!(code, Some(0), "{said}");
    for entry in std::fs::read_dir(node.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with("-shm") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (code, said) = audited(&node, &at).await;
    assert_eq!(code, Some(2), "what is in the log is not left out: {said}");
    assert!(said.contains("has a write-ahead log, which cannot be read"), "{said}");

    // Whoever closes a file last takes its log in: nothing is beside it then.
    for file in ["shard-1.db", "shard-2.db", "control.db", "events.db", "psp.db"] {
        let db = rusqlite::Connection::open(node.data_dir().join(file)).unwrap();
        db.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(())).unwrap();
        drop(db);
        assert!(!node.data_dir().join(format!("{file}-wal")).exists(), "{file}");
    }
    let before = files(&at);
    let (code, said) = audited(&node, &at).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 payment"), "{said}");
    assert_eq!(files(&at), before, "nothing is made");
}

/// How the audit of a directory ended, and what it said.
async fn audited(node: &TestNode, dir: &Path) -> (Option<i32>, String) {
    let output = node.command_in(dir, "audit", &["--settled"]).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}
