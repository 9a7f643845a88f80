//! A disk that is full, and has room again: nothing that was said is lost, and nothing needs a restart.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::node::{PROGRAM, Payment, TestNode, eventually, greeted, order};

/// A small disk of a test's own, at a directory.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where a file system cannot be mounted.
    pub fn at(dir: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(dir).unwrap();
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "rialto-test"]).arg(dir).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("skipped: mounting a tmpfs needs root");
            return None;
        }
        Some(Self(dir.to_owned()))
    }

    fn grow(&self, size: &str) {
        let grown = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a node may have its files open yet.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Moves a database that nobody has open to another disk, and leaves a link to it.
fn move_to(disk: &Path, dir: &Path, file: &str) {
    for end in ["", "-wal"] {
        let (from, to) = (dir.join(format!("{file}{end}")), disk.join(format!("{file}{end}")));
        if from.exists() {
            std::fs::copy(&from, to).unwrap();
            std::fs::remove_file(from).unwrap();
        }
    }
    let _ = std::fs::remove_file(dir.join(format!("{file}-shm")));
    std::os::unix::fs::symlink(disk.join(file), dir.join(file)).unwrap();
}

const SETTINGS: [(&str, &str); 6] = [
    // These disks are small for good.
    ("STORAGE__FREE_MIN_BYTES", "0"),
    ("BREAKER__OPEN_MS", "500"),
    ("RESOLVER__AFTER_MS", "6000"),
    ("RESOLVER__LADDER_MS", "[200,500,500,1000,1000]"),
    ("DEAD_LETTERS__REDRIVE_EVERY_MS", "1000"),
    ("TELEMETRY__OBSERVE_EVERY_MS", "200"),
];

/// An order that takes much room.
fn large(merchant: usize) -> Value {
    let mut order = order(&format!("M{merchant}"), 1_000);
    order["metadata"] = json!({ "note": "x".repeat(400) });
    order
}

/// Authorizes until that fails; every order that was answered with 200, with its payment.
async fn fill(node: &TestNode) -> Vec<(Value, Payment)> {
    let mut told = Vec::new();
    for n in 0..20_000 {
        let order = large(n % 7);
        let answer = node.post("/payments/authorize", &order).await;
        if answer.status != 200 {
            // What is under way is not said to be done.
            assert!(matches!(answer.status, 202 | 503), "{}", answer.text);
            return told;
        }
        told.push((order, payment(&answer.json())));
    }
    panic!("the disk does not fill");
}

fn payment(body: &Value) -> Payment {
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    Payment { id: text("paymentId"), merchant: text("merchantId") }
}

/// Everything that was said is there and stays the same.
async fn holds(node: &TestNode, told: &[(Value, Payment)]) {
    for (order, payment) in told {
        assert_eq!(node.look_up(payment).await["status"], "AUTHORIZED", "{}", payment.id);
        let again = node.post("/payments/authorize", order).await.expect(200).json();
        assert_eq!(again["paymentId"], payment.id.as_str(), "the key is known");
    }
}

/// Payments are taken and booked again, and everything that was said outlives the process. The node ends before its
/// disk.
async fn goes_on(mut node: TestNode, told: &[(Value, Payment)]) {
    let taken = node.captured(1_000).await;
    node.ledger(&taken, 1).await;
    holds(&node, told).await;
    node.kill().await;
    node.restart().await;
    holds(&node, told).await;
    node.audit().await;
}

/// A node with all its data on a small disk, or with one file of them.
async fn survives_a_full_disk(file: Option<&str>) {
    let mut node = TestNode::start_embedded_with(&SETTINGS).await;
    node.kill().await;
    let dir = node.data_dir().to_owned();
    let disk = match file {
        None => SmallDisk::at(&dir, "3m"),
        Some(_) => SmallDisk::at(&dir.join("small"), "2m"),
    };
    let Some(disk) = disk else { return };
    if let Some(file) = file {
        move_to(&dir.join("small"), &dir, file);
    }
    node.restart().await;
    let mut told = fill(&node).await;
    assert!(!told.is_empty());
    disk.grow("200m");
    eventually("ready again", async || {
        let ready = node.get("/readyz").await;
        (ready.status == 200 && ready.json()["status"] == "up").then_some(())
    })
    .await;
    for n in 0..50 {
        let order = large(n % 7);
        let answer = eventually("authorized", async || {
            let answer = node.post("/payments/authorize", &order).await;
            (answer.status == 200).then_some(answer)
        });
        told.push((order.clone(), payment(&answer.await.json())));
    }
    goes_on(node, &told).await;
}

#[tokio::test]
async fn a_full_disk_under_all_data_loses_nothing_that_was_said() {
    survives_a_full_disk(None).await;
}

#[tokio::test]
async fn a_full_disk_under_a_shard_loses_nothing_that_was_said() {
    survives_a_full_disk(Some("shard-1.db")).await;
}

#[tokio::test]
async fn a_full_disk_under_the_books_of_the_psp_loses_nothing_that_was_said() {
    survives_a_full_disk(Some("psp.db")).await;
}

/// The event log's disk is nobody's concern who pays: events wait.
#[tokio::test]
async fn a_full_disk_under_the_event_log_puts_events_off() {
    let mut node = TestNode::start_embedded_with(&SETTINGS).await;
    node.kill().await;
    let dir = node.data_dir().to_owned();
    let Some(disk) = SmallDisk::at(&dir.join("small"), "1m") else { return };
    move_to(&dir.join("small"), &dir, "events.db");
    node.restart().await;
    let mut told = Vec::new();
    loop {
        let order = large(told.len() % 7);
        let answer = node.post("/payments/authorize", &order).await.expect(200);
        told.push((order, payment(&answer.json())));
        if node.get("/readyz").await.json()["capabilities"]["publish"]["status"] == "down" {
            break;
        }
        assert!(told.len() < 20_000, "the disk does not fill");
    }
    disk.grow("200m");
    goes_on(node, &told).await;
}

/// What is out says so once, whoever meets it how often: the log must not fill a disk that is full.
#[tokio::test]
async fn a_full_disk_is_logged_in_a_handful_of_lines() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let Some(disk) = SmallDisk::at(&data, "3m") else { return };
    let log = dir.path().join("log");
    let mut command = tokio::process::Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data).env_remove("RUST_LOG");
    command.envs(SETTINGS.map(|(name, value)| (format!("RIALTO__{name}"), value)));
    command.stderr(std::fs::File::create(&log).unwrap());
    let (mut process, url) = greeted(command, "rialto: serving on ").await;
    let started = std::fs::read_to_string(&log).unwrap().lines().count();
    let (http, authorize) = (reqwest::Client::new(), format!("{url}/payments/authorize"));
    let mut failed = 0;
    for n in 0..20_000 {
        let answer = http.post(&authorize).json(&large(n % 7)).send().await.unwrap();
        failed += usize::from(answer.status() != 200);
        if failed == 1_000 {
            break;
        }
    }
    assert_eq!(failed, 1_000, "the disk does not fill");
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().skip(started).collect();
    assert!((1..=40).contains(&lines.len()), "{} lines: {lines:#?}", lines.len());
    process.kill().await.unwrap();
    drop(disk);
}

