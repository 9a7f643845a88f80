//! Places of a node's own on the real servers that tests share: databases, and prefixes on Redis and Kafka.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rialto::domain::event::{Consumer, topics};
use rialto::runtime::Chance;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

const SHARDS: [&str; 2] = ["mariadb-1", "mariadb-2"];

/// What one node and its data need on the servers; it goes with them.
pub struct Places {
    /// Unique, also among the runs that share the servers.
    name: String,
    databases: Vec<String>,
    redis: String,
    brokers: String,
}

impl Places {
    /// None unless the suite is to be run on real servers: `RIALTO_TEST_ON_SERVERS` says so, and `RIALTO_TEST_SERVERS`
    /// names the directory of `scripts/servers` in which they are.
    pub async fn taken() -> Option<Self> {
        Self::taken_beside(None).await
    }

    /// As `taken`, with the test's own servers in place of the shared ones.
    pub async fn taken_beside(own: Option<&OwnServers>) -> Option<Self> {
        std::env::var_os("RIALTO_TEST_ON_SERVERS")?;
        let address = |name| own.and_then(|own| own.address(name)).unwrap_or_else(|| address(name));
        let name = format!("test_{:016x}", Chance::from_entropy().u64());
        let databases: Vec<_> = SHARDS.map(|shard| format!("mysql://rialto:rialto@{}", address(shard))).into();
        let places = Self { name, databases, redis: address("redis"), brokers: address("kafka") };
        places.on_each_database("CREATE DATABASE").await;
        Some(places)
    }

    /// The settings by which a process works there, with their names in the environment.
    pub fn settings(&self) -> Vec<(String, String)> {
        let name = &self.name;
        let databases: Vec<_> = self.databases.iter().map(|server| format!("\"{server}/{name}\"")).collect();
        [
            ("SHARD__DATABASES", format!("[{}]", databases.join(","))),
            ("CONTROL__DATABASE", format!("{}/{name}_control", self.databases[0])),
            ("REDIS__URL", format!("redis://{}/", self.redis)),
            ("REDIS__KEY_PREFIX", format!("{name}:")),
            ("KAFKA__BROKERS", self.brokers.clone()),
            ("KAFKA__TOPIC_PREFIX", format!("{name}.")),
        ]
        .map(|(key, value)| (format!("RIALTO__{key}"), value))
        .into()
    }

    async fn on_each_database(&self, statement: &str) {
        for (place, server) in self.databases.iter().enumerate() {
            let db = Database::connect(server).await.unwrap();
            db.execute_unprepared(&format!("{statement} {}", self.name)).await.unwrap();
            if place == 0 {
                db.execute_unprepared(&format!("{statement} {}_control", self.name)).await.unwrap();
            }
            db.close().await.unwrap();
        }
    }

    /// Makes the databases anew, each shard's from a dump.
    pub async fn restore(&self, dumps: &[PathBuf]) {
        self.on_each_database("DROP DATABASE").await;
        self.on_each_database("CREATE DATABASE").await;
        for (server, dump) in self.databases.iter().zip(dumps) {
            let address = server.rsplit('@').next().unwrap();
            let (host, port) = address.split_once(':').unwrap();
            // A dump is written for MariaDB's own client: it has delimiters of its own.
            let mut client = tokio::process::Command::new("mariadb");
            client.args([
                "--no-defaults",
                "--protocol=tcp",
                "--user=rialto",
                "--password=rialto",
                "--host",
                host,
                "--port",
                port,
                &self.name,
            ]);
            assert!(client.stdin(std::fs::File::open(dump).unwrap()).status().await.unwrap().success());
        }
    }

    /// Deletes the node's topics, with all events in them.
    pub async fn delete_topics(&self) {
        delete_topics(&self.brokers, &format!("{}.", self.name)).await;
    }

    async fn give_back(&self) {
        self.on_each_database("DROP DATABASE").await;
        self.delete_topics().await;
        let (admin, options) = (admin(&self.brokers), options());
        let groups: Vec<_> = Consumer::ALL.iter().map(|group| format!("{}.{}", self.name, group.name())).collect();
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        // A group whose members were killed a moment ago cannot be deleted, nor one of a broker that had no group yet
        // and has no coordinator; it ends by itself.
        let _ = admin.delete_groups(&groups, &options.request_timeout(Some(Duration::from_secs(5)))).await;
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        give_back(&self.name, self.give_back());
    }
}

/// Ends what is on the servers, unless the test has failed.
fn give_back(name: &str, end: impl Future<Output = ()> + Send) {
    if std::thread::panicking() {
        eprintln!("left on the servers for whoever looks into it: {name}");
        return;
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(end);
        });
    });
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap()
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)))
}

