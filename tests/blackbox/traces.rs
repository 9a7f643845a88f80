//! One trace of one payment, from the request to the ledger, as a collector receives it.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rialto::runtime::Chance;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::collector::{Collector, Span};
use crate::node::{Answer, PROGRAM, Payment, TestNode, eventually, greeted, order};

/// A caller's place in a trace of its own.
struct Caller {
    trace_id: String,
    span_id: String,
    sampled: bool,
}

impl Caller {
    fn new(sampled: bool) -> Self {
        let chance = Chance::from_entropy();
        let trace_id = format!("{:016x}{:016x}", chance.u64(), chance.u64() | 1);
        Self { trace_id, span_id: format!("{:016x}", chance.u64() | 1), sampled }
    }

    fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }

    async fn post(&self, node: &TestNode, path: &str, body: &Value) -> Answer {
        let request = node.http.post(format!("{}{path}", node.url)).header("traceparent", self.traceparent());
        node.send(request.json(body)).await
    }

    /// Authorizes, and has the capture asked for at once.
    async fn pay(&self, node: &TestNode) -> Payment {
        let mut body = order("MERCHANT-1", 1_000);
        body["captureMode"] = json!("automatic");
        body["description"] = json!("a-secret-gift");
        body["metadata"] = json!({"note": "a-secret-note"});
        let answer = self.post(node, "/payments/authorize", &body).await.expect(200).json();
        let payment =
            Payment { id: answer["paymentId"].as_str().unwrap().to_owned(), merchant: "MERCHANT-1".to_owned() };
        node.eventually(&payment, "CAPTURED").await;
        node.ledger(&payment, 1).await;
        payment
    }
}

/// Spans of one trace.
struct Tree(Vec<Span>);

impl Tree {
    /// The one span of this name.
    #[track_caller]
    fn one(&self, name: &str) -> &Span {
        let found: Vec<_> = self.0.iter().filter(|span| span.name == name).collect();
        let [span] = found[..] else { panic!("{} spans {name}: {:#?}", found.len(), self.names()) };
        span
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|span| span.name.as_str()).collect()
    }

    /// A span of this name and kind is a child of that one; it has these attributes, and failed not.
    #[track_caller]
    fn child(&self, name: &str, parent: &Span, kind: SpanKind, attributes: &[(&str, &str)]) -> &Span {
        let span = self.one(name);
        assert_eq!(span.parent_id, parent.span_id, "{name} is no child of {}: {:#?}", parent.name, self.0);
        assert_eq!(span.kind, kind, "{name}");
        for (key, value) in attributes {
            assert_eq!(span.attributes.get(*key).map(String::as_str), Some(*value), "{name}: {key}");
        }
        assert!(!span.is_failed, "{name}");
        assert!(span.times.0 <= span.times.1, "{name} ends before it begins");
        span
    }
}

/// What an automatic capture is, from the caller to the ledger.
async fn traced(collector: &Collector, caller: &Caller) -> Tree {
    // What ends last; what is within it has come before, unless another process sends it.
    let wanted = [
        "POST /payments/authorize",
        "send payment.authorized",
        "send payment.capture-requested",
        "process payment.capture-requested",
        "send payment.captured",
        "process payment.captured",
    ];
    eventually("the whole trace", async || {
        let tree = Tree(collector.of(&caller.trace_id));
        wanted.iter().all(|name| tree.names().contains(name)).then_some(tree)
    })
    .await
}

