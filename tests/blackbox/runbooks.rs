//! The commands of docs/operations.md do what the page says: each block that is marked `sh` is run here, against a node
//! of its own; those marked `sh servers` are run by tests/runbooks.sh, on real servers.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::crashes::FAST;
use crate::dead_letters::{POLL, ledger_refuses, letters, unbooked};
use crate::node::{PATIENCE, PROGRAM, TestNode, order};

/// A section of the page that has commands, with its blocks.
struct Runbook {
    chapter: String,
    name: String,
    /// What is written behind the fence, and what is in it.
    blocks: Vec<(String, String)>,
}

impl Runbook {
    /// All blocks that are run here, as one script.
    fn script(&self) -> String {
        self.blocks.iter().filter(|(mark, _)| mark == "sh").map(|(_, text)| text.as_str()).collect()
    }
}

/// The sections of the page, of those chapters that tell what to do.
fn runbooks() -> Vec<Runbook> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let (mut found, mut chapter, mut fence) = (Vec::<Runbook>::new(), String::new(), None::<(String, String)>);
    for line in std::fs::read_to_string(page).unwrap().lines() {
        if let Some(mark) = line.strip_prefix("```") {
            match fence.take() {
                None => fence = Some((mark.to_owned(), String::new())),
                // None: it is of no section.
                Some(block) => found.last_mut().into_iter().for_each(|last| last.blocks.push(block.clone())),
            }
        } else if let Some((_, text)) = &mut fence {
            text.push_str(line);
            text.push('\n');
        } else if let Some(name) = line.strip_prefix("## ") {
            chapter = name.to_owned();
            found.push(Runbook { chapter: chapter.clone(), name: chapter.clone(), blocks: Vec::new() });
        } else if let Some(name) = line.strip_prefix("### ") {
            found.push(Runbook { chapter: chapter.clone(), name: name.to_owned(), blocks: Vec::new() });
        }
    }
    found.retain(|found| match found.chapter.as_str() {
        "Alerts" | "Runbooks" => found.name != found.chapter,
        "Backups" => true,
        _ => false,
    });
    found
}

#[test]
fn each_runbook_has_whole_commands_and_each_block_is_run_by_a_test() {
    let runbooks = runbooks();
    let count = |chapter: &str| runbooks.iter().filter(|runbook| runbook.chapter == chapter).count();
    assert!(count("Alerts") > 20 && count("Runbooks") > 5 && count("Backups") == 1, "the page has changed its form");
    for Runbook { name, blocks, .. } in &runbooks {
        assert!(!blocks.is_empty(), "{name} has no commands");
        for (mark, text) in blocks {
            assert!(["sh", "sh servers"].contains(&mark.as_str()), "{name}: nobody runs a block marked {mark:?}");
            assert!(!text.trim().is_empty(), "{name} has an empty block");
        }
    }
}

/// The name that GitHub gives a heading, by which links find it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || ['-', '_', ' '].contains(c);
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_to_the_page_lead_to_its_sections() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let page = read("docs/operations.md");
    let sections: Vec<_> = page.lines().filter(|line| line.starts_with("##")).collect();
    let sections: Vec<_> = sections.iter().map(|line| anchor(line.trim_start_matches('#'))).collect();
    let mut links = 0;
    let decisions = std::fs::read_dir(root.join("docs/decisions")).unwrap();
    let decisions = decisions.map(|entry| format!("docs/decisions/{}", entry.unwrap().file_name().to_str().unwrap()));
    let pages = ["README.md", "docs/deployment.md", "docs/reliability.md", "deploy/prometheus/rules/alerts.yml"];
    let files = pages.into_iter().chain(["src/cli/backup.rs", "src/cli/restore.rs"]);
    for file in files.map(str::to_owned).chain(decisions).chain(["docs/operations.md".to_owned()]) {
        let mark = if file == "docs/operations.md" { "(#" } else { "operations.md#" };
        for rest in read(&file).split(mark).skip(1) {
            let link: String = rest.chars().take_while(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect();
            assert!(sections.contains(&link), "{file} links to #{link}, and there is no such section");
            links += 1;
        }
    }
    assert!(links > 40, "{links}");
}

