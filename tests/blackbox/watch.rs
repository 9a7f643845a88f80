//! Prometheus and Alertmanager with the shipped configuration, in a hurry, and whom Alertmanager tells.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use parking_lot::Mutex;
use rialto::runtime::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
/// Every duration of the shipped configuration and rules (intervals, windows, `for`) is so many times shorter here: a
/// day takes four minutes.
const FASTER: u64 = 360;
/// But none is shorter than this: how often Prometheus asks here.
const SHORTEST_MS: u64 = 1_000;
/// Nor is a window of a rule: a rate needs several answers.
const WINDOW_SHORTEST_MS: u64 = 5_000;

/// Longer than the longest window of an alert, here, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// One message of Alertmanager's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `chat` or `pager`.
    pub whom: String,
    pub alert: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// The whole message.
    pub text: String,
}

type Heard = Arc<Mutex<Vec<Told>>>;

/// See the file's header.
pub struct Watch {
    prometheus: String,
    clock: Clock,
    begun_ms: i64,
    heard: Heard,
    http: reqwest::Client,
    dir: TempDir,
    _processes: [Child; 2],
}

impl Watch {
    /// Watches these nodes. None where the programs are not installed, which in CI is a failure.
    pub async fn start(nodes: &[&str]) -> Option<Self> {
        let programs = found(&["prometheus"]).zip(found(&["prometheus-alertmanager", "alertmanager"]));
        let Some((prometheus, alertmanager)) = programs else {
            assert!(std::env::var_os("CI").is_none(), "there is no prometheus or no alertmanager");
            println!("skipped: there is no prometheus or no alertmanager");
            return None;
        };
        let heard = Heard::default();
        let (watching, telling) = (free_address(), free_address());
        let dir = tempfile::tempdir().unwrap();
        tell_where_to_watch(dir.path(), nodes, &watching, &telling);
        tell_whom_to_tell(dir.path(), &receive(heard.clone()));
        let clock = Clock::system();
        let watch = Self {
            prometheus: format!("http://{watching}"),
            begun_ms: clock.now_ms(),
            clock,
            heard,
            http: reqwest::Client::new(),
            _processes: [
                run(
                    &alertmanager,
                    dir.path(),
                    "alertmanager",
                    &telling,
                    &["--storage.path=told", "--cluster.listen-address="],
                ),
                run(&prometheus, dir.path(), "prometheus", &watching, &["--storage.tsdb.path=seen"]),
            ],
            dir,
        };
        watch
            .until("all are watched", async || {
                let up = watch.ask("query", &[("query", "sum(up) == count(up)")]).await?;
                let count = watch.ask("query", &[("query", "count(up{job=\"rialto\"})")]).await?;
                let is_all = count["result"][0]["value"][1] == nodes.len().to_string().as_str();
                (is_all && up["result"].as_array()?.len() == 1).then_some(())
            })
            .await;
        Some(watch)
    }

