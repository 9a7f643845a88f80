//! What somebody on call does and sees at night: a start that waits is ended by a signal and says what it waits for, a
//! hung writer shows, a breaker stays as it was forced, a command that is interrupted says what it knows.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::node::{PATIENCE, PROGRAM, TestNode, eventually, greeted, order};

/// How soon a signal ends what it is to end.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn signal(process: &Child, name: &str) {
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args([name, &id]).status().await.unwrap().success());
}

/// A start that waits, and what it has said so far.
struct Waiting {
    process: Child,
    said: Vec<String>,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>,
}

impl Waiting {
    /// Until the start says that it waits for `place`.
    async fn start(data_dir: &Path, settings: &[(&str, String)], place: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).env("RUST_LOG", "info");
        command.envs(settings.iter().map(|(name, value)| (format!("RIALTO__{name}"), value)));
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut waiting = Self { process, said: Vec::new(), lines };
        waiting.says(|line| line.contains("\"message\":\"waiting\"") && line.contains(place)).await;
        waiting
    }

    async fn says(&mut self, wanted: impl Fn(&str) -> bool) {
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("not said: {:#?}", self.said)).unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended: {:#?}", self.said));
            self.said.push(line);
            if self.said.last().is_some_and(|line| wanted(line)) {
                return;
            }
        }
    }

    /// Sends the signal; all that the process has said once it has ended.
    async fn ended_by(mut self, name: &str) -> Vec<String> {
        let begun = Instant::now();
        signal(&self.process, &format!("-{name}")).await;
        let status = tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("it did not end").unwrap();
        assert!(begun.elapsed() < AT_ONCE, "{name}: {:?}", begun.elapsed());
        assert_eq!(status.code(), Some(0), "{:#?}", self.said);
        while let Ok(Some(line)) = self.lines.next_line().await {
            self.said.push(line);
        }
        self.said
    }
}

fn on_servers(database: &str, brokers: &str) -> Vec<(&'static str, String)> {
    vec![
        ("SHARD__COUNT", "1".to_owned()),
        ("SHARD__DATABASES", format!("[\"mysql://u:s3cret@{database}/d\"]")),
        ("KAFKA__BROKERS", brokers.to_owned()),
        ("PSP__URL", "http://127.0.0.1:1".to_owned()),
    ]
}

/// A server that is there and says nothing, and one that is not there.
#[tokio::test]
async fn a_signal_ends_a_start_that_waits_for_a_database() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = (silent.local_addr().unwrap().to_string(), silent);
    for (place, name) in [(silent.0.as_str(), "TERM"), ("127.0.0.1:1", "INT")] {
        let dir = tempfile::tempdir().unwrap();
        let waiting = Waiting::start(dir.path(), &on_servers(place, "127.0.0.1:1"), place).await;
        // Whoever closes the terminal of a start does not end it.
        signal(&waiting.process, "-HUP").await;
        let said = waiting.ended_by(name).await;
        let last = said.last().unwrap();
        for part in [&format!("SIG{name} during the start: stopped"), place, "since 2"] {
            assert!(last.contains(part), "{part}: {last}");
        }
        assert!(!said.iter().any(|line| line.contains("s3cret")), "{said:#?}");
        let waits: Vec<_> = said.iter().filter(|line| line.contains("\"message\":\"waiting\"")).collect();
        assert_eq!(waits.len(), 1, "told once: {said:#?}");
        let why = if place == silent.0 { "does not answer within" } else { "Connection refused" };
        assert!(waits[0].contains(why) && last.contains(why), "{why}: {said:#?}");
    }
}

#[tokio::test]
async fn a_start_that_waits_for_brokers_says_so_once_and_ends_at_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("KAFKA__BROKERS", "127.0.0.1:1".to_owned())];
    let waiting = Waiting::start(dir.path(), &settings, "Kafka at 127.0.0.1:1").await;
    let said = waiting.ended_by("TERM").await;
    assert!(said.last().unwrap().contains("it waited for Kafka at 127.0.0.1:1"), "{said:#?}");
    let waits: Vec<_> = said.iter().filter(|line| line.contains("\"message\":\"waiting\"")).collect();
    assert!(waits.len() == 1 && waits[0].contains("Connection refused"), "{said:#?}");
    let complaints = said.iter().filter(|line| line.contains("librdkafka")).count();
    assert!(complaints <= 2, "{complaints}: {said:#?}");
}