fn check(tree: &Tree, caller: &Caller, messaging: &str, database: &str) {
    let server = tree.one("POST /payments/authorize");
    assert_eq!(server.parent_id, caller.span_id);
    assert_eq!(server.kind, SpanKind::Server);
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/payments/authorize"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(server.attributes.get(key).map(String::as_str), Some(value), "{key}");
    }
    tree.child("rate_limiter take", server, SpanKind::Internal, &[]);
    tree.child("idempotency_cache find", server, SpanKind::Internal, &[]);
    let intent = tree.child("shard_writer authorize", server, SpanKind::Internal, &[]);
    let psp = tree.child("psp authorize", server, SpanKind::Client, &[("rialto.psp.outcome", "approved")]);
    let conclusion = tree.child("shard_writer conclude", server, SpanKind::Internal, &[]);
    assert!(intent.times.1 <= psp.times.0 && psp.times.1 <= conclusion.times.0, "one after the other");

    let sent = |topic, parent| {
        let of_log = [("messaging.system", messaging), ("messaging.destination.name", topic)];
        let of_send = [("messaging.operation.type", "send"), ("messaging.operation.name", "send")];
        tree.child(&format!("send {topic}"), parent, SpanKind::Producer, &[of_log, of_send].concat())
    };
    let processed = |topic, parent, group| {
        let of_log = [("messaging.system", messaging), ("messaging.destination.name", topic)];
        let of_group = [("messaging.operation.type", "process"), ("messaging.consumer.group.name", group)];
        tree.child(&format!("process {topic}"), parent, SpanKind::Consumer, &[of_log, of_group].concat())
    };
    sent("payment.authorized", server);
    let requested = sent("payment.capture-requested", server);
    let settlement = processed("payment.capture-requested", requested, "settlement");
    tree.child("psp capture", settlement, SpanKind::Client, &[("rialto.psp.outcome", "approved")]);
    let attempt = tree.child("shard_writer attempt", settlement, SpanKind::Internal, &[]);
    let captured = sent("payment.captured", settlement);
    let ledger = processed("payment.captured", captured, "ledger");
    let post = tree.child("shard_writer post", ledger, SpanKind::Internal, &[]);

    // Each of them waited for one commit, which knows it.
    for waiting in [intent, conclusion, attempt, post] {
        let commits: Vec<_> = tree.0.iter().filter(|span| span.links.contains(&waiting.span_id)).collect();
        let [commit] = commits[..] else { panic!("{} has the commits {commits:#?}", waiting.name) };
        assert_eq!((commit.name.as_str(), commit.kind), ("COMMIT shard_1", SpanKind::Client));
        assert_eq!(commit.attributes["db.system.name"], database);
        assert_eq!(commit.attributes["db.operation.name"], "COMMIT");
        assert!(commit.attributes["db.operation.batch.size"].parse::<u32>().unwrap() >= 1);
        assert!(tree.0.iter().any(|span| span.span_id == commit.parent_id), "a commit is in the tree");
    }
    for span in &tree.0 {
        assert_eq!(span.service.0, "rialto", "{}", span.name);
        assert!(span.parent_id == caller.span_id || tree.0.iter().any(|parent| parent.span_id == span.parent_id));
        let said = format!("{span:?}");
        for secret in ["a-secret", "key-", "MERCHANT"] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
    }
}

#[tokio::test]
async fn a_payment_is_one_trace_from_the_request_to_the_ledger() {
    let collector = Collector::start();
    let settings = [("TELEMETRY__OTLP_ENDPOINT", collector.endpoint.as_str()), ("TELEMETRY__TRACE_SAMPLE_RATIO", "0")];
    let node = TestNode::start_with(&settings).await;
    let (messaging, database) = if node.is_on_servers() { ("kafka", "mariadb") } else { ("rialto", "sqlite") };
    let caller = Caller::new(true);
    caller.pay(&node).await;
    check(&traced(&collector, &caller).await, &caller, messaging, database);
}

#[tokio::test]
async fn a_trace_goes_on_from_process_to_process() {
    let collector = Collector::start();
    let settings = [("TELEMETRY__OTLP_ENDPOINT", collector.endpoint.as_str())];
    let Some(node) = TestNode::start_role("ingest", &settings).await else { return };
    let _publisher = node.join("publisher", 1).await;
    let _settlement = node.join("settlement,refund,resolver", 2).await;
    let _ledger = node.join("ledger", 3).await;
    let caller = Caller::new(true);
    caller.pay(&node).await;
    let tree = traced(&collector, &caller).await;
    check(&tree, &caller, "kafka", "mariadb");
    for (name, instance) in [
        ("POST /payments/authorize", "node-0"),
        ("send payment.captured", "node-1"),
        ("psp capture", "node-2"),
        ("shard_writer post", "node-3"),
    ] {
        assert_eq!(tree.one(name).service.1, instance, "{name}");
    }
}

