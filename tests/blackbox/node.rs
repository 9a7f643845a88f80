//! A `rialto serve` of a test's own, and the verbs with which a test tells its story.

use std::fs::File;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

pub use crate::common::{Answer, PATIENCE, Payment, eventually, new_key, order};
use crate::common::{actors_of, assert_booked_both_ways, assert_one_payment, assert_tells_the_whole_life};
use crate::servers::{OwnServers, Places};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rialto");

/// A running node with its own data directory and port.
pub struct TestNode {
    pub url: String,
    pub http: reqwest::Client,
    process: Child,
    psp: Option<TestPsp>,
    data_dir: TempDir,
    settings: Vec<(String, String)>,
    /// Given back when the process is gone.
    places: Option<Places>,
}

/// A `rialto psp-simulator` of a node's own.
pub struct TestPsp {
    pub url: String,
    process: Child,
    data_dir: PathBuf,
    settings: Vec<(String, String)>,
}

impl TestPsp {
    /// With its books in this directory.
    pub async fn start(data_dir: &Path, settings: &[(String, String)]) -> Self {
        let (data_dir, settings) = (data_dir.to_owned(), settings.to_vec());
        let (process, url) = launch(PSP, "127.0.0.1:0", &data_dir, &settings).await;
        Self { url, process, data_dir, settings }
    }

    /// As `start`, for everyone who reaches this machine.
    pub async fn start_open(data_dir: &Path, settings: &[(String, String)]) -> Self {
        let (data_dir, settings) = (data_dir.to_owned(), settings.to_vec());
        let mut command = Command::new(PROGRAM);
        command.args(["psp-simulator", "--listen", "0.0.0.0:0", "--insecure", "--data-dir"]).arg(&data_dir);
        let (process, url) = greeted(command, PSP.1).await;
        Self { url, process, data_dir, settings }
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.process.start_kill().unwrap();
        self.process.wait().await.unwrap();
    }

    /// A new process with the same books and address.
    pub async fn restart(&mut self) {
        let address = self.url.trim_start_matches("http://");
        (self.process, self.url) = launch(PSP, address, &self.data_dir, &self.settings).await;
    }
}

/// Another process of a node's system, with its own port.
pub struct Neighbour {
    pub url: String,
    process: Child,
    data_dir: PathBuf,
    settings: Vec<(String, String)>,
}

impl Neighbour {
    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.process.start_kill().unwrap();
        self.process.wait().await.unwrap();
    }

    /// A new process with the same roles and address.
    pub async fn restart(&mut self) {
        let address = self.url.trim_start_matches("http://");
        (self.process, self.url) = launch(SERVE, address, &self.data_dir, &self.settings).await;
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let header = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    let headers = response.headers().iter().map(header).collect();
    Ok(Answer { status, headers, text: response.text().await? })
}

