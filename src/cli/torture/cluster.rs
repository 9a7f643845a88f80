//! Everything that runs: nodes, the PSP and, where asked for, the real servers, with the proxies and disks by which
//! faults are made. Processes are started, killed, paused and brought back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::process::Command;

use super::database::{DATABASES, Database, urls};
use super::disk::Disk;
use super::process::{Begun, ClusterError, Process, SERVERS, Servers};
use crate::cli::terminal::say;
use crate::domain::ShardId;
use crate::node::shard_path;

/// Everything that runs.
pub struct Cluster {
    nodes: Vec<Process>,
    psp: Process,
    pub servers: Option<Servers>,
    /// The databases of the shards, in their order.
    pub databases: Vec<Database>,
    /// The small disks, if any.
    pub disks: Vec<Disk>,
    /// Where clients find nodes.
    pub urls: Arc<Mutex<Vec<String>>>,
    pub data_dir: PathBuf,
    pub settings: BTreeMap<String, String>,
}

/// Short times, so that much happens in a run; none of them weakens a guarantee.
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

/// How faulty the PSP is while it is faulty.
const ILL: [(&str, &str); 6] = [
    ("DECLINE_PERMILLE", "50"),
    ("FAILURE_PERMILLE", "30"),
    ("TIMEOUT_PERMILLE", "30"),
    ("GARBAGE_PERMILLE", "10"),
    ("TIMEOUT_MS", "1500"),
    ("LATENCY_JITTER_MS", "20"),
];

impl Cluster {
    /// Starts `nodes` nodes and the PSP in `dir`, on the servers if there are any.
    pub async fn start(dir: &Path, nodes: usize, servers: Option<Servers>) -> Result<Self, ClusterError> {
        let mut settings = match &servers {
            Some(servers) => servers.settings().await?,
            None => BTreeMap::new(),
        };
        settings.extend(SETTINGS.map(|(name, value)| (format!("RIALTO__{name}"), value.to_owned())));
        settings.insert("RUST_LOG".to_owned(), "warn,librdkafka=error".to_owned());
        let databases = Database::all(&settings).await?;
        let (data_dir, psp_dir) = (dir.join("data"), dir.join("psp"));
        let both = [data_dir.as_path(), psp_dir.as_path()];
        // With real servers the nodes' own directory holds almost nothing.
        let disks = mount(if servers.is_some() { &both[1..] } else { &both }).await?;
        let common = settings.clone();
        let process = |name: String, args: &[&str], data_dir: &Path, greeting| {
            let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            args.extend(["--data-dir".to_owned(), data_dir.display().to_string()]);
            let log = dir.join(format!("{name}.log"));
            let (settings, address) = (common.clone(), "127.0.0.1:0".to_owned());
            Process { name, args, settings, greeting, address, log, child: None }
        };
        let mut psp = process("psp".to_owned(), &["psp-simulator"], &psp_dir, "rialto: psp simulator on ");
        fall_ill(&mut psp.settings);
        let psp_url = psp.start().await?;
        settings.insert("RIALTO__PSP__URL".to_owned(), psp_url.clone());
        let mut started = Vec::new();
        for number in 0..nodes {
            let mut node = process(format!("node-{number}"), &["serve"], &data_dir, "rialto: serving on ");
            node.settings.insert("RIALTO__PSP__URL".to_owned(), psp_url.clone());
            node.settings.insert("RIALTO__NODE__ID".to_owned(), number.to_string());
            if !databases.is_empty() {
                node.settings.insert(DATABASES.to_owned(), urls(&databases));
            }
            node.start().await?;
            started.push(node);
        }
        let cluster = Self { nodes: started, psp, servers, databases, disks, urls: Arc::default(), data_dir, settings };
        cluster.publish();
        Ok(cluster)
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

    pub async fn start_node(&mut self, number: usize) -> Result<(), ClusterError> {
        self.nodes[number].start().await?;
        self.publish();
        Ok(())
    }

    /// Starts a node that is down, with the shards' databases in the wrong order, and kills it if it serves. Returns
    /// what it did.
    pub async fn start_node_swapped(&mut self, number: usize) -> Result<Begun, ClusterError> {
        let right = self.nodes[number].settings.clone();
        if self.databases.is_empty() {
            self.swap_files()?;
        } else {
            let turned: Vec<&Database> = self.databases.iter().rev().collect();
            self.nodes[number].settings.insert(DATABASES.to_owned(), urls(turned));
        }
        let begun = self.nodes[number].try_to_start().await;
        self.nodes[number].kill().await;
        self.nodes[number].settings = right;
        if self.databases.is_empty() {
            self.swap_files()?;
        }
        begun
    }

    /// Exchanges the files of the first two shards, those of each that exist.
    fn swap_files(&self) -> Result<(), ClusterError> {
        for end in ["", "-wal", "-shm"] {
            let path = |shard| PathBuf::from(format!("{}{end}", shard_path(&self.data_dir, ShardId(shard)).display()));
            let (one, two, aside) = (path(1), path(2), self.data_dir.join("aside"));
            for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
                if from.exists() {
                    std::fs::rename(from, to)
                        .map_err(|error| ClusterError::Io { what: from.display().to_string(), error })?;
                }
            }
        }
        Ok(())
    }

