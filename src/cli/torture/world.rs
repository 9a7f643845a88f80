//! The processes of a run: nodes, the PSP, and where asked for the real servers. They are started, killed, stopped for a
//! while and brought back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a process may take to serve.
const START_WITHIN: Duration = Duration::from_secs(90);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What went wrong with the run itself, not with the house.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
    #[error("{0} does not start; its log is {1}")]
    NoStart(String, PathBuf),
    #[error("{what} fails: {said}")]
    Failed { what: String, said: String },
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// One process of ours.
struct Process {
    name: String,
    args: Vec<String>,
    settings: BTreeMap<String, String>,
    /// The first line it prints begins so; the URL follows.
    greeting: &'static str,
    /// Where it listens, from its first start on.
    address: String,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    async fn start(&mut self) -> Result<String, WorldError> {
        let io = |error| WorldError::Io { what: self.name.clone(), error };
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < START_WITHIN {
            let program = std::env::current_exe().map_err(io)?;
            let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(io)?;
            let mut command = Command::new(program);
            command.args(&self.args).args(["--listen", &self.address]).envs(&self.settings);
            let mut child = command
                .stdout(Stdio::piped())
                .stderr(log)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .map_err(io)?;
            let Some(stdout) = child.stdout.take() else { continue };
            let mut lines = BufReader::new(stdout).lines();
            let line = tokio::time::timeout(START_WITHIN, lines.next_line()).await;
            if let Ok(Ok(Some(line))) = line
                && let Some(url) = line.strip_prefix(self.greeting)
            {
                self.address = url.trim_start_matches("http://").to_owned();
                self.child = Some(child);
                return Ok(url.to_owned());
            }
            // A server that it needs may be on its way up.
            let _ = child.kill().await;
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        Err(WorldError::NoStart(self.name.clone(), self.log.clone()))
    }

    async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    /// Whether it runs; one that has ended by itself does not.
    fn is_up(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    async fn signal(&self, signal: &str) {
        if let Some(id) = self.child.as_ref().and_then(Child::id) {
            let _ = Command::new("kill").args([signal, &id.to_string()]).status().await;
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The real servers, by the repository's own script.
pub struct Servers {
    script: PathBuf,
    dir: PathBuf,
}

/// Those that a run stops.
pub const SERVERS: [&str; 4] = ["mariadb-1", "mariadb-2", "redis", "kafka"];

impl Servers {
    /// Starts all of them in a directory of their own.
    pub async fn up(script: &Path, dir: PathBuf) -> Result<Self, WorldError> {
        let servers = Self { script: script.to_owned(), dir };
        servers.run("up", &[]).await?;
        Ok(servers)
    }

    pub async fn run(&self, verb: &str, names: &[&str]) -> Result<String, WorldError> {
        let what = format!("{} {verb}", self.script.display());
        let io = |error| WorldError::Io { what: what.clone(), error };
        let mut command = Command::new(&self.script);
        // Not piped: the servers would hold the pipe open.
        let log = std::fs::File::create(self.dir.with_extension("log")).map_err(io)?;
        let out = if verb == "env" { Stdio::piped() } else { Stdio::from(log) };
        let command = command.arg(verb).arg("--dir").arg(&self.dir).args(names).stderr(Stdio::null()).stdout(out);
        let child = command.spawn().map_err(io)?;
        let output = child.wait_with_output().await.map_err(io)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() { Ok(said) } else { Err(WorldError::Failed { what, said }) }
    }

    /// The settings by which nodes reach them.
    async fn settings(&self) -> Result<BTreeMap<String, String>, WorldError> {
        let said = self.run("env", &[]).await?;
        let pairs = said.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        });
        Ok(pairs.collect())
    }
}

/// Everything that runs.
pub struct World {
    nodes: Vec<Process>,
    psp: Process,
    pub servers: Option<Servers>,
    /// Where clients find nodes.
    pub urls: Arc<Mutex<Vec<String>>>,
    pub data_dir: PathBuf,
    pub settings: BTreeMap<String, String>,
}

/// Short times, so that much happens in a run; none of it makes anything less safe.
const SETTINGS: [(&str, &str); 12] = [
    ("FAULTS__ENABLED", "true"),
    ("PSP__TIMEOUT_MS", "1000"),
    ("RESOLVER__AFTER_MS", "1500"),
    ("RESOLVER__LADDER_MS", "[200, 500, 1000, 2000, 3000]"),
    ("RESOLVER__POLL_MS", "200"),
    ("REQUESTS__RETRY_BASE_MS", "100"),
    ("REQUESTS__RETRY_CAP_MS", "1500"),
    ("REQUESTS__GRACE_MS", "500"),
    ("BREAKER__OPEN_MS", "500"),
    ("SHARD__ASK_DEADLINE_MS", "3000"),
    ("SUPERVISION__HANG_AFTER_MS", "15000"),
    ("DEAD_LETTERS__REDRIVE_EVERY_MS", "5000"),
];

/// How ill the PSP is while it is.
const ILL: [(&str, &str); 6] = [
    ("DECLINE_PERMILLE", "50"),
    ("FAILURE_PERMILLE", "30"),
    ("TIMEOUT_PERMILLE", "30"),
    ("GARBAGE_PERMILLE", "10"),
    ("TIMEOUT_MS", "1500"),
    ("LATENCY_JITTER_MS", "20"),
];

impl World {
    /// Starts `nodes` nodes and the PSP in `dir`, on the servers if there are any.
    pub async fn start(dir: &Path, nodes: usize, servers: Option<Servers>) -> Result<Self, WorldError> {
        let mut settings = match &servers {
            Some(servers) => servers.settings().await?,
            None => BTreeMap::new(),
        };
        settings.extend(SETTINGS.map(|(name, value)| (format!("RIALTO__{name}"), value.to_owned())));
        settings.insert("RUST_LOG".to_owned(), "warn,librdkafka=error".to_owned());
        let common = settings.clone();
        let process = |name: String, args: &[&str], data_dir: &Path, greeting| {
            let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            args.extend(["--data-dir".to_owned(), data_dir.display().to_string()]);
            let log = dir.join(format!("{name}.log"));
            let (settings, address) = (common.clone(), "127.0.0.1:0".to_owned());
            Process { name, args, settings, greeting, address, log, child: None }
        };
        let psp_dir = dir.join("psp");
        let mut psp = process("psp".to_owned(), &["psp-simulator"], &psp_dir, "rialto: psp simulator on ");
        fall_ill(&mut psp.settings);
        let psp_url = psp.start().await?;
        settings.insert("RIALTO__PSP__URL".to_owned(), psp_url.clone());
        let data_dir = dir.join("data");
        let mut started = Vec::new();
        for number in 0..nodes {
            let mut node = process(format!("node-{number}"), &["serve"], &data_dir, "rialto: serving on ");
            node.settings.insert("RIALTO__PSP__URL".to_owned(), psp_url.clone());
            node.settings.insert("RIALTO__NODE__ID".to_owned(), number.to_string());
            node.start().await?;
            started.push(node);
        }
        let world = Self { nodes: started, psp, servers, urls: Arc::default(), data_dir, settings };
        world.publish();
        Ok(world)
    }

    fn publish(&self) {
        *self.urls.lock() = self.nodes.iter().map(Process::url).collect();
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub async fn kill_node(&mut self, number: usize) {
        self.nodes[number].kill().await;
    }

    pub async fn start_node(&mut self, number: usize) -> Result<(), WorldError> {
        self.nodes[number].start().await?;
        self.publish();
        Ok(())
    }

    /// SIGSTOP for a while: what a long pause of a machine looks like.
    pub async fn pause_node(&self, number: usize, pause: Duration) {
        self.nodes[number].signal("-STOP").await;
        tokio::time::sleep(pause).await;
        self.nodes[number].signal("-CONT").await;
    }

    pub async fn restart_psp(&mut self, down: Duration) -> Result<(), WorldError> {
        self.psp.kill().await;
        tokio::time::sleep(down).await;
        self.psp.start().await.map(drop)
    }

    /// The PSP comes back well.
    pub async fn heal_psp(&mut self) -> Result<(), WorldError> {
        self.psp.settings.retain(|name, _| !name.starts_with("RIALTO__PSP__SIMULATOR"));
        self.restart_psp(Duration::ZERO).await
    }

    /// Brings back nodes that have given up, as an orchestrator does. Returns how many those were.
    pub async fn keep_up(&mut self) -> Result<usize, WorldError> {
        let mut revived = 0;
        for number in 0..self.nodes.len() {
            if !self.nodes[number].is_up() {
                self.start_node(number).await?;
                revived += 1;
            }
        }
        Ok(revived)
    }

    /// `rialto audit --settled`: whether it is clean, and what it says.
    pub async fn audit(&self) -> Result<(bool, String), WorldError> {
        let io = |error| WorldError::Io { what: "audit".to_owned(), error };
        let program = std::env::current_exe().map_err(io)?;
        let mut command = Command::new(program);
        command.args(["audit", "--settled", "--data-dir"]).arg(&self.data_dir).envs(&self.settings);
        let output = command.env("RUST_LOG", "error").output().await.map_err(io)?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    pub async fn stop(mut self) -> Result<(), WorldError> {
        for node in &mut self.nodes {
            node.kill().await;
        }
        self.psp.kill().await;
        if let Some(servers) = &self.servers {
            servers.run("kill", &SERVERS).await?;
        }
        Ok(())
    }
}

fn fall_ill(settings: &mut BTreeMap<String, String>) {
    let ill = ILL.map(|(name, value)| (format!("RIALTO__PSP__SIMULATOR__{name}"), value.to_owned()));
    settings.extend(ill);
}