#[tokio::test]
async fn a_signal_ends_a_start_that_waits_for_a_locked_file() {
    let mut node = TestNode::start_embedded().await;
    assert!(node.terminate().await.success());
    let lock = Connection::open(node.data_dir().join("shard-1.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = Waiting::start(node.data_dir(), &[], "shard-1.db").await;
    let said = waiting.ended_by("TERM").await;
    let waiting = said.iter().find(|line| line.contains("\"message\":\"waiting\"")).unwrap();
    for line in [waiting, said.last().unwrap()] {
        assert!(line.contains("shard-1.db") && line.contains("may hold a lock"), "{said:#?}");
    }
    drop(lock);
    node.restart().await;
    node.authorize(1_000).await;
}

#[tokio::test]
async fn a_hangup_ends_no_node_and_names_are_listened_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "localhost:0", "--data-dir"]).arg(dir.path().join("data"));
    command.env("RUST_LOG", "info").stderr(std::fs::File::create(&log).unwrap());
    let (process, url) = greeted(command, "rialto: serving on ").await;
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    signal(&process, "-HUP").await;
    eventually("the line", async || std::fs::read_to_string(&log).unwrap().contains("SIGHUP is ignored").then_some(()))
        .await;
    let program: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
    assert_eq!((&program["name"], &program["links"]["documents"]), (&json!("rialto"), &json!("/docs")));
}

#[tokio::test]
async fn a_greeting_says_where_the_documents_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path()).env("RUST_LOG", "error");
    let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let url = line.strip_prefix("rialto: serving on ").unwrap().split(' ').next().unwrap();
    assert!(line.ends_with(&format!("(documents: {url}/docs)")), "{line}");
    assert!(reqwest::get(format!("{url}/docs")).await.unwrap().status().is_success());
}

/// Another process that holds the file's write lock, as a backup that hangs does.
#[tokio::test]
async fn a_hung_writer_shows_in_readiness_within_two_seconds() {
    let node = TestNode::start_embedded().await;
    for merchant in ["MERCHANT-1", "MERCHANT-2"] {
        node.authorize_for(merchant, 1_000).await;
    }
    let authorize = async || node.get("/readyz").await.json()["capabilities"]["authorize"].clone();
    let lock = Connection::open(node.data_dir().join("shard-1.db")).unwrap();
    lock.busy_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = eventually("readiness says so", async || {
        Some(authorize().await).filter(|authorize| authorize["status"] == "degraded")
    })
    .await;
    // One look takes half a second at most, and may have begun just before.
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
    assert!(said["reasons"][0].as_str().unwrap().contains("shard 1 takes no writes"), "{said:#}");
    node.authorize_for("MERCHANT-2", 1_000).await;
    drop(lock);
    eventually("it is well again", async || (authorize().await["status"] == "up").then_some(())).await;
    node.authorize_for("MERCHANT-1", 1_000).await;
}

/// `rialto NAME ARGS` against the node.
async fn ask(node: &TestNode, name: &str, args: &[&str]) -> Output {
    ask_at(&node.url, name, args).await
}

/// As [`ask`], of a node by its URL.
pub async fn ask_at(url: &str, name: &str, args: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg(name).args(args).args(["--url", url]);
    if !args.contains(&"--operator") {
        command.args(["--operator", "kim"]);
    }
    command.output().await.unwrap()
}

