//! Standard output and error that are full, closed or read by nobody: they cost lines, and no payment.

use std::fs::File;
use std::net::TcpListener;
use std::process::Stdio;

use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::node::{PATIENCE, PROGRAM, TestNode, eventually, once_taken_on, order};

/// `rialto serve` with outputs of the test's choice.
struct Serving {
    process: Child,
    url: String,
    http: reqwest::Client,
    data_dir: TempDir,
}

impl Serving {
    /// By a command that is given the program's arguments.
    async fn start(mut command: Command, stdout: Stdio, stderr: Stdio) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let data_dir = tempfile::tempdir().unwrap();
        command.args(["serve", "--listen", &address, "--data-dir"]).arg(data_dir.path()).env("RUST_LOG", "trace");
        let process = command.stdout(stdout).stderr(stderr).kill_on_drop(true).spawn().unwrap();
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let serving = Self { process, url: format!("http://{address}"), http, data_dir };
        eventually("it serves", async || serving.get("/readyz").await).await;
        serving
    }

    async fn get(&self, path: &str) -> Option<String> {
        self.http.get(format!("{}{path}", self.url)).send().await.ok()?.text().await.ok()
    }

    async fn authorizes(&self, count: usize) {
        for _ in 0..count {
            let call = self.http.post(format!("{}/payments/authorize", self.url)).json(&order("MERCHANT-1", 1_000));
            once_taken_on(call).await.expect(200);
        }
    }

    /// Each call is a line of the log, and costs little beside it.
    async fn is_asked_for_nothing(&self, count: usize) {
        let calls = (0..count).map(|_| self.http.post(format!("{}/payments", self.url)).json(&json!({})).send());
        for answer in join_all(calls).await {
            assert_eq!(answer.unwrap().status(), 400);
        }
    }

    async fn lost(&self) -> u64 {
        let text = self.get("/metrics").await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("rialto_log_lines_lost_total ")).unwrap().to_owned();
        line.parse().unwrap()
    }

    /// Has it write until a line is lost, which is told.
    async fn loses_lines_alone(&self) {
        self.authorizes(20).await;
        eventually("a line is lost", async || {
            self.is_asked_for_nothing(100).await;
            (self.lost().await > 0).then_some(())
        })
        .await;
        self.authorizes(20).await;
    }

    /// SIGTERM; it ends as it should.
    async fn ends(mut self) -> TempDir {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("it does not end").unwrap();
        assert!(ended.success(), "{ended}");
        self.data_dir
    }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[tokio::test]
async fn a_full_output_costs_lines_and_no_payment() {
    let node = Serving::start(Command::new(PROGRAM), full(), full()).await;
    node.loses_lines_alone().await;
    node.ends().await;
}

#[tokio::test]
async fn an_output_whose_reader_has_gone_costs_lines_and_no_payment() {
    let mut node = Serving::start(Command::new(PROGRAM), Stdio::piped(), Stdio::piped()).await;
    drop((node.process.stdout.take(), node.process.stderr.take()));
    node.loses_lines_alone().await;
    node.ends().await;
}

#[tokio::test]
async fn an_output_that_nobody_reads_blocks_nothing() {
    let node = Serving::start(Command::new(PROGRAM), Stdio::piped(), Stdio::piped()).await;
    node.loses_lines_alone().await;
    node.ends().await;
}

#[tokio::test]
async fn closed_outputs_do_not_matter() {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"exec "$0" "$@" >&- 2>&-"#, PROGRAM]);
    let node = Serving::start(shell, Stdio::null(), Stdio::null()).await;
    node.authorizes(20).await;
    node.ends().await;
}

#[tokio::test]
async fn a_command_whose_output_cannot_be_written_says_so_and_does_not_panic() {
    let node = TestNode::start_embedded().await;
    node.authorize(1_000).await;
    let (data_dir, url) = (node.data_dir().to_str().unwrap().to_owned(), node.url.clone());
    let commands: [&[&str]; 6] = [
        &["audit", "--data-dir", &data_dir],
        &["audit", "--data-dir", &data_dir, "--json"],
        &["dlq", "--url", &url, "--json", "list"],
        &["replay", "--data-dir", &data_dir, "--topic", "payment.captured", "--from-offset", "0"],
        &["load", "--url", &url, "--scenario", "authorize", "--duration", "1s", "--connections", "1"],
        &["--help"],
    ];
    for args in commands {
        let mut command = Command::new(PROGRAM);
        command.args(args).env("RUST_LOG", "warn").stdout(full()).stderr(Stdio::piped());
        let said = command.spawn().unwrap().wait_with_output().await.unwrap();
        let complaint = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(74), "{args:?}: {complaint}");
        assert!(complaint.contains("No space left on device"), "{args:?}: {complaint}");
        let ended = Command::new(PROGRAM).args(args).stdout(full()).stderr(full()).status().await.unwrap();
        assert_eq!(ended.code(), Some(74), "{args:?}, with nowhere to complain");
    }
    // One that cannot do its work says so by its own code, whether or not that can be read.
    let ended = Command::new(PROGRAM).args(["audit", "--data-dir", "/no/such"]).stderr(full()).status().await.unwrap();
    assert_eq!(ended.code(), Some(2));
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_told() {
    let least = i64::MAX.to_string();
    let node = TestNode::start_embedded_with(&[("STORAGE__FREE_MIN_BYTES", &least)]).await;
    let ready = node.get("/readyz").await.expect(200).json();
    for capability in ["authorize", "settle", "refund", "publish"] {
        let told = &ready["capabilities"][capability];
        assert_eq!(told["status"], "degraded", "{ready}");
        assert!(told["reasons"].to_string().contains("is nearly full"), "{ready}");
    }
    let metrics = node.get("/metrics").await.expect(200).text;
    let path = node.data_dir().display();
    for name in ["rialto_storage_free_bytes", "rialto_storage_size_bytes"] {
        let figure = metrics.lines().find_map(|line| line.strip_prefix(&format!(r#"{name}{{path="{path}"}} "#)));
        assert!(figure.is_some_and(|figure| figure.parse::<f64>().unwrap() > 0.0), "{name}");
    }
}
