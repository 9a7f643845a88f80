//! What a node refuses to start with, and how soon it serves.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use crate::node::{PATIENCE, TestNode};

/// Starts a node that must refuse; returns what it said.
async fn refused(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    command.args(["serve", "--data-dir"]).arg(dir.path()).args(arguments);
    command.envs(settings.iter().copied()).stdout(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it started").unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_wrong_setting_is_named_with_what_is_allowed() {
    for (name, value, said) in [
        ("RIALTO__SHARD__MAX_BATCH", "0", vec!["shard.max_batch", "0", "1 to 1000"]),
        ("RIALTO__SHARD__MAX_BATCH", "many", vec!["max_batch", "many"]),
        ("RIALTO__SHARD__MAX_BATCHES", "7", vec!["rialto__shard__max_batches", "7", "rialto__shard__max_batch"]),
        ("RIALTO_SHARD__MAX_BATCH", "7", vec!["rialto_shard__max_batch", "7", "rialto__shard__max_batch"]),
        ("RIALTO__CONTROL__DATABASE", "mysql://u:s3cret@h:port/d", vec!["control.database", "mysql://"]),
        ("RIALTO__PSP__SIMULATOR__DECLINE_PERMILLE", "2000", vec!["2000"]),
    ] {
        // A key from the environment is said as it is spelled there.
        let text = refused(&["--listen", "127.0.0.1:0"], &[(name, value)]).await.to_lowercase();
        for part in said {
            assert!(text.contains(part), "{name}={value}: {text}");
        }
    }
}

/// What `rialto config` says on standard error, and whether it took the settings.
async fn config(arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    let output = command.arg("config").args(arguments).envs(settings.iter().copied()).output().await.unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn config_refuses_what_a_start_would_refuse_and_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rialto.toml");
    std::fs::write(&file, "[control]\ndatabase = \"mysql://u:s3cret@h/db\n").unwrap();
    let (file, place) = (file.display().to_string(), dir.path().display().to_string());
    for (arguments, settings, parts) in [
        (vec![], vec![("RIALTO__SHARD__DATABASES", "mysql://u:s3cret@h/db")], vec!["mysql://***@h/db", "is a list"]),
        (vec!["--config", &file], vec![], vec![&*file, "line 2"]),
        (vec!["--config", &place], vec![], vec![&*place, "a directory"]),
        (
            vec![],
            vec![("RIALTO__SHARD__COUNT", "abc")],
            vec!["RIALTO__SHARD__COUNT=abc: shard.count is a whole number"],
        ),
        (vec![], vec![("RIALTO__SHARD", "2")], vec!["RIALTO__SHARD=2: shard is a section"]),
        (vec![], vec![("RIALTO_ROLES", "ingst")], vec!["ingst", "settlement"]),
        (vec![], vec![("RIALTO_ROLE", "ingest")], vec!["RIALTO_ROLE;", "RIALTO_ROLES"]),
        (vec![], vec![("RIALTO_LOG", "debug")], vec!["RUST_LOG"]),
        (vec![], vec![("RIALTO__KAFKA__BROKERS", "foo")], vec!["kafka.brokers", "host:port"]),
        (
            vec![],
            vec![("RIALTO__SHARD__COUNT", "3"), ("rialto__shard__count", "4")],
            vec!["RIALTO__SHARD__COUNT", "rialto__shard__count", "both"],
        ),
    ] {
        let (is_taken, said) = config(&arguments, &settings).await;
        assert!(!is_taken, "{settings:?}: {said}");
        parts.iter().for_each(|part| assert!(said.contains(part), "{settings:?}: {part}: {said}"));
        assert!(!said.contains("s3cret"), "{said}");
    }
    let (is_taken, said) = config(&["--changed"], &[]).await;
    assert!(is_taken && said.contains("nothing differs from the defaults"), "{said}");
}

/// One line for each migration, and none of it a warning.
#[tokio::test]
async fn first_start_is_short_and_warns_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path().join("data"));
    command.env_remove("RUST_LOG").stderr(std::fs::File::create(&log).unwrap());
    let (mut process, _) = crate::node::greeted(command, "rialto: serving on ").await;
    process.kill().await.unwrap();
    let text = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line["level"] == "INFO"), "{text}");
    let migrations: Vec<_> = lines.iter().filter(|line| line.to_string().contains("igrat")).collect();
    let told = |line: &&&Value| line["message"].as_str().unwrap().starts_with("migration applied");
    assert!(!migrations.is_empty() && migrations.iter().all(|line| told(&line)), "{text}");
    assert_eq!(lines.iter().filter(|line| line.to_string().contains("control store is new")).count(), 1, "{text}");
}