async fn done(node: &TestNode, name: &str, args: &[&str]) -> String {
    let output = ask(node, name, args).await;
    assert!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_forced_breaker_stays_forced_over_a_restart_and_says_who_and_why() {
    let mut node = TestNode::start().await;
    let reason = "the PSP doubles captures, ticket 4711";
    let said = done(&node, "breaker", &["force", "psp", "open", "--reason", reason]).await;
    assert!(said.contains("forced_open") && said.contains(reason), "{said}");
    let held = async |node: &TestNode| {
        let body = order("MERCHANT-1", 1_000);
        let refused = node.post("/payments/authorize", &body).await.expect_problem(503, "psp_unavailable");
        assert_eq!(refused.header("retry-after"), None, "nobody knows for how long");
        let breakers = node.get("/admin/breakers").await.expect(200).json();
        let forced = breakers["data"][0]["forced"].clone();
        assert_eq!((&forced["operator"], &forced["source"]), (&json!("kim"), &json!("127.0.0.1")), "{breakers:#}");
        assert_eq!((&forced["reason"], &forced["scope"]), (&json!(reason), &json!("cluster")), "{breakers:#}");
        assert!(breakers["data"][0].get("retryAfterMs").is_none(), "{breakers:#}");
        let ready = node.get("/readyz").await.json();
        let authorize = ready["capabilities"]["authorize"].to_string();
        assert!(authorize.contains("by kim since") && authorize.contains(reason), "{ready:#}");
    };
    held(&node).await;
    node.kill().await;
    node.restart().await;
    held(&node).await;
    eventually("its age is measured", async || {
        let metrics = node.get("/metrics").await.text;
        let line = metrics.lines().find(|line| line.starts_with("rialto_breaker_forced_seconds{breaker=\"psp\"}"))?;
        line.split(' ').next_back()?.parse::<f64>().ok().filter(|age| *age >= 1.0)
    })
    .await;
    let listed = done(&node, "breaker", &["list"]).await;
    assert!(listed.starts_with("name ") && listed.contains(reason), "{listed}");
    done(&node, "breaker", &["clear", "psp", "--reason", "mended"]).await;
    node.authorize(1_000).await;
    node.kill().await;
    node.restart().await;
    node.authorize(1_000).await;
    let trail = node.get("/admin/actions").await.expect(200).json();
    let details: Vec<_> = trail["data"].as_array().unwrap().iter().map(|action| action["detail"].clone()).collect();
    assert_eq!(details, [json!("given back to itself: mended"), json!(format!("forced Open: {reason}"))]);
    for args in [&["force", "nothing", "open", "--reason", "x"][..], &["force", "psp", "open", "--reason", " "]] {
        assert_eq!(ask(&node, "breaker", args).await.status.code(), Some(1), "{args:?}");
    }
    assert_eq!(ask(&node, "breaker", &["force", "psp", "open"]).await.status.code(), Some(2), "a reason is required");
}

#[tokio::test]
async fn a_breaker_that_is_forced_on_one_node_is_forced_on_all_within_two_seconds() {
    let Some(node) = TestNode::start_role("all", &[]).await else { return };
    let other = node.join("all", 2).await;
    let state = async || {
        let answer = node.send(node.http.get(format!("{}/admin/breakers", other.url))).await.expect(200).json();
        answer["data"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state().await, "closed");
    for (order, wanted) in [(Some("open"), "forced_open"), (Some("closed"), "forced_closed"), (None, "closed")] {
        node.force_breaker("psp", order).await;
        let begun = Instant::now();
        eventually(wanted, async || (state().await == wanted).then_some(())).await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{wanted}: {:?}", begun.elapsed());
    }
}

/// It holds where it was given, and says so.
#[tokio::test]
async fn without_a_shared_store_a_forced_breaker_holds_on_its_node_only_and_says_so() {
    let Some(node) = TestNode::start_role("all", &[("CONTROL__DATABASE", "")]).await else { return };
    let other = node.join("all", 2).await;
    let said = done(&node, "breaker", &["force", "psp", "open", "--reason", "x"]).await;
    assert!(said.contains("on this node only"), "{said}");
    let breakers = node.get("/admin/breakers").await.expect(200).json();
    assert_eq!(breakers["data"][0]["forced"]["scope"], "node", "{breakers:#}");
    let seen = node.send(node.http.get(format!("{}/admin/breakers", other.url))).await.expect(200).json();
    assert_eq!(seen["data"][0]["state"], "closed", "{seen:#}");
}

/// What is known holds on, and an order that is given meanwhile holds where it was given until the store can have it.
#[tokio::test]
async fn a_breaker_can_be_forced_while_the_control_store_is_away_which_has_it_later() {
    let mut node = TestNode::start_embedded().await;
    node.force_breaker("psp_lookup", Some("closed")).await;
    let (file, aside) = (node.data_dir().join("control.db"), node.data_dir().join("aside.db"));
    std::fs::rename(&file, &aside).unwrap();
    let said = done(&node, "breaker", &["force", "psp", "open", "--reason", "x"]).await;
    assert!(said.contains("on this node only"), "{said}");
    let clear = json!({"state": null});
    node.put("/admin/breakers/psp_lookup", &clear).await.expect_problem(503, "storage_unavailable");
    eventually("operate is degraded", async || {
        let ready = node.get("/readyz").await.json();
        ready["capabilities"]["operate"].to_string().contains("control store is away").then_some(())
    })
    .await;
    let breakers = async |node: &TestNode| {
        let found = node.get("/admin/breakers").await.expect(200).json();
        found["data"].as_array().unwrap().clone()
    };
    let states = async |node: &TestNode| breakers(node).await.iter().map(|found| found["state"].clone()).collect();
    let held: Vec<Value> = states(&node).await;
    assert_eq!(held, ["forced_open", "closed", "forced_closed"]);
    std::fs::rename(&aside, &file).unwrap();
    eventually("the store has it", async || (breakers(&node).await[0]["forced"]["scope"] == "cluster").then_some(()))
        .await;
    node.kill().await;
    node.restart().await;
    let held_again: Vec<Value> = states(&node).await;
    assert_eq!(held_again, held);
}

#[tokio::test]
async fn faults_are_listed_set_and_cleared_by_command() {
    let node = TestNode::start_embedded_with(&[("FAULTS__ENABLED", "true")]).await;
    assert_eq!(done(&node, "faults", &["list"]).await, "actor  shard  fault  times\n");
    let set = ["set", "resolver", "delay=5", "--shard", "1", "--times", "1000"];
    assert_eq!(done(&node, "faults", &set).await, "1 actors have it\n");
    let listed = done(&node, "faults", &["list"]).await;
    assert!(listed.contains("resolver  1") && listed.contains("{\"delay\":5}"), "{listed}");
    done(&node, "faults", &["clear"]).await;
    assert_eq!(done(&node, "faults", &["list"]).await.lines().count(), 1);
    assert_eq!(ask(&node, "faults", &["set", "nobody", "panic"]).await.status.code(), Some(1));
    assert_eq!(ask(&node, "faults", &["set", "resolver", "explode"]).await.status.code(), Some(2));
}

#[tokio::test]
async fn dead_letters_are_listed_under_a_header_and_exit_codes_tell() {
    let node = TestNode::start_embedded().await;
    let listed = done(&node, "dlq", &["list"]).await;
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>()[..3], ["id", "status", "topic"], "{listed}");
    assert_eq!(ask(&node, "dlq", &["list", "--status", "closed"]).await.status.code(), Some(1));
    assert_eq!(ask(&node, "dlq", &["list", "--limit", "many"]).await.status.code(), Some(2));
    let nobody = Command::new(PROGRAM).args(["dlq", "list", "--url", "http://127.0.0.1:1"]).output().await.unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    let help = Command::new(PROGRAM).args(["dlq", "--help"]).output().await.unwrap();
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit code: 0"), "{help:?}");
}

#[tokio::test]
async fn a_load_run_that_is_interrupted_says_what_it_has_measured() {
    let node = TestNode::start_embedded().await;
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let mut command = Command::new(PROGRAM);
        command.args(["load", "--scenario", "authorize", "--connections", "2", "--duration", "10m", "--json"]);
        command.arg(&path).args(["--url", &node.url]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command.kill_on_drop(true).spawn().unwrap();
        let served = async || {
            let metrics = node.get("/metrics").await.text;
            let is_count =
                |line: &&str| line.starts_with("rialto_psp_call_seconds_count") && line.contains("authorize");
            metrics.lines().filter(is_count).filter_map(|line| line.split(' ').next_back()?.parse::<f64>().ok()).sum()
        };
        let before: f64 = served().await;
        eventually("it sends", async || (served().await > before).then_some(())).await;
        signal(&process, &format!("-{name}")).await;
        let output = tokio::time::timeout(PATIENCE, process.wait_with_output()).await.expect("it ended").unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(&format!("interrupted by SIG{name}")) && said.contains("succeeded"), "{said}");
        let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(written["interruptedBy"], format!("SIG{name}"), "{written:#}");
        assert!(written["succeeded"].as_u64() > Some(0), "{written:#}");
    }
}

#[tokio::test]
async fn money_is_audited_while_the_control_store_is_away() {
    let mut node = TestNode::start_embedded().await;
    node.captured(1_000).await;
    node.audit().await;
    assert!(node.terminate().await.success());
    std::fs::rename(node.data_dir().join("control.db"), node.data_dir().join("aside")).unwrap();
    let output = node.command("audit", &["--json"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{report:#}");
    assert_eq!((&report["payments"], &report["broken"], &report["clean"]), (&json!(1), &json!(0), &json!(false)));
    let trail = report["invariants"].as_array().unwrap().iter().find(|line| line["name"] == "trail.whole").unwrap();
    assert!(trail["unchecked"].as_str().unwrap().contains("control.db"), "{trail:#}");
}