#[tokio::test]
async fn a_full_disk_is_named_while_it_lasts() {
    let mut node = TestNode::start_embedded_with(&SETTINGS).await;
    node.kill().await;
    let dir = node.data_dir().to_owned();
    let Some(disk) = SmallDisk::at(&dir.join("small"), "2m") else { return };
    for shard in 1..=2 {
        move_to(&dir.join("small"), &dir, &format!("shard-{shard}.db"));
    }
    node.restart().await;
    fill(&node).await;
    // Not even a small one finds room on the shard that failed.
    let refused = eventually("refused", async || {
        let answer = node.post("/payments/authorize", &large(1)).await;
        (answer.status == 503 && answer.code() == "storage_unavailable").then_some(answer)
    });
    assert!(refused.await.header("retry-after").is_some());
    let ready = node.get("/readyz").await.json();
    let reasons = ready["capabilities"]["authorize"]["reasons"].to_string();
    assert!(reasons.contains("takes no writes: the disk is full"), "{reasons}");
    eventually("the metric", async || {
        node.get("/metrics")
            .await
            .text
            .lines()
            .any(|line| line.starts_with("rialto_shard_up") && line.ends_with(" 0"))
            .then_some(())
    })
    .await;
    disk.grow("200m");
    eventually("ready again", async || {
        (node.get("/readyz").await.json()["capabilities"]["authorize"]["status"] == "up").then_some(())
    })
    .await;
    drop(node);
}
