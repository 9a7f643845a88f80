//! Two hosts, each a network namespace with its own servers and processes, as `deploy/two-hosts` splits them: host 1
//! has shard 1, Redis, Kafka and an ingest node, host 2 has shard 2, an ingest node, the workers and the balancer. The
//! PSP is outside, as PSPs are, and so are those who pay and those who look: they reach each host by a way of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::node::{PATIENCE, PROGRAM, TestPsp, eventually, greeted, order};

/// Merchants of shard 1 and of shard 2.
const MERCHANTS: [&str; 2] = ["MERCHANT-1", "MERCHANT-2"];
/// A call that cannot be served says so within this: a lock's wait, a commit's and a look for it.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);

async fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
}

async fn ip(arguments: &str) {
    run("ip", &arguments.split(' ').collect::<Vec<_>>()).await;
}

/// The first of three networks of this test's own, as the third part of their addresses: between the hosts, and from
/// the world to each.
fn network() -> u32 {
    std::process::id() % 84 * 3
}

/// Where merchants may come in.
#[derive(Clone)]
struct Way {
    name: &'static str,
    url: String,
}

/// A namespace with what runs in it.
struct Host {
    number: u8,
    namespace: String,
    servers: TempDir,
    processes: Vec<(&'static str, Child)>,
}

impl Host {
    /// Its address for the other host.
    fn address(&self) -> String {
        format!("10.213.{}.{}", network(), self.number)
    }

    /// Its address for the world, and the world's for it.
    fn outside(&self) -> (String, String) {
        let network = network() + u32::from(self.number);
        (format!("10.213.{network}.2"), format!("10.213.{network}.1"))
    }

    /// The world's end of its link to it.
    fn link(&self) -> String {
        format!("rialto{}-{}", self.number, std::process::id())
    }

    /// The way in to its ingest node.
    fn way(&self) -> Way {
        Way {
            name: if self.number == 1 { "ingest 1" } else { "ingest 2" },
            url: format!("http://{}:8080", self.outside().0),
        }
    }

    /// Connected to the world. The link to the other host is made by [`Hosts`].
    async fn build(number: u8) -> Self {
        let namespace = format!("rialto-{}-{number}", std::process::id());
        let host = Self { number, namespace, servers: tempfile::tempdir().unwrap(), processes: Vec::new() };
        let (name, (inside, outside)) = (&host.namespace, host.outside());
        ip(&format!("netns add {name}")).await;
        ip(&format!("-n {name} link set lo up")).await;
        let link = host.link();
        ip(&format!("link add {link} type veth peer name world netns {name}")).await;
        ip(&format!("addr add {outside}/30 dev {link}")).await;
        ip(&format!("link set {link} up")).await;
        ip(&format!("-n {name} addr add {inside}/30 dev world")).await;
        ip(&format!("-n {name} link set world up")).await;
        host
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }

    async fn servers(&self, verb: &str, names: &[&str]) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers");
        let mut command = self.command(script);
        command.arg(verb).args(names).arg("--dir").arg(self.servers.path()).stdout(Stdio::null());
        if verb == "up" {
            command.args(["--bind", &self.address()]);
        }
        let status = command.status().await.unwrap();
        assert!(status.success(), "scripts/servers {verb} {names:?} on host {}: {status}", self.number);
    }