    /// SIGSTOP for a while, which is like a long pause of the machine.
    pub async fn pause_node(&self, number: usize, pause: Duration) {
        self.nodes[number].signal("-STOP").await;
        tokio::time::sleep(pause).await;
        self.nodes[number].signal("-CONT").await;
    }

    pub async fn restart_psp(&mut self, down: Duration) -> Result<(), ClusterError> {
        self.psp.kill().await;
        tokio::time::sleep(down).await;
        self.psp.start().await.map(drop)
    }

    /// The PSP comes back without faults.
    pub async fn heal_psp(&mut self) -> Result<(), ClusterError> {
        self.psp.settings.retain(|name, _| !name.starts_with("RIALTO__PSP__SIMULATOR"));
        self.restart_psp(Duration::ZERO).await
    }

    /// Restarts nodes and a PSP that have given up, as an orchestrator does. Returns how many those were.
    pub async fn keep_up(&mut self) -> Result<usize, ClusterError> {
        let mut revived = 0;
        if !self.psp.is_up() {
            self.psp.start().await?;
            revived += 1;
        }
        for number in 0..self.nodes.len() {
            if !self.nodes[number].is_up() {
                self.start_node(number).await?;
                revived += 1;
            }
        }
        Ok(revived)
    }

    /// Runs `rialto audit --settled`: whether it is clean, and its output.
    pub async fn audit(&self) -> Result<(bool, String), ClusterError> {
        let io = |error| ClusterError::Io { what: "audit".to_owned(), error };
        let program = std::env::current_exe().map_err(io)?;
        let mut command = Command::new(program);
        command.args(["audit", "--settled", "--data-dir"]).arg(&self.data_dir).envs(&self.settings);
        let output = command.env("RUST_LOG", "error").output().await.map_err(io)?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Ends everything. The content of small disks is kept if it `is_wanted`.
    pub async fn stop(mut self, is_wanted: bool) -> Result<(), ClusterError> {
        for node in &mut self.nodes {
            node.kill().await;
        }
        self.psp.kill().await;
        if let Some(servers) = &self.servers {
            servers.run("kill", &SERVERS).await?;
        }
        for disk in self.disks.drain(..).filter(|_| is_wanted) {
            if !disk.keep().await {
                say(format_args!("torture: the data of a small disk could not be kept"));
            }
        }
        Ok(())
    }
}

/// Small disks for directories, where this process may mount them.
async fn mount(paths: &[&Path]) -> Result<Vec<Disk>, ClusterError> {
    let mut disks = Vec::new();
    for path in paths {
        match Disk::mount(path).await? {
            Some(disk) => disks.push(disk),
            None => say(format_args!("torture: no disk is filled: {} cannot be mounted as a tmpfs", path.display())),
        }
    }
    Ok(disks)
}

fn fall_ill(settings: &mut BTreeMap<String, String>) {
    let ill = ILL.map(|(name, value)| (format!("RIALTO__PSP__SIMULATOR__{name}"), value.to_owned()));
    settings.extend(ill);
}