/// Sends it again as long as too much is waiting, which on a machine that runs other tests besides is nobody's fault:
/// nothing was done.
pub async fn once_taken_on(request: reqwest::RequestBuilder) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = answered(request.try_clone().unwrap()).await.unwrap_or_else(|error| panic!("no answer: {error}"));
        if answer.status != 503 || answer.code() != "overloaded" || begun.elapsed() > PATIENCE {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl TestNode {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings, by their names in the environment without the prefix: `("SHARD__MAX_BATCH", "1")`.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let places = Places::taken().await;
        let is_apart = places.is_some();
        Self::start_at(places, settings, is_apart, "all").await
    }

    /// The first of several processes on real servers; see [`join`](Self::join). None unless the suite is run there.
    pub async fn start_role(roles: &str, settings: &[(&str, &str)]) -> Option<Self> {
        let Some(places) = Places::taken().await else {
            println!("skipped: RIALTO_TEST_ON_SERVERS is not set");
            return None;
        };
        Some(Self::start_at(Some(places), settings, true, roles).await)
    }

    /// Beside servers that the test may stop. None unless the suite is run on real servers.
    pub async fn start_beside(own: &OwnServers, settings: &[(&str, &str)]) -> Option<Self> {
        let places = Places::taken_beside(Some(own)).await?;
        Some(Self::start_at(Some(places), settings, true, "all").await)
    }

    /// With a PSP in a process of its own.
    pub async fn start_with_psp(settings: &[(&str, &str)]) -> Self {
        Self::start_at(Places::taken().await, settings, true, "all").await
    }

    /// On real servers, with the PSP's simulator in its own process. None unless the suite is run there.
    pub async fn start_with_embedded_psp() -> Option<Self> {
        let places = Places::taken().await?;
        Some(Self::start_at(Some(places), &[], false, "all").await)
    }

    /// With everything in its data directory, whatever the suite is run on: for what is about that directory.
    pub async fn start_embedded() -> Self {
        Self::start_embedded_with(&[]).await
    }

    /// As `start_embedded`, with settings.
    pub async fn start_embedded_with(settings: &[(&str, &str)]) -> Self {
        Self::start_at(None, settings, false, "all").await
    }

    /// As `start_embedded_with`, with a PSP in a process of its own.
    pub async fn start_embedded_beside_psp(settings: &[(&str, &str)]) -> Self {
        Self::start_at(None, settings, true, "all").await
    }

    /// With everything in a data directory that is there, and the settings of another node.
    pub async fn start_on(data_dir: TempDir, like: &Self) -> Self {
        let settings = like.settings.clone();
        let (process, url) = launch(SERVE, "127.0.0.1:0", data_dir.path(), &settings).await;
        Self { url, http: like.http.clone(), process, psp: None, data_dir, settings, places: None }
    }

    async fn start_at(places: Option<Places>, settings: &[(&str, &str)], has_psp: bool, roles: &str) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut all = places.as_ref().map(Places::settings).unwrap_or_default();
        all.extend(settings.iter().map(|(name, value)| (format!("RIALTO__{name}"), value.to_string())));
        let mut psp = None;
        if has_psp {
            let started = TestPsp::start(&data_dir.path().join("psp"), &all).await;
            all.push(("RIALTO__PSP__URL".to_owned(), started.url.clone()));
            psp = Some(started);
        }
        all.push(("RIALTO_ROLES".to_owned(), roles.to_owned()));
        let (process, url) = launch(SERVE, "127.0.0.1:0", data_dir.path(), &all).await;
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { url, http, process, psp, data_dir, settings: all, places }
    }

    /// Another process of the same system. Each needs a node id of its own.
    pub async fn join(&self, roles: &str, node_id: u8) -> Neighbour {
        self.join_with(roles, node_id, &[]).await
    }

    /// As [`join`](Self::join), with settings of its own.
    pub async fn join_with(&self, roles: &str, node_id: u8, own: &[(&str, &str)]) -> Neighbour {
        let mut settings = self.settings.clone();
        settings.extend(own.iter().map(|(name, value)| (format!("RIALTO__{name}"), (*value).to_owned())));
        settings.push(("RIALTO_ROLES".to_owned(), roles.to_owned()));
        settings.push(("RIALTO__NODE__ID".to_owned(), node_id.to_string()));
        let data_dir = self.data_dir.path().to_owned();
        let (process, url) = launch(SERVE, "127.0.0.1:0", &data_dir, &settings).await;
        Neighbour { url, process, data_dir, settings }
    }

    /// The PSP's process, if it has one of its own.
    pub fn psp(&mut self) -> &mut TestPsp {
        self.psp.as_mut().expect("this node's PSP is in its own process")
    }

    /// The PSP's process, to be kept apart from the node.
    pub fn take_psp(&mut self) -> TestPsp {
        self.psp.take().expect("this node's PSP is in its own process")
    }

    /// What a setting was given as, by its name in the environment without the prefix.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let name = format!("RIALTO__{name}");
        self.settings.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// Where its PSP listens, if it has one of its own.
    pub fn psp_url(&self) -> String {
        self.psp.as_ref().expect("this node's PSP is in its own process").url.clone()
    }

    /// All settings, as they are in its environment.
    pub fn settings(&self) -> impl Iterator<Item = (String, String)> {
        self.settings.iter().cloned()
    }

    /// Whether it works on real servers.
    pub fn is_on_servers(&self) -> bool {
        self.places.is_some()
    }

    /// Makes its databases anew from the shards' dumps.
    pub async fn restore_databases(&self, dumps: &[PathBuf]) {
        self.places.as_ref().expect("this node's shards are on servers").restore(dumps).await;
    }

    /// Deletes its topics on Kafka, with all events in them.
    pub async fn delete_topics(&self) {
        self.places.as_ref().expect("this node's topics are on Kafka").delete_topics().await;
    }

    /// Where the PSP's books are.
    pub fn books(&self) -> PathBuf {
        let data_dir = self.psp.as_ref().map_or(self.data_dir.path(), |psp| &psp.data_dir);
        data_dir.join("psp.db")
    }

    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    pub fn process_id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// SIGKILL, as a power cut for the process.
    pub async fn kill(&mut self) {
        self.process.start_kill().unwrap();
        self.process.wait().await.unwrap();
    }

    /// A new process on the same data.
    pub async fn restart(&mut self) {
        let (process, url) = launch(SERVE, "127.0.0.1:0", self.data_dir.path(), &self.settings).await;
        self.process = process;
        self.url = url;
    }

    /// A new process on the same data, with arguments and settings over its own for this once.
    pub async fn restart_with(&mut self, args: &[&str], settings: &[(&str, &str)]) {
        let command = self.serve_command(self.data_dir.path(), args, settings);
        (self.process, self.url) = greeted(command, SERVE.1).await;
    }

    /// Starts another process on the same data, with arguments and settings over the node's own, which must refuse.
    /// What it said.
    pub async fn refused(&self, args: &[&str], settings: &[(&str, &str)]) -> String {
        self.refused_in(self.data_dir.path(), args, settings).await
    }

    /// As `refused`, with a data directory of its own.
    pub async fn refused_in(&self, data_dir: &Path, args: &[&str], settings: &[(&str, &str)]) -> String {
        let mut command = self.serve_command(data_dir, args, settings);
        command.stdout(Stdio::null());
        let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it started").unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    /// What starts another process with the node's settings.
    pub fn serve_command(&self, data_dir: &Path, args: &[&str], settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).args(args);
        command.envs(self.settings.iter().cloned()).env("RUST_LOG", "warn").kill_on_drop(true);
        command.envs(settings.iter().map(|(name, value)| (format!("RIALTO__{name}"), value)));
        command.stderr(Stdio::piped());
        command
    }

    /// SIGTERM; how the process ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        let id = self.process_id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        self.ended().await
    }

    /// How the process ended, once it has.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.process.wait()).await.expect("the process did not end").unwrap()
    }

    /// Runs a command of the program's on the node's data, with its settings.
    pub async fn command(&self, name: &str, args: &[&str]) -> std::process::Output {
        self.command_in(self.data_dir.path(), name, args).output().await.unwrap()
    }

    /// A command of the program's on another data directory, with the node's settings.
    pub fn command_in(&self, data_dir: &Path, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg(name).arg("--data-dir").arg(data_dir).args(args).kill_on_drop(true);
        command.envs(self.settings.iter().cloned()).env("RUST_LOG", "warn");
        command
    }

    /// Runs `rialto audit` on the node's data, with nothing allowed in flight; waits until that is so. What is broken
    /// at the end fails the test.
    pub async fn audit(&self) {
        let begun = Instant::now();
        loop {
            let output = self.command("audit", &["--settled"]).await;
            if output.status.success() {
                return;
            }
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(begun.elapsed() < PATIENCE, "{said}{}", String::from_utf8_lossy(&output.stderr));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.put(format!("{}{path}", self.url)).json(body)).await
    }

    /// A body as it is, with a content type.
    pub async fn post_raw(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).header("content-type", content_type);
        self.send(request.body(body)).await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// As `send`, for a node that may be dead.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        answered(request).await
    }
}

