//! The processes of a run: this program in other roles, and the real servers by the repository's script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a process may take to serve.
const START_WITHIN: Duration = Duration::from_secs(90);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A failure of the run itself, not of the node.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
    #[error("{0} does not start; its log is {1}")]
    NoStart(String, PathBuf),
    #[error("{what} fails: {said}")]
    Failed { what: String, said: String },
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// The result of a start.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// It serves at this URL.
    Serves(String),
    /// It ended, or printed something else.
    Refused,
    /// It neither serves nor ends.
    Nothing,
}

/// One process of ours.
pub struct Process {
    pub name: String,
    pub args: Vec<String>,
    pub settings: BTreeMap<String, String>,
    /// The first line that it prints begins with this; the URL follows.
    pub greeting: &'static str,
    /// Where it listens, from its first start on.
    pub address: String,
    pub log: PathBuf,
    pub child: Option<Child>,
}

impl Process {
    /// Starts it, repeatedly: a server that it needs may still be starting.
    pub async fn start(&mut self) -> Result<String, ClusterError> {
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < START_WITHIN {
            if let Begun::Serves(url) = self.try_to_start().await? {
                return Ok(url);
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        Err(ClusterError::NoStart(self.name.clone(), self.log.clone()))
    }

    /// Starts it once. It runs afterwards only if it serves.
    pub async fn try_to_start(&mut self) -> Result<Begun, ClusterError> {
        let io = |error| ClusterError::Io { what: self.name.clone(), error };
        let program = std::env::current_exe().map_err(io)?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).map_err(io)?;
        let mut command = Command::new(program);
        command.args(&self.args).args(["--listen", &self.address]).envs(&self.settings);
        let mut child =
            command.stdout(Stdio::piped()).stderr(log).stdin(Stdio::null()).kill_on_drop(true).spawn().map_err(io)?;
        let Some(stdout) = child.stdout.take() else { return Ok(Begun::Refused) };
        let mut lines = BufReader::new(stdout).lines();
        let begun = match tokio::time::timeout(START_WITHIN, lines.next_line()).await {
            Err(_) => Begun::Nothing,
            Ok(line) => match line.ok().flatten().as_deref().and_then(|line| line.strip_prefix(self.greeting)) {
                Some(said) => Begun::Serves(said.split(' ').next().unwrap_or(said).to_owned()),
                None => Begun::Refused,
            },
        };
        match &begun {
            Begun::Serves(url) => {
                self.address = url.trim_start_matches("http://").to_owned();
                self.child = Some(child);
            }
            Begun::Refused | Begun::Nothing => drop(child.kill().await),
        }
        Ok(begun)
    }

    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    /// Whether it runs, and has not ended by itself.
    pub fn is_up(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub async fn signal(&self, signal: &str) {
        if let Some(id) = self.child.as_ref().and_then(Child::id) {
            let _ = Command::new("kill").args([signal, &id.to_string()]).status().await;
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The real servers, by the repository's own script.
pub struct Servers {
    script: PathBuf,
    dir: PathBuf,
}

/// The servers that a run stops.
pub const SERVERS: [&str; 4] = ["mariadb-1", "mariadb-2", "redis", "kafka"];

impl Servers {
    /// Starts all of them in a directory of their own.
    pub async fn up(script: &Path, dir: PathBuf) -> Result<Self, ClusterError> {
        let servers = Self { script: script.to_owned(), dir };
        servers.run("up", &[]).await?;
        Ok(servers)
    }

    pub async fn run(&self, verb: &str, names: &[&str]) -> Result<String, ClusterError> {
        let what = format!("{} {verb}", self.script.display());
        let io = |error| ClusterError::Io { what: what.clone(), error };
        let mut command = Command::new(&self.script);
        // Not piped: the servers would hold the pipe open.
        let log = std::fs::File::create(self.dir.with_extension("log")).map_err(io)?;
        let out = if verb == "env" { Stdio::piped() } else { Stdio::from(log) };
        let command = command.arg(verb).arg("--dir").arg(&self.dir).args(names).stderr(Stdio::null()).stdout(out);
        let child = command.spawn().map_err(io)?;
        let output = child.wait_with_output().await.map_err(io)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() { Ok(said) } else { Err(ClusterError::Failed { what, said }) }
    }

    /// The settings by which nodes reach them.
    pub async fn settings(&self) -> Result<BTreeMap<String, String>, ClusterError> {
        let said = self.run("env", &[]).await?;
        let pairs = said.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        });
        Ok(pairs.collect())
    }
}