#[tokio::test]
async fn roles_apart_need_servers_that_all_reach() {
    let text = refused(&["--listen", "127.0.0.1:0", "--roles", "settlement,refund"], &[]).await;
    for part in ["settlement,refund", "shard.databases", "kafka.brokers", "psp.url"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = refused(&["--roles", "everything"], &[]).await;
    assert!(text.contains("everything") && text.contains("resolver"), "{text}");
    let databases = ("RIALTO__SHARD__DATABASES", "[\"mysql://u:secret@h/d\", \"mysql://u:secret@h/e\"]");
    let text = refused(&["--listen", "127.0.0.1:0"], &[databases]).await;
    assert!(text.contains("kafka.brokers") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn open_to_the_world_only_on_purpose() {
    let text = refused(&["--listen", "0.0.0.0:0"], &[]).await;
    assert!(text.contains("--insecure"), "{text}");
}

#[tokio::test]
async fn a_data_directory_has_one_owner() {
    let node = TestNode::start_embedded().await;
    let output = Command::new(env!("CARGO_BIN_EXE_rialto"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(node.data_dir())
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use"));
}

#[tokio::test]
async fn payments_are_not_dealt_out_anew() {
    let mut node = TestNode::start_embedded().await;
    node.terminate().await;
    let output = Command::new(env!("CARGO_BIN_EXE_rialto"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(node.data_dir())
        .env("RIALTO__SHARD__COUNT", "3")
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("shard.count"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_named() {
    let mut node = TestNode::start_embedded().await;
    node.terminate().await;
    let file = node.data_dir().join("shard-1.db");
    let shard = rialto::infra::sqlite::open_writer(&file).await.unwrap();
    let insert = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_later', 0)";
    sea_orm::ConnectionTrait::execute_unprepared(&shard, insert).await.unwrap();
    shard.close().await.unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_rialto"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(node.data_dir())
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("m29990101_000001_later"));
}

/// A bound for a debug build on a machine that runs other tests; the release's figure is in the README.
#[tokio::test]
async fn a_node_serves_soon() {
    let begun = Instant::now();
    let node = TestNode::start().await;
    node.authorize(1_000).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn config_shows_each_value_with_its_source_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rialto.toml");
    std::fs::write(&file, "[shard]\nmax_batch = 7\n[redis]\nurl = \"redis://:s3cret@cache\"\n").unwrap();
    let config = async |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rialto"));
        command.args(["config", "--config"]).arg(&file).args(arguments).envs(settings.iter().copied());
        command.output().await.unwrap()
    };
    let settings = [("RIALTO__OUTBOX__POLL_MS", "77")];
    let text = String::from_utf8(config(&[], &settings).await.stdout).unwrap();
    let from_file = format!("# file {}", file.display());
    for (assignment, source) in [
        ("max_batch = 7 ", from_file.as_str()),
        ("url = \"redis://***@cache\" ", &from_file),
        ("poll_ms = 77 ", "# environment RIALTO__OUTBOX__POLL_MS"),
        ("shed_above = 256 ", "# default"),
    ] {
        let line =
            text.lines().find(|line| line.starts_with(assignment)).unwrap_or_else(|| panic!("{assignment}: {text}"));
        assert!(line.ends_with(source), "{line}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    let changed: Value = serde_json::from_slice(&config(&["--changed", "--json"], &settings).await.stdout).unwrap();
    let keys: Vec<_> = changed.as_array().unwrap().iter().map(|setting| setting["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["outbox.poll_ms", "redis.url", "shard.max_batch"]);

    let refused = config(&[], &[("RIALTO__SHARD__MAX_BATCH", "0")]).await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("shard.max_batch"));

    // What it says is a file with which a node could start.
    std::fs::write(&file, &text).unwrap();
    let again = config(&["--changed"], &[]).await;
    assert!(again.status.success() && String::from_utf8_lossy(&again.stdout).contains("poll_ms = 77"), "{again:?}");
}

#[tokio::test]
async fn more_callers_than_open_files_wait_and_the_node_lives() {
    let dir = tempfile::tempdir().unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("sh");
    let serve = format!("ulimit -n 256; exec \"$0\" serve --listen {address} --data-dir \"$1\"");
    command.args(["-c", &serve, env!("CARGO_BIN_EXE_rialto")]).arg(dir.path());
    let mut process = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let url = format!("http://{address}");
    let authorize = async || {
        let body = crate::node::order("MERCHANT-1", 1_000);
        let answer = http.post(format!("{url}/payments/authorize")).json(&body).send().await.ok()?;
        (answer.status() == 200).then_some(())
    };
    crate::node::eventually("it serves", &authorize).await;
    let mut held = Vec::new();
    for _ in 0..400 {
        held.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    // Longer than a supervisor needs to give up on actors that die of files that cannot be opened.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        assert!(process.try_wait().unwrap().is_none(), "the process has ended");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(held);
    crate::node::eventually("everybody is served again", &authorize).await;
    assert!(process.try_wait().unwrap().is_none(), "the process has ended");
}