    /// The alerts that fire now.
    async fn firing(&self) -> Vec<String> {
        let alerts = self.ask("alerts", &[]).await.unwrap();
        let firing = alerts["alerts"].as_array().unwrap().iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until nothing fires.
    pub async fn is_quiet(&self) {
        self.until("nothing fires", async || self.firing().await.is_empty().then_some(())).await;
    }

    /// Waits until the alert fires and the one whom it is for has been told, with its runbook.
    pub async fn fires(&self, alert: &str, whom: &str) {
        self.until(&format!("{alert} fires"), async || {
            self.firing().await.iter().any(|firing| firing == alert).then_some(())
        })
        .await;
        self.told(alert, whom, "firing").await;
        println!("{} s: {alert} fires", self.age());
    }

    /// Waits until the alert has ended and the same one has been told so.
    pub async fn ends(&self, alert: &str, whom: &str) {
        self.until(&format!("{alert} ends"), async || {
            self.firing().await.iter().all(|firing| firing != alert).then_some(())
        })
        .await;
        self.told(alert, whom, "resolved").await;
        println!("{} s: {alert} has ended", self.age());
    }

    async fn told(&self, alert: &str, whom: &str, status: &str) {
        let told = self
            .until(&format!("{whom} is told: {alert} {status}"), async || {
                let heard = self.heard.lock();
                heard.iter().rfind(|told| told.alert == alert).filter(|told| told.status == status).cloned()
            })
            .await;
        assert_eq!(told.whom, whom, "{told:?}");
        assert!(told.text.contains(&format!("docs/operations.md#{}", alert.to_lowercase())), "{told:?}");
    }

    /// How many points that are numbers a query has from the beginning until now.
    pub async fn points(&self, query: &str) -> usize {
        let (begun, now) = (self.begun_ms / 1_000, self.clock.now_ms() / 1_000);
        let (begun, now) = (begun.to_string(), now.to_string());
        let asked = [("query", query), ("start", &begun), ("end", &now), ("step", "1")];
        let answer = self.ask("query_range", &asked).await.unwrap_or_else(|| panic!("refused: {query}"));
        let series = answer["result"].as_array().unwrap();
        let points = series.iter().flat_map(|series| series["values"].as_array().unwrap());
        points.filter(|point| point[1] != "NaN").count()
    }

    /// Seconds since the beginning.
    pub fn age(&self) -> i64 {
        (self.clock.now_ms() - self.begun_ms) / 1_000
    }

    /// Waits until `condition` gives a value.
    async fn until<T>(&self, what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
        let begun = self.clock.instant();
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            assert!(begun.elapsed() < PATIENCE, "{} s: not in time: {what}", self.age());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn ask(&self, what: &str, query: &[(&str, &str)]) -> Option<Value> {
        let asked = self.http.get(format!("{}/api/v1/{what}", self.prometheus)).query(query).send().await.ok()?;
        let answer: Value = asked.json().await.ok()?;
        (answer["status"] == "success").then(|| answer["data"].clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for log in ["alertmanager.log", "prometheus.log"] {
                eprintln!("{log}: {}", fs::read_to_string(self.dir.path().join(log)).unwrap_or_default());
            }
            eprintln!("heard: {:#?}", self.heard.lock());
        }
    }
}

/// Prometheus's configuration, in this directory.
fn tell_where_to_watch(dir: &Path, nodes: &[&str], watching: &str, telling: &str) {
    for folder in ["rules", "targets"] {
        fs::create_dir(dir.join(folder)).unwrap();
    }
    for rules in ["rules/recording.yml", "rules/alerts.yml"] {
        copy(&format!("prometheus/{rules}"), &dir.join(rules), &[]);
    }
    let addresses = [("alertmanager:9093", telling), ("localhost:9090", watching)];
    copy("prometheus/prometheus.yml", &dir.join("prometheus.yml"), &addresses);
    let targets: Vec<_> = nodes.iter().map(|url| url.trim_start_matches("http://")).collect();
    fs::write(dir.join("targets/rialto.yml"), json!([{ "targets": targets }]).to_string()).unwrap();
}

/// Alertmanager's configuration, in this directory: the chat and the pager are the test.
fn tell_whom_to_tell(dir: &Path, receiver: &str) {
    fs::write(dir.join("chat-url"), format!("{receiver}/chat")).unwrap();
    fs::write(dir.join("pager-key"), "the key of a test").unwrap();
    let (global, secrets) = (format!("global:\n  pagerduty_url: {receiver}/pager"), format!("{}/", dir.display()));
    let places = [("global:", global.as_str()), ("/run/secrets/", secrets.as_str())];
    copy("alertmanager/alertmanager.yml", &dir.join("alertmanager.yml"), &places);
}

/// One of the two programs, in the directory that has its configuration.
fn run(program: &Path, dir: &Path, name: &str, listen: &str, options: &[&str]) -> Child {
    let log = fs::File::create(dir.join(name).with_extension("log")).unwrap();
    let mut command = Command::new(program);
    command.arg(format!("--config.file={name}.yml")).arg(format!("--web.listen-address={listen}")).args(options);
    command.current_dir(dir).stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn().unwrap()
}

/// The first of these programs that is installed.
fn found(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places: Vec<_> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|file| file.is_file())
}

fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// A shipped file with these places instead of its own, and its durations shortened.
fn copy(shipped: &str, to: &Path, places: &[(&str, &str)]) {
    let text = fs::read_to_string(format!("{SHIPPED}/{shipped}")).unwrap();
    let moved = places.iter().fold(shortened(&text), |text, (shipped, here)| {
        assert!(text.contains(shipped), "{shipped}");
        text.replace(shipped, here)
    });
    fs::write(to, moved).unwrap();
}

/// Every duration, such as `[5m]` or `for: 30s`, divided by [`FASTER`].
fn shortened(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let token = from.len() - from.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "._".contains(c)).len();
        let (token, after) = from.split_at(token);
        let previous = out.chars().next_back().unwrap_or(' ');
        match milliseconds(token).filter(|_| !previous.is_alphanumeric() && !"_.".contains(previous)) {
            Some(ms) => {
                let shortest = if previous == '[' { WINDOW_SHORTEST_MS } else { SHORTEST_MS };
                out.push_str(&format!("{}ms", (ms / FASTER).max(shortest)));
            }
            None => out.push_str(token),
        }
        rest = after;
    }
    out + rest
}

fn milliseconds(token: &str) -> Option<u64> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    units.iter().find_map(|(unit, each)| Some(token.strip_suffix(unit)?.parse::<u64>().ok()? * each))
}

#[test]
fn durations_and_nothing_else_are_shortened() {
    assert_eq!(
        shortened("rate_1d: sum(x_5m:rate5m{code=~\"5..\"}[3d]) > 14.4 * 0.0001 # 503\nfor: 30m\nfor: 30s [5m]"),
        "rate_1d: sum(x_5m:rate5m{code=~\"5..\"}[720000ms]) > 14.4 * 0.0001 # 503\nfor: 5000ms\nfor: 1000ms [5000ms]"
    );
}

/// Takes Alertmanager's messages; its URL.
fn receive(heard: Heard) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server =
        HttpServer::new(move || App::new().app_data(web::Data::new(heard.clone())).default_service(web::to(hear)));
    tokio::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
    url
}

async fn hear(request: HttpRequest, body: web::Bytes, heard: web::Data<Heard>) -> HttpResponse {
    let message: Value = serde_json::from_slice(&body).unwrap();
    let whom = request.path().trim_start_matches('/').to_owned();
    let (alert, status) = match whom.as_str() {
        "chat" => {
            let (status, alert) = message["attachments"][0]["title"].as_str().unwrap().split_once(": ").unwrap();
            (alert.to_owned(), status.to_owned())
        }
        "pager" => {
            let status = if message["event_action"] == "resolve" { "resolved" } else { "firing" };
            (message["payload"]["custom_details"]["alert"].as_str().unwrap().to_owned(), status.to_owned())
        }
        other => panic!("nobody is called {other}"),
    };
    heard.lock().push(Told { whom, alert, status, text: message.to_string() });
    HttpResponse::Accepted().json(json!({"status": "success", "message": "", "dedup_key": ""}))
}