#[tokio::test]
async fn what_callers_do_not_sample_is_not_exported_and_what_begins_here_is_by_the_ratio() {
    let collector = Collector::start();
    let settings = [("TELEMETRY__OTLP_ENDPOINT", collector.endpoint.as_str()), ("TELEMETRY__TRACE_SAMPLE_RATIO", "1")];
    let node = TestNode::start_with(&settings).await;
    let (quiet, loud) = (Caller::new(false), Caller::new(true));
    quiet.pay(&node).await;
    let own = node.authorize(1_000).await;
    loud.pay(&node).await;
    traced(&collector, &loud).await;
    assert_eq!(collector.of(&quiet.trace_id).len(), 0);
    // The trace that began here is the one that the payment's events tell.
    let events = node.get(&format!("/payments/{}?expand=events", own.id)).await.expect(200).json();
    let trace_id = events["events"][0]["traceId"].as_str().unwrap();
    let server = eventually("the trace that began here", async || {
        let tree = collector.of(trace_id);
        tree.into_iter().find(|span| span.name == "POST /payments/authorize")
    })
    .await;
    assert_eq!(server.parent_id, "");
}

#[tokio::test]
async fn a_refused_call_is_a_failed_span() {
    let collector = Collector::start();
    let settings =
        [("TELEMETRY__OTLP_ENDPOINT", collector.endpoint.as_str()), ("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")];
    let node = TestNode::start_with(&settings).await;
    let caller = Caller::new(true);
    caller.post(&node, "/payments/authorize", &order("MERCHANT-1", 4_005)).await.expect(503);
    let tree = eventually("the failed trace", async || {
        let tree = Tree(collector.of(&caller.trace_id));
        tree.names().contains(&"POST /payments/authorize").then_some(tree)
    })
    .await;
    for (name, error_type) in [("POST /payments/authorize", "503"), ("psp authorize", "failed")] {
        let span = tree.one(name);
        assert!(span.is_failed, "{name}");
        assert_eq!(span.attributes["error.type"], error_type, "{name}");
    }
}

#[tokio::test]
async fn the_last_spans_are_sent_before_the_process_ends() {
    let collector = Collector::start();
    let mut node = TestNode::start_with(&[("TELEMETRY__OTLP_ENDPOINT", collector.endpoint.as_str())]).await;
    let caller = Caller::new(true);
    caller.post(&node, "/payments/authorize", &order("MERCHANT-1", 1_000)).await.expect(200);
    assert!(node.terminate().await.success());
    assert!(Tree(collector.of(&caller.trace_id)).names().contains(&"POST /payments/authorize"));
}

#[tokio::test]
async fn payments_do_not_notice_that_the_collector_is_away() {
    // A port on which nobody listens.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    drop(listener);
    let settings = [("TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()), ("TELEMETRY__TRACE_SAMPLE_RATIO", "1")];
    let mut node = TestNode::start_with(&settings).await;
    for _ in 0..20 {
        node.captured(1_000).await;
    }
    assert!(node.terminate().await.success());
}

#[tokio::test]
async fn log_lines_name_the_trace_of_a_call() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("log");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("data"));
    command.env("RUST_LOG", "warn").stderr(std::fs::File::create(&log).unwrap());
    let (_process, url) = greeted(command, "rialto: serving on ").await;
    let caller = Caller::new(false);
    let forced = reqwest::Client::new()
        .put(format!("{url}/admin/breakers/psp"))
        .header("traceparent", caller.traceparent())
        .json(&json!({"state": "closed", "reason": "a test"}))
        .send()
        .await
        .unwrap();
    assert_eq!(forced.status(), 200);
    let line = eventually("the log line", async || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines().find(|line| line.contains("an operator acts")).map(str::to_owned)
    })
    .await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["trace_id"], caller.trace_id);
    assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    assert_ne!(line["span_id"], caller.span_id, "the call has a span of its own");
}