/// Where commands find what they go by, besides the node.
struct Stage {
    backups: TempDir,
    more: Vec<(&'static str, String)>,
}

impl Stage {
    /// With a backup of the node, as `last`.
    async fn of(node: &TestNode) -> Self {
        let backups = tempfile::tempdir().unwrap();
        let last = backups.path().join("last");
        let output = node.command("backup", &["--to", last.to_str().unwrap()]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { backups, more: Vec::new() }
    }
}

/// Runs a runbook's commands as an operator's shell would, stopping at the first that fails.
async fn run(runbook: &Runbook, node: &mut TestNode, stage: &Stage) {
    let script = runbook.script();
    assert!(!script.is_empty(), "{} has nothing to run here", runbook.name);
    let programs = PathBuf::from(PROGRAM).parent().unwrap().to_owned();
    let path = std::env::join_paths(
        std::iter::once(programs).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut command = Command::new("bash");
    // What was started in the background ends with the shell.
    let whole = format!("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null && wait || true' EXIT\n{script}");
    command.arg("-c").arg(whole).env("PATH", path.unwrap()).envs(node.settings()).env("RUST_LOG", "warn");
    command.env("NODE", &node.url).env("DATA", node.data_dir()).env("PID", node.process_id().to_string());
    command.env("BACKUPS", stage.backups.path()).envs(stage.more.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let stops = script.contains("kill -TERM");
    let (output, ()) = tokio::join!(tokio::time::timeout(PATIENCE, command.output()), async {
        // A process that has ended is there until somebody asks how.
        if stops {
            assert!(node.ended().await.success());
        }
    });
    let output = output.unwrap_or_else(|_| panic!("{}: it does not end\n{script}", runbook.name)).unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("--- {}\n{said}{complained}", runbook.name);
    assert!(output.status.success(), "{}: {}\n{script}\n{said}{complained}", runbook.name, output.status);
}

#[tokio::test]
async fn commands_of_the_alerts_runbooks_succeed() {
    let quick = ("TELEMETRY__OBSERVE_EVERY_MS", "200");
    let (mut node, payments) = unbooked(&[POLL, quick, ("TELEMETRY__LEDGER_EVERY_MS", "200")], 1).await;
    let letter = letters(&node, "topic=payment.dlq&status=open").await[0]["id"].as_str().unwrap().to_owned();
    ledger_refuses(&node, false).await;
    let mut stage = Stage::of(&node).await;
    stage.more = vec![("LETTER", letter), ("PAYMENT", payments[0].id.clone())];
    let mut alerts = runbooks();
    alerts.retain(|runbook| runbook.chapter == "Alerts");
    // First the one that mends what the node was given.
    alerts.sort_by_key(|runbook| runbook.name != "DeadLetters");
    for runbook in &alerts {
        run(runbook, &mut node, &stage).await;
        node.ledger(&payments[0], 1).await;
    }
    node.audit().await;
}

/// Runs one section that is not about an alert, against a node with a payment and a backup of it.
async fn follow(name: &str) -> (TestNode, Stage) {
    let mut node = TestNode::start_embedded_with(FAST).await;
    let payment = node.captured(1_000).await;
    node.ledger(&payment, 1).await;
    let stage = Stage::of(&node).await;
    let runbooks = runbooks();
    let runbook = runbooks.iter().find(|runbook| runbook.name == name).unwrap_or_else(|| panic!("no section {name}"));
    run(runbook, &mut node, &stage).await;
    (node, stage)
}

#[tokio::test]
async fn commands_by_which_backups_are_made_succeed() {
    let (node, stage) = follow("Backups").await;
    let made = std::fs::read_dir(stage.backups.path()).unwrap().count();
    assert_eq!(made, 2, "one more than the last one");
    node.audit().await;
}

#[tokio::test]
async fn commands_by_which_a_backup_is_restored_succeed() {
    let (mut node, _stage) = follow("Restore a backup").await;
    node.restart().await;
    node.payment_is_authorized_captured_and_refunded().await;
}

#[tokio::test]
async fn commands_for_a_full_disk_and_a_set_clock_succeed() {
    for name in ["The disk is full", "The clock was set"] {
        let (node, _stage) = follow(name).await;
        node.audit().await;
    }
}

#[tokio::test]
async fn commands_for_a_damaged_file_name_it() {
    let (node, stage) = follow("A file is damaged").await;
    // The same with damage: pages of a table are overwritten, and the file is named.
    let path = stage.backups.path().join("damaged/shard-1.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    let mut bytes = std::fs::read(&path).unwrap();
    for page in 2..bytes.len() / 4_096 {
        bytes[page * 4_096..page * 4_096 + 32].fill(0xff);
    }
    std::fs::write(&path, bytes).unwrap();
    let damaged = path.parent().unwrap();
    let to = stage.backups.path().join("of-damaged");
    let mut command = node.command_in(damaged, "backup", &["--to", to.to_str().unwrap()]);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("shard-1.db"), "{said}");
}

#[tokio::test]
async fn commands_for_a_psp_that_went_on_release_what_nobody_knows() {
    let mut node = TestNode::start_embedded_beside_psp(FAST).await;
    let mut stage = Stage::of(&node).await;
    let lost = node.post("/payments/authorize", &order("MERCHANT-1", 700)).await.expect(200).json();
    let text = |name: &str| lost[name].as_str().unwrap().to_owned();
    let psp = node.take_psp();
    node.kill().await;
    let data_dir = tempfile::tempdir().unwrap();
    let last = stage.backups.path().join("last");
    let mut restore = node.command_in(data_dir.path(), "restore", &["--from", last.to_str().unwrap()]);
    assert_eq!(restore.output().await.unwrap().status.code(), Some(1), "the audit names the payment");
    let mut node = TestNode::start_on(data_dir, &node).await;
    stage.more = vec![
        ("PSP", psp.url.clone()),
        ("LOST", text("paymentId")),
        ("MERCHANT", text("merchantId")),
        ("AMOUNT", "700".to_owned()),
        ("CURRENCY", text("currency")),
    ];
    let runbooks = runbooks();
    let runbook = runbooks.iter().find(|runbook| runbook.name == "A restored node and a PSP that went on").unwrap();
    run(runbook, &mut node, &stage).await;
    let books = node.http.get(format!("{}/v1/books/authorizations?after=&limit=10", psp.url)).send().await.unwrap();
    let books: Value = books.json().await.unwrap();
    assert_eq!((books.as_array().unwrap().len(), &books[0]["voided"]), (1, &Value::Bool(true)), "{books:#}");
}