async fn delete_topics(brokers: &str, prefix: &str) {
    let topics: Vec<_> = topics().map(|(topic, _)| format!("{prefix}{topic}")).collect();
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    admin(brokers).delete_topics(&topics, &options()).await.unwrap();
    // What is deleted is shown for a moment longer.
    while count_topics(brokers, prefix) > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn count_topics(brokers: &str, prefix: &str) -> usize {
    let metadata = admin(brokers).inner().fetch_metadata(None, Duration::from_secs(30)).unwrap();
    metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix)).count()
}

/// One database more on a shared server.
pub struct SpareDatabase {
    pub url: String,
    server: String,
    name: String,
}

impl SpareDatabase {
    /// An empty one.
    pub async fn create() -> Self {
        let name = format!("test_{:016x}", Chance::from_entropy().u64());
        let server = format!("mysql://rialto:rialto@{}", address(SHARDS[0]));
        let spare = Self { url: format!("{server}/{name}"), server, name };
        spare.on_server("CREATE DATABASE").await;
        spare
    }

    async fn on_server(&self, statement: &str) {
        let db = Database::connect(&self.server).await.unwrap();
        db.execute_unprepared(&format!("{statement} {}", self.name)).await.unwrap();
        db.close().await.unwrap();
    }
}

impl Drop for SpareDatabase {
    fn drop(&mut self) {
        give_back(&self.name, self.on_server("DROP DATABASE"));
    }
}

/// A place for topics on the shared Kafka where there are none.
pub struct SpareTopics {
    /// For `kafka.topic_prefix`.
    pub prefix: String,
    brokers: String,
}

impl SpareTopics {
    pub fn new() -> Self {
        Self { prefix: format!("test_{:016x}.", Chance::from_entropy().u64()), brokers: address("kafka") }
    }

    /// How many topics there are by now.
    pub fn count(&self) -> usize {
        count_topics(&self.brokers, &self.prefix)
    }
}

impl Drop for SpareTopics {
    fn drop(&mut self) {
        if self.count() > 0 {
            give_back(&self.prefix, delete_topics(&self.brokers, &self.prefix));
        }
    }
}

/// Where a shared server listens.
fn address(name: &str) -> String {
    let dir = std::env::var("RIALTO_TEST_SERVERS").expect("RIALTO_TEST_ON_SERVERS is set, RIALTO_TEST_SERVERS is not");
    address_in(Path::new(&dir), name).unwrap_or_else(|| panic!("{dir} has no {name}"))
}

fn address_in(dir: &Path, name: &str) -> Option<String> {
    let address = std::fs::read_to_string(dir.join(format!("{name}.address"))).ok()?;
    Some(address.trim().to_owned())
}

/// Servers that a test may stop: its own.
pub struct OwnServers {
    dir: TempDir,
    names: &'static [&'static str],
}

impl OwnServers {
    /// None unless the suite is to be run on real servers.
    pub async fn start(names: &'static [&'static str]) -> Option<Self> {
        if std::env::var_os("RIALTO_TEST_ON_SERVERS").is_none() {
            println!("skipped: RIALTO_TEST_ON_SERVERS is not set");
            return None;
        }
        let own = Self { dir: tempfile::tempdir().unwrap(), names };
        own.up().await;
        Some(own)
    }

    pub async fn up(&self) {
        self.run("up", self.names).await;
    }

    /// SIGKILL.
    pub async fn kill(&self) {
        self.run("kill", self.names).await;
    }

    /// One of them.
    pub async fn up_one(&self, name: &str) {
        self.run("up", &[name]).await;
    }

    /// SIGKILL for one of them.
    pub async fn kill_one(&self, name: &str) {
        self.run("kill", &[name]).await;
    }

    pub fn address(&self, name: &str) -> Option<String> {
        address_in(self.dir.path(), name)
    }

    /// The shell's command that does `verb` to them: up or kill.
    pub fn shell(&self, verb: &str) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers");
        format!("'{script}' {verb} --dir '{}' {} >/dev/null", self.dir.path().display(), self.names.join(" "))
    }

    fn command(&self, verb: &str, names: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers"));
        command.arg(verb).arg("--dir").arg(self.dir.path()).args(names).stdout(Stdio::null());
        command
    }

    async fn run(&self, verb: &str, names: &[&str]) {
        let status = tokio::process::Command::from(self.command(verb, names)).status().await.unwrap();
        assert!(status.success(), "scripts/servers {verb}: {status}");
    }
}

impl Drop for OwnServers {
    fn drop(&mut self) {
        let _ = self.command("kill", self.names).status();
    }
}
