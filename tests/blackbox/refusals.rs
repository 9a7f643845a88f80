//! Servers that run and take nothing: a full Redis, a topic of Kafka's that refuses its events.

use std::net::TcpListener;
use std::process::Stdio;

use bb8_redis::redis::{self, RedisResult};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::node::{TestNode, eventually};
use crate::scrape::Scrape;

/// A Redis of the test's own, with little memory.
struct SmallRedis {
    url: String,
    _process: Child,
    _directory: tempfile::TempDir,
}

impl SmallRedis {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"])
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let redis = Self { url: format!("redis://127.0.0.1:{port}/"), _process: process, _directory: directory };
        eventually("Redis", async || redis.ask(redis::cmd("PING")).await.ok()).await;
        redis
    }

    async fn ask(&self, command: redis::Cmd) -> RedisResult<redis::Value> {
        let mut connection = redis::Client::open(self.url.as_str())?.get_multiplexed_async_connection().await?;
        command.query_async(&mut connection).await
    }

    async fn set(&self, name: &str, value: &str) {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg(name).arg(value);
        self.ask(set).await.unwrap();
    }

    /// Until it takes nothing more, and a little beyond, so that nothing small fits in between.
    async fn fill(&self) {
        let mut number = 0;
        let full = async |number: u32, length: usize| {
            let mut set = redis::cmd("SET");
            set.arg(format!("ballast-{number}")).arg("x".repeat(length));
            self.ask(set).await.is_err_and(|error| error.to_string().contains("OOM"))
        };
        while !full(number, 100_000).await {
            number += 1;
        }
        self.set("maxmemory", "3mb").await;
    }
}

fn reasons(ready: &Value, capability: &str) -> String {
    ready["capabilities"][capability]["reasons"].to_string()
}

#[tokio::test]
async fn a_full_redis_is_told_and_refuses_nobody() {
    let redis = SmallRedis::start().await;
    let settings = [("REDIS__URL", redis.url.as_str()), ("REDIS__TIMEOUT_MS", "1000")];
    let node = TestNode::start_embedded_with(&settings).await;
    redis.fill().await;
    let told = async || {
        node.authorize(1_000).await;
        let ready = node.get("/readyz").await.expect(200).json();
        let reasons = reasons(&ready, "authorize");
        (reasons.contains("answers are not cached: ") && reasons.contains("limits are local: ")).then_some(reasons)
    };
    let reasons_told = eventually("what Redis does not do", told).await;
    assert!(reasons_told.contains("OOM"), "{reasons_told}");
    // It stays so, though Redis answers what it is asked.
    for _ in 0..20 {
        node.authorize(1_000).await;
        let scrape = Scrape::of(&node).await;
        assert_eq!(scrape.value("rialto_idempotency_cache_degraded", &[]), Some(1.0));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    redis.set("maxmemory-policy", "allkeys-lru").await;
    eventually("Redis takes answers again", async || {
        node.authorize(1_000).await;
        let ready = node.get("/readyz").await.expect(200).json();
        (ready["capabilities"]["authorize"]["status"] == "up").then_some(())
    })
    .await;
}

/// Has a topic take no record larger than this.
async fn limit(node: &TestNode, topic: &str, max_message_bytes: &str) {
    let setting = |name: &str| node.setting(name).unwrap().to_owned();
    let mut config = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> =
        config.set("bootstrap.servers", setting("KAFKA__BROKERS")).create().unwrap();
    let topic = format!("{}{topic}", setting("KAFKA__TOPIC_PREFIX"));
    let limited = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("max.message.bytes", max_message_bytes);
    admin.alter_configs([&limited], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

#[tokio::test]
async fn a_topic_that_refuses_its_events_stops_no_other() {
    let node = TestNode::start().await;
    if !node.is_on_servers() {
        println!("skipped: RIALTO_TEST_ON_SERVERS is not set");
        return;
    }
    limit(&node, "payment.refunded", "200").await;
    let refunded = node.captured(1_000).await;
    node.refund(&refunded, json!({})).await.expect(200);
    let ready = eventually("readiness names the topic", async || {
        let ready = node.get("/readyz").await.expect(200).json();
        reasons(&ready, "publish").contains("refused by the topic payment.refunded").then_some(ready)
    })
    .await;
    assert_eq!(ready["capabilities"]["publish"]["status"], "degraded", "{ready}");
    assert!(reasons(&ready, "publish").to_lowercase().contains("size"), "{ready}");
    // Captures of both shards go their way through other topics.
    for merchant in ["MERCHANT-1", "MERCHANT-2"] {
        let payment = node.authorize_for(merchant, 500).await;
        node.capture(&payment, json!({})).await.expect(200);
        node.eventually(&payment, "CAPTURED").await;
        node.ledger(&payment, 1).await;
    }
    let scrape = Scrape::of(&node).await;
    assert_eq!(scrape.value("rialto_outbox_refused", &[("topic", "payment.refunded")]), Some(1.0));
    assert_eq!(scrape.value("rialto_breaker_state", &[("breaker", "event_log")]), Some(0.0));
    limit(&node, "payment.refunded", "1000000").await;
    node.ledger(&refunded, 2).await;
    eventually("readiness is up", async || {
        let ready = node.get("/readyz").await.expect(200).json();
        (ready["capabilities"]["publish"]["status"] == "up").then_some(())
    })
    .await;
    node.audit().await;
}