verbs!(TestNode);
stories!(TestNode);

/// A command, and what its first line begins with once it serves.
const SERVE: (&str, &str) = ("serve", "rialto: serving on ");
const PSP: (&str, &str) = ("psp-simulator", "rialto: psp simulator on ");

async fn launch(
    (name, greeting): (&str, &str),
    listen: &str,
    data_dir: &Path,
    settings: &[(String, String)],
) -> (Child, String) {
    let mut command = Command::new(PROGRAM);
    command.args([name, "--listen", listen, "--data-dir"]).arg(data_dir);
    command.envs(settings.iter().cloned()).env("RUST_LOG", "warn").stderr(Stdio::piped());
    greeted(command, greeting).await
}

/// Starts a process and waits for its first line: the greeting, and where it serves.
pub async fn greeted(mut command: Command, greeting: &str) -> (Child, String) {
    let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let complaints = process.stderr.take().map(pass_on);
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it did not start").unwrap();
    let line = line.unwrap_or_else(|| {
        let said = complaints.map(|complaints| complaints.join().unwrap().join("\n"));
        panic!("it ended before it served: {}", said.unwrap_or_default())
    });
    let said = line.strip_prefix(greeting).unwrap_or_else(|| panic!("unexpected: {line}"));
    // What follows the address is for people.
    let url = said.split_once(' ').map_or(said, |(url, _)| url).to_owned();
    (process, url)
}

/// Prints what a process complains of, and gives it all once the process has ended. By a thread, so that the process
/// never waits for a test that is busy.
fn pass_on(complaints: ChildStderr) -> JoinHandle<Vec<String>> {
    let pipe = File::from(complaints.into_owned_fd().unwrap());
    let lines = std::io::BufReader::new(pipe).lines().map_while(Result::ok);
    std::thread::spawn(move || lines.inspect(|line| eprintln!("{line}")).collect())
}