    fn server(&self, name: &str) -> String {
        let file = self.servers.path().join(format!("{name}.address"));
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    async fn serve(&mut self, roles: &'static str, port: u16, settings: &[(String, String)], node: u8) {
        let mut command = self.command(PROGRAM);
        command.args(["serve", "--insecure", "--roles", roles, "--listen", &format!("0.0.0.0:{port}")]);
        command.env("RIALTO__NODE__ID", node.to_string()).args(["--data-dir", "/nonexistent"]);
        command.envs(settings.iter().cloned()).env("RUST_LOG", "error");
        let (process, _) = greeted(command, "rialto: serving on ").await;
        self.processes.push((roles, process));
    }

    /// nginx with the shipped configuration over both ingest nodes; it stays when the others die.
    async fn balance(&self, other: &Self) -> Balancer {
        let dir = self.servers.path();
        let file = dir.join("nginx.conf");
        let shipped = include_str!("../../deploy/nginx/nginx.conf");
        let local = shipped
            .replace("/tmp/", &format!("{}/", dir.display()))
            .replace("listen 8080", "listen 8070")
            .replace("ingest-1:8080", &format!("{}:8080", other.address()))
            .replace("ingest-2:8080", "127.0.0.1:8080");
        std::fs::write(&file, local).unwrap();
        let mut nginx = self.command("nginx");
        nginx.arg("-c").arg(file).args(["-g", "daemon off; user root;"]).stdout(Stdio::null());
        let way = Way { name: "balancer", url: format!("http://{}:8070", self.outside().0) };
        Balancer { way, process: nginx.spawn().unwrap() }
    }

    /// SIGKILL for everything but the servers.
    async fn kill_processes(&mut self) {
        for (_, process) in &mut self.processes {
            process.start_kill().unwrap();
            process.wait().await.unwrap();
        }
        self.processes.clear();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers");
        let ip = |arguments: &[&str]| std::process::Command::new("ip").args(arguments).stdout(Stdio::null()).status();
        let dir = self.servers.path().to_str().unwrap();
        let everything = ["mariadb-1", "mariadb-2", "redis", "kafka"];
        let started =
            everything.into_iter().filter(|name| self.servers.path().join(format!("{name}.address")).exists());
        let kill =
            [&["netns", "exec", &self.namespace, script, "kill", "--dir", dir][..], &started.collect::<Vec<_>>()];
        let _ = ip(&kill.concat());
        // The link goes with either end; a namespace may live on for a while by connections that nobody has closed.
        let _ = ip(&["link", "del", &self.link()]);
        let _ = ip(&["netns", "del", &self.namespace]);
    }
}

/// nginx.
struct Balancer {
    way: Way,
    process: Child,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // A master that is killed would leave its workers behind.
        if let Some(id) = self.process.id() {
            let _ = std::process::Command::new("kill").arg(id.to_string()).status();
            let begun = Instant::now();
            while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// The whole system.
struct Hosts {
    // In the order in which they go: who asks before who is asked.
    balancer: Balancer,
    one: Host,
    two: Host,
    psp: TestPsp,
    _books: TempDir,
    settings: Vec<(String, String)>,
    world: reqwest::Client,
}

impl Hosts {
    async fn build() -> Self {
        let (one, two) = (Host::build(1).await, Host::build(2).await);
        let (a, b) = (&one.namespace, &two.namespace);
        ip(&format!("link add name other netns {a} type veth peer name other netns {b}")).await;
        for host in [&one, &two] {
            ip(&format!("-n {} addr add {}/24 dev other", host.namespace, host.address())).await;
            ip(&format!("-n {} link set dev other up", host.namespace)).await;
        }
        tokio::join!(one.servers("up", &["mariadb-1", "redis", "kafka"]), two.servers("up", &["mariadb-2"]));

        // Each host reaches the world at an address of its own, so the PSP's name differs and its books do not.
        let books = tempfile::tempdir().unwrap();
        let psp = TestPsp::start_open(books.path(), &[]).await;
        let databases = [one.server("mariadb-1"), two.server("mariadb-2")];
        let databases = databases.map(|address| format!("\"mysql://rialto:rialto@{address}/rialto\""));
        let settings = [
            ("SHARD__DATABASES", format!("[{}]", databases.join(", "))),
            ("CONTROL__DATABASE", format!("mysql://rialto:rialto@{}/rialto_control", one.server("mariadb-1"))),
            ("REDIS__URL", format!("redis://{}/", one.server("redis"))),
            ("KAFKA__BROKERS", one.server("kafka")),
            // Waits made short, so that what waits is taken up soon.
            ("REQUESTS__GRACE_MS", "2000".to_owned()),
            ("REQUESTS__TRIES_MAX", "1000".to_owned()),
            ("REQUESTS__RETRY_CAP_MS", "1000".to_owned()),
            ("RESOLVER__AFTER_MS", "6000".to_owned()),
            ("RESOLVER__LADDER_MS", "[500, 1000, 1000, 2000, 2000]".to_owned()),
            ("BREAKER__OPEN_MS", "1000".to_owned()),
        ];
        let settings = settings.map(|(key, value)| (format!("RIALTO__{key}"), value)).into();
        let world = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let balancer = two.balance(&one).await;
        let mut hosts = Self { one, two, balancer, psp, _books: books, settings, world };
        let settings = hosts.settings_of(&hosts.one);
        hosts.one.serve("ingest", 8080, &settings, 1).await;
        hosts.serve_two().await;
        hosts
    }

    fn settings_of(&self, host: &Host) -> Vec<(String, String)> {
        let mut settings = self.settings.clone();
        let port = self.psp.url.rsplit(':').next().unwrap();
        settings.push(("RIALTO__PSP__URL".to_owned(), format!("http://{}:{port}", host.outside().1)));
        settings
    }

    async fn serve_two(&mut self) {
        let settings = self.settings_of(&self.two);
        let roles = ["ingest", "publisher,resolver", "settlement", "refund", "ledger"];
        for (place, roles) in roles.into_iter().enumerate() {
            self.two.serve(roles, 8080 + place as u16, &settings, 2 + place as u8).await;
        }
    }

    /// One call. A server may close a connection that has rested at the moment in which it is used again (RFC 9112,
    /// 9.3.1): then the call is repeated with the same key, as a merchant would. A node that has died refuses that one
    /// too.
    async fn call(&self, way: &Way, path: &str, body: &Value) -> (u16, Value) {
        let begun = Instant::now();
        let send = async || self.world.post(format!("{}{path}", way.url)).json(body).send().await;
        let answer = match send().await {
            Err(error) if !error.is_timeout() && !error.is_connect() => {
                println!("{}: {error:?} after {:?}, repeated", way.name, begun.elapsed());
                send().await
            }
            answer => answer,
        };
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error:?} after {:?}", way.name, begun.elapsed()));
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Authorizes, and asks for the capture. What was said, and the payment if it is authorized.
    async fn trade(&self, way: &Way, merchant: &str) -> (u16, Option<String>) {
        let begun = Instant::now();
        let (status, answer) = self.call(way, "/payments/authorize", &order(merchant, 1_000)).await;
        assert!(begun.elapsed() < REFUSED_WITHIN, "{:?} for {answer}", begun.elapsed());
        if status != 200 {
            let code = answer["code"].as_str().unwrap_or_default();
            let allowed = [
                (202, ""),
                (503, "shard_unavailable"),
                (503, "psp_unavailable"),
                (503, "overloaded"),
                (503, "outcome_unknown"),
            ];
            assert!(allowed.contains(&(status, code)), "{status} {answer}");
            return (status, None);
        }
        let id = answer["paymentId"].as_str().unwrap().to_owned();
        let capture = json!({"merchantId": merchant, "idempotencyKey": "capture"});
        eventually("the capture is taken on", async || {
            let (status, _) = self.call(way, &format!("/payments/capture/{id}"), &capture).await;
            (status == 200).then_some(())
        })
        .await;
        (status, Some(id))
    }

    /// Waits until all of these payments are captured, refunds them, and has the books of everything checked.
    async fn delivered(&self, payments: &[(String, String)]) {
        assert!(!payments.is_empty());
        let each = payments.iter().enumerate().map(async |(place, (merchant, id))| {
            let way = if place % 2 == 0 { self.one.way() } else { self.two.way() };
            let reach = async |status: &str| {
                eventually(&format!("{id} {status}"), async || {
                    let answer = self.world.get(format!("{}/payments/{id}", way.url)).send().await.ok()?;
                    let found: Value = answer.json().await.ok()?;
                    (found["status"] == status).then_some(())
                })
                .await;
            };
            reach("CAPTURED").await;
            let refund = json!({"merchantId": merchant, "idempotencyKey": "refund"});
            eventually("the refund is taken on", async || {
                let (status, answer) = self.call(&way, &format!("/payments/refund/{id}"), &refund).await;
                // Many at once on few cores: a refusal that may be repeated is, as a merchant would.
                assert!(status == 200 || answer["retryable"] == true, "{status} {answer}");
                (status == 200).then_some(())
            })
            .await;
            reach("REFUNDED").await;
        });
        join_all(each).await;
        let begun = Instant::now();
        loop {
            let mut audit = self.one.command(PROGRAM);
            audit.args(["audit", "--settled"]).envs(self.settings_of(&self.one));
            let output = audit.output().await.unwrap();
            if output.status.success() {
                return;
            }
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(begun.elapsed() < PATIENCE, "{said}{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Trades by these ways for a while, with merchants of both shards at once. What was authorized, and who was
    /// served: by way, of which shard.
    async fn trade_for(&self, ways: &[Way], lasting: Duration) -> (Vec<(String, String)>, Vec<(&'static str, usize)>) {
        let begun = Instant::now();
        let each = ways.iter().flat_map(|way| [0, 1].map(|shard| (way, shard))).map(async |(way, shard)| {
            let (mut payments, mut served) = (Vec::new(), Vec::new());
            while begun.elapsed() < lasting {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let (status, payment) = self.trade(way, MERCHANTS[shard]).await;
                if let Some(id) = payment {
                    payments.push((MERCHANTS[shard].to_owned(), id));
                }
                if status == 200 {
                    served.push((way.name, shard + 1));
                }
            }
            (payments, served)
        });
        let (payments, served): (Vec<_>, Vec<_>) = join_all(each).await.into_iter().unzip();
        let mut served: Vec<_> = served.concat();
        served.sort_unstable();
        served.dedup();
        (payments.concat(), served)
    }
}

#[tokio::test]
async fn two_hosts_lose_each_other_a_shard_and_their_workers_and_no_money() {
    if std::env::var_os("RIALTO_TEST_ON_SERVERS").is_none() {
        println!("skipped: RIALTO_TEST_ON_SERVERS is not set");
        return;
    }
    let root = Command::new("ip").args(["netns", "list"]).output().await;
    if !root.is_ok_and(|output| output.status.success()) || !Path::new("/proc/self/ns/net").exists() {
        println!("skipped: no network namespaces here (they need root and iproute2)");
        return;
    }
    let mut hosts = Hosts::build().await;
    let (first, second, balancer) = (hosts.one.way(), hosts.two.way(), hosts.balancer.way.clone());
    let both = [first.clone(), second];
    let everyone = [("ingest 1", 1), ("ingest 1", 2), ("ingest 2", 1), ("ingest 2", 2)];

    // All is well: every way leads to the merchants of both shards.
    let (payments, served) =
        hosts.trade_for(&[&both[..], std::slice::from_ref(&balancer)].concat(), Duration::from_secs(2)).await;
    assert_eq!(served, [&[("balancer", 1), ("balancer", 2)], &everyone[..]].concat());
    hosts.delivered(&payments).await;

    // Host 2's processes die: host 1 serves everyone, also those whom the balancer sends; what the workers owe waits.
    hosts.two.kill_processes().await;
    let (payments, served) = hosts.trade_for(&[first.clone(), balancer], Duration::from_secs(5)).await;
    assert_eq!(served, [("balancer", 1), ("balancer", 2), ("ingest 1", 1), ("ingest 1", 2)]);
    for (_, id) in &payments {
        let answer = hosts.world.get(format!("{}/payments/{id}", first.url)).send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["status"], "CAPTURE_REQUESTED");
    }
    hosts.serve_two().await;
    hosts.delivered(&payments).await;

    // The link is cut: each host serves the merchants of its own shard, and says of the others that it cannot.
    let (one, two) = (&hosts.one, &hosts.two);
    ip(&format!("-n {} link set dev other down", one.namespace)).await;
    let (payments, served) = hosts.trade_for(&both, Duration::from_secs(20)).await;
    assert_eq!(served, [("ingest 1", 1), ("ingest 2", 2)]);
    ip(&format!("-n {} link set dev other up", one.namespace)).await;
    hosts.delivered(&payments).await;
    eventually("everyone is served again", async || {
        let (_, served) = hosts.trade_for(&both, Duration::from_secs(1)).await;
        (served == everyone).then_some(())
    })
    .await;

    // Shard 2 stops: its merchants wait, the others notice nothing.
    two.servers("kill", &["mariadb-2"]).await;
    let (mut payments, served) = hosts.trade_for(&both, Duration::from_secs(5)).await;
    assert_eq!(served, [("ingest 1", 1), ("ingest 2", 1)]);
    two.servers("up", &["mariadb-2"]).await;
    let begun = Instant::now();
    loop {
        let (more, served) = hosts.trade_for(&both, Duration::from_secs(1)).await;
        payments.extend(more);
        if served == everyone {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{served:?}");
    }
    hosts.delivered(&payments).await;
}
