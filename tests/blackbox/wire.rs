//! What a node says to bytes that no HTTP client would send, and to clients that send and do not read, or begin and do
//! not end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::node::{PATIENCE, TestNode, eventually, order};
use crate::scrape::Scrape;

const AUTHORIZE: &str = "/payments/authorize";

/// A connection on which bytes are sent as they are.
pub struct Raw(TcpStream);

/// One answer as it came.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl RawAnswer {
    fn code(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert!(problem["requestId"].as_str().unwrap().starts_with("req_"), "{self:?}");
        assert!(self.head.contains(&format!("x-request-id: {}", problem["requestId"].as_str().unwrap())), "{self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }

    fn closes(&self) -> bool {
        self.head.contains("connection: close")
    }
}

impl Raw {
    pub async fn to(node: &TestNode) -> Self {
        let address = node.url.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer; none if the connection ended before one began.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        tokio::time::timeout(PATIENCE, self.next_answer()).await.expect("no answer")
    }

    async fn next_answer(&mut self) -> Option<RawAnswer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) if head.is_empty() => return None,
                Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&head)),
            }
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.split_once("content-length: ").map(|(_, rest)| rest.split_once("\r\n").unwrap().0);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = vec![0; if status == 100 { 0 } else { length.unwrap().parse().unwrap() }];
        self.0.read_exact(&mut body).await.unwrap();
        Some(RawAnswer { status, head, body: String::from_utf8(body).unwrap() })
    }

    /// Waits until the other side has ended it; whatever comes is dropped.
    async fn ended(mut self) {
        let end = async { while matches!(self.0.read(&mut [0; 4_096]).await, Ok(count) if count > 0) {} };
        tokio::time::timeout(PATIENCE, end).await.expect("the connection is still open");
    }
}

/// What it is, its bytes, and the status, code and path of its problem.
type Unreadable = (&'static str, Vec<u8>, u16, &'static str, Option<&'static str>);

fn unreadable() -> Vec<Unreadable> {
    let get = |headers: &str| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes();
    let post = |headers: &str| format!("POST {AUTHORIZE} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes();
    let many: String = (0..120).map(|n| format!("X-{n}: 1\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "x".repeat(40_000));
    let path = Some("/healthz");
    vec![
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n"), 400, "malformed_request", Some(AUTHORIZE)),
        ("length with a sign", post("Content-Length: +2\r\n"), 400, "malformed_request", Some(AUTHORIZE)),
        (
            "length and chunks",
            post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
            400,
            "malformed_request",
            Some(AUTHORIZE),
        ),
        ("two codings", post("Transfer-Encoding: gzip, chunked\r\n"), 400, "malformed_request", Some(AUTHORIZE)),
        (
            "coding twice",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
            400,
            "malformed_request",
            Some(AUTHORIZE),
        ),
        ("coding that is none", post("Transfer-Encoding: xchunked\r\n"), 400, "malformed_request", Some(AUTHORIZE)),
        ("space before the colon", get("X-A : 1\r\n"), 400, "malformed_request", path),
        ("folded header", get("X-A: 1\r\n 2\r\n"), 400, "malformed_request", path),
        ("two hosts", get("Host: localhost\r\n"), 400, "malformed_request", path),
        ("no host", b"GET /healthz HTTP/1.1\r\n\r\n".to_vec(), 400, "malformed_request", path),
        ("host that is none", b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n".to_vec(), 400, "malformed_request", path),
        ("raw bytes", b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), 400, "malformed_request", None),
        ("no method", b"\x01\x02 / HTTP/1.1\r\n\r\n".to_vec(), 400, "malformed_request", None),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400, "malformed_request", None),
        ("120 headers", get(&many), 431, "headers_too_large", path),
        ("long header", get(&long), 431, "headers_too_large", path),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 505, "http_version_not_supported", None),
        (
            "HTTP/1.2",
            b"GET /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n".to_vec(),
            505,
            "http_version_not_supported",
            path,
        ),
        (
            "tunnel",
            b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            405,
            "method_not_allowed",
            None,
        ),
    ]
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[tokio::test]
async fn requests_that_cannot_be_read_get_problems_and_nothing_after_them() {
    let node = TestNode::start().await;
    let sound = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (what, bytes, status, code, path) in unreadable() {
        let mut raw = Raw::to(&node).await;
        raw.send(&bytes).await;
        // What follows would be a sound request.
        raw.send(sound).await;
        let answer = raw.answer().await.unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {answer:?}");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["instance"].as_str(), path.or(Some("/")), "{what}");
        if what != "host that is none" {
            assert!(answer.closes(), "{what}: {answer:?}");
            assert!(raw.answer().await.is_none(), "{what}: the request after it is not answered");
        }
    }
    let scrape = Scrape::of(&node).await;
    for reason in ["malformed", "too_large", "version", "connect"] {
        assert!(scrape.value("rialto_http_refused_total", &[("reason", reason)]) >= Some(1.0), "{reason}");
    }
}

#[tokio::test]
async fn unusual_requests_are_answered_as_others() {
    let node = TestNode::start().await;
    for (request, status) in [
        ("GET http://localhost/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200),
        ("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        ("\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", 403),
    ] {
        let mut raw = Raw::to(&node).await;
        raw.send(request).await;
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        if status >= 400 {
            answer.code();
        }
    }
}

/// An `Upgrade` is passed over (RFC 9110, 7.8) or refused; it does not make what follows a part of the body.
#[tokio::test]
async fn upgrade_takes_no_other_request_for_its_body() {
    let node = TestNode::start().await;
    let mut raw = Raw::to(&node).await;
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Type: application/json\r\n";
    raw.send(format!("POST {AUTHORIZE} HTTP/1.1\r\nHost: localhost\r\n{upgrade}Content-Length: 2\r\n\r\n{{}}")).await;
    raw.send(get("/healthz")).await;
    let begun = Instant::now();
    let answer = raw.answer().await.unwrap();
    assert_eq!((answer.status, answer.code()), (400, "malformed_request".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(raw.answer().await.is_none(), "the connection is closed");
}

#[tokio::test]
async fn nothing_is_executed_after_an_answer_that_closes() {
    let node = TestNode::start().await;
    let order = |merchant: &str, key: &str| {
        let body = json!({"merchantId": merchant, "amount": 100, "currency": "KRW", "idempotencyKey": key}).to_string();
        let head = format!("POST {AUTHORIZE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    let post = |kind: &str| {
        format!("POST {AUTHORIZE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 100000")
    };
    for (number, (head, status)) in [
        (post("text/plain"), 415),
        ("POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000".to_owned(), 404),
        ("DELETE /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked".to_owned(), 405),
        (post("application/json"), 413),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close".to_owned(), 200),
    ]
    .into_iter()
    .enumerate()
    {
        let mut raw = Raw::to(&node).await;
        let merchant = format!("AFTER-{number}");
        raw.send(format!("{head}\r\n\r\n{}", order(&merchant, "k"))).await;
        let answer = raw.answer().await.unwrap();
        assert!(answer.status == status && answer.closes(), "{head}: {answer:?}");
        assert!(raw.answer().await.is_none(), "{head}");
        let listed = node.get(&format!("/payments?merchantId={merchant}")).await.expect(200).json();
        assert_eq!(listed["data"], json!([]), "{head}");
    }
    // A connection whose request was read as a whole goes on.
    let mut raw = Raw::to(&node).await;
    let body = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    raw.send(format!("{body}{}{}", order("GOES-ON", "k"), order("GOES-ON", "k"))).await;
    let statuses = [raw.answer().await.unwrap().status, raw.answer().await.unwrap().status];
    assert_eq!((statuses, raw.answer().await.unwrap().status), ([404, 200], 200));
}

#[tokio::test]
async fn body_is_asked_for_only_when_the_head_is_sound() {
    let node = TestNode::start().await;
    let body = order("MERCHANT-1", 100).to_string();
    let head = |start: &str, more: &str, length: usize| {
        format!("{start} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n{more}\r\n")
    };
    let (post, json) = (format!("POST {AUTHORIZE}"), "Content-Type: application/json\r\n");
    for (head, status) in [
        (head("POST /nowhere", json, 10), 404),
        (head("POST /healthz", json, 10), 405),
        (head(&post, json, 100_000), 413),
        (head(&post, "Content-Type: text/plain\r\n", 10), 415),
        (head(&post, "Content-Type: application/json\r\nContent-Encoding: br\r\n", 10), 415),
        (head(&post, "Origin: https://evil.example\r\n", 10), 403),
        (head(&post, json, 10).replace("localhost", "evil.example"), 421),
    ] {
        let mut raw = Raw::to(&node).await;
        raw.send(&head).await;
        let answer = raw.answer().await.unwrap();
        assert!(answer.status == status && answer.closes(), "{head}: {answer:?}");
    }
    let mut raw = Raw::to(&node).await;
    for _ in 0..2 {
        raw.send(head(&post, json, body.len())).await;
        assert_eq!(raw.answer().await.unwrap().status, 100);
        raw.send(&body).await;
        assert_eq!(raw.answer().await.unwrap().status, 200);
    }
    // Who does not wait for it is not told either.
    raw.send(head(&post, json, body.len()) + &body).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn heads_and_bodies_that_come_too_slowly_are_given_up() {
    let settings = [("HTTP__BODY_TIMEOUT_MS", "500"), ("HTTP__HEADER_TIMEOUT_MS", "500")];
    let node = TestNode::start_with(&settings).await;
    let json = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    let routes = [
        ("POST", AUTHORIZE, 408),
        ("POST", "/payments/capture/pay_0000000000001", 408),
        ("PUT", "/admin/breakers/psp", 408),
        // Those that read none are not held by it.
        ("GET", "/healthz", 200),
        ("DELETE", "/admin/faults", 403),
        ("POST", "/nowhere", 404),
        ("POST", "/healthz", 405),
    ];
    let slow = routes.iter().map(async |(method, path, status)| {
        let mut raw = Raw::to(&node).await;
        raw.send(format!("{method} {path} HTTP/1.1\r\n{json}")).await;
        let begun = Instant::now();
        let answer = loop {
            match tokio::time::timeout(Duration::from_millis(50), raw.0.readable()).await {
                Ok(_) => break raw.answer().await.unwrap(),
                // It trickles: each byte comes in time, the whole does not.
                Err(_) => raw.send(" ").await,
            }
        };
        assert!(answer.status == *status && answer.closes(), "{method} {path}: {answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{method} {path}");
        raw.ended().await;
    });
    futures_util::future::join_all(slow).await;
    // A head, the first one of a connection and a later one.
    let mut raw = Raw::to(&node).await;
    raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
    let mut later = Some(raw);
    for _ in 0..2 {
        let mut raw = match later.take() {
            Some(raw) => raw,
            None => Raw::to(&node).await,
        };
        raw.send("GET /healthz HTTP/1.1\r\nHo").await;
        let answer = raw.answer().await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
        assert!(answer.closes() && answer.body.contains("\"instance\":\"/healthz\""), "{answer:?}");
        raw.ended().await;
    }
    // Nothing at all.
    Raw::to(&node).await.ended().await;
    assert!(Scrape::of(&node).await.value("rialto_http_refused_total", &[("reason", "late")]) >= Some(2.0));
}

/// Memory of the node's process that is its own, in bytes.
fn memory(node: &TestNode) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", node.process_id())).unwrap();
    let line = text.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Sends a request again and again without reading, up to `most` bytes or until nothing is taken any more.
async fn stuff(node: &TestNode, request: &str, most: usize) -> (Raw, usize) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let address = node.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let bytes = request.repeat(most / request.len());
    let mut sent = 0;
    while sent < bytes.len() {
        match tokio::time::timeout(Duration::from_millis(500), stream.write(&bytes.as_bytes()[sent..])).await {
            Ok(Ok(count)) => sent += count,
            // Nothing is taken any more, or it was broken off.
            _ => break,
        }
    }
    (Raw(stream), sent)
}

/// The most memory that the node has while something goes on, and what comes of that.
async fn most_memory<T>(node: &TestNode, work: impl Future<Output = T>) -> (u64, T) {
    let mut most = memory(node);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return (most.max(memory(node)), done),
            () = tokio::time::sleep(Duration::from_millis(10)) => most = most.max(memory(node)),
        }
    }
}

#[tokio::test]
async fn pipelined_requests_cost_no_more_than_one() {
    let node = TestNode::start().await;
    let request = "GET /a HTTP/1.1\r\nHost:[::]\r\n\r\n";
    let before = memory(&node);
    let (most, sent) = most_memory(&node, async {
        let stuffed = (0..30).map(|_| stuff(&node, request, 120 * 1024));
        let all = futures_util::future::join_all(stuffed).await;
        let sent: usize = all.iter().map(|(_, sent)| sent).sum();
        // All of them are answered, and nothing is read before the last was sent.
        let answered = all.into_iter().map(async |(mut raw, _)| {
            raw.0.shutdown().await.unwrap();
            raw.ended().await;
        });
        futures_util::future::join_all(answered).await;
        sent
    })
    .await;
    assert!(sent > 3_500_000, "{sent}");
    let grown = most.saturating_sub(before);
    assert!(grown < 30 * 128 * 1024 + 16 * 1024 * 1024, "{sent} bytes sent: {grown} bytes");
}

#[tokio::test]
async fn answers_that_nobody_reads_cost_little_and_end_their_connection() {
    let node = TestNode::start_with(&[("HTTP__WRITE_TIMEOUT_MS", "3000")]).await;
    let before = memory(&node);
    let request = "GET /openapi.json HTTP/1.1\r\nHost:[::]\r\n\r\n";
    let (most, ()) = most_memory(&node, async {
        let stuffed = (0..300).map(|_| stuff(&node, request, 64 * 1024));
        let all = futures_util::future::join_all(stuffed).await;
        node.get("/healthz").await.expect(200);
        eventually("the connections are broken off", async || {
            let scrape = Scrape::of(&node).await;
            let slow = scrape.value("rialto_http_refused_total", &[("reason", "slow_reader")])?;
            let open = scrape.value("rialto_http_connections", &[])?;
            (slow >= all.len() as f64 && open < 10.0).then_some(())
        })
        .await;
    })
    .await;
    // 64 KiB of an answer, and what was read with the request.
    let grown = most.saturating_sub(before);
    assert!(grown < 300 * 192 * 1024 + 16 * 1024 * 1024, "{grown} bytes");
    node.authorize(100).await;
}

/// The largest answers there are, asked for by many who read nothing.
#[tokio::test]
async fn large_answers_that_nobody_reads_are_held_once() {
    let node = TestNode::start().await;
    let before = memory(&node);
    let (most, ()) = most_memory(&node, async {
        for path in ["/docs/swagger-ui-bundle.js", "/metrics"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let mut asked: Vec<Raw> = Vec::new();
            for _ in 0..300 {
                let mut raw = Raw::to(&node).await;
                raw.send(&request).await;
                asked.push(raw);
            }
            let begun = Instant::now();
            node.authorize(100).await;
            assert!(begun.elapsed() < Duration::from_secs(5), "{path}: {:?}", begun.elapsed());
        }
    })
    .await;
    let grown = most.saturating_sub(before);
    assert!(grown < 300 * 2 * 192 * 1024, "{grown} bytes");
}

/// Connections that send one request after the other have their turns, and so have others.
#[tokio::test]
async fn many_who_ask_for_much_hold_nobody_up() {
    let node = TestNode::start().await;
    let mut asked: Vec<Raw> = Vec::new();
    for _ in 0..100 {
        let mut raw = Raw::to(&node).await;
        raw.send(get("/metrics").repeat(20)).await;
        asked.push(raw);
    }
    let begun = Instant::now();
    for _ in 0..5 {
        node.authorize(100).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // Each is answered all the same.
    for raw in &mut asked[..3] {
        for _ in 0..20 {
            assert_eq!(raw.answer().await.unwrap().status, 200);
        }
    }
}

#[tokio::test]
async fn full_node_is_seen_by_operators_and_refuses_others() {
    let settings = [("HTTP__CONNECTIONS_PER_ADDRESS_MAX", "20"), ("HTTP__HEADER_TIMEOUT_MS", "60000")];
    let node = TestNode::start_with(&settings).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::to(&node).await;
        raw.send(get("/healthz")).await;
        assert!(!raw.answer().await.unwrap().closes());
        held.push(raw);
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let mut raw = Raw::to(&node).await;
        raw.send(get(path)).await;
        let answer = raw.answer().await.unwrap();
        assert!(answer.status == 200 && answer.closes(), "{path}: {answer:?}");
    }
    let mut raw = Raw::to(&node).await;
    raw.send(get("/payments?merchantId=MERCHANT-1")).await;
    let answer = raw.answer().await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
    assert!(answer.closes() && answer.head.contains("retry-after: 1"), "{answer:?}");
    // Spare places are few and short: those beyond are closed at once, and those that say nothing soon.
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(Raw::to(&node).await);
    }
    for raw in idle {
        raw.ended().await;
    }
    let mut raw = Raw::to(&node).await;
    raw.send(get("/metrics")).await;
    let text = raw.answer().await.unwrap().body;
    let refused = Scrape::read(text).value("rialto_http_refused_total", &[("reason", "no_place")]);
    assert!(refused >= Some(20.0), "{refused:?}");
    held.truncate(10);
    eventually("there is place again", async || {
        let mut raw = Raw::to(&node).await;
        raw.send(get("/payments?merchantId=MERCHANT-1")).await;
        raw.answer().await.filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test]
async fn node_with_few_open_files_serves_on() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new("bash");
    let serve = "ulimit -n 100; exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \"$1\"";
    command.args(["-c", serve, crate::node::PROGRAM]).arg(data_dir.path()).env("RUST_LOG", "error");
    let (mut process, url) = crate::node::greeted(command, "rialto: serving on ").await;
    let address = url.strip_prefix("http://").unwrap();
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    drop(held);
    let http = reqwest::Client::new();
    for number in 0..20 {
        let body = order(&format!("MERCHANT-{number}"), 100);
        // As long as the node has not seen that the others are gone, there is no place.
        eventually("an authorization", async || {
            let answer = http.post(format!("{url}{AUTHORIZE}")).json(&body).send().await;
            answer.ok().filter(|answer| answer.status() == 200)
        })
        .await;
    }
    assert!(process.try_wait().unwrap().is_none(), "the process has ended");
}

#[tokio::test]
async fn stop_does_not_wait_for_connections_on_which_nothing_happens() {
    let mut node = TestNode::start().await;
    let mut idle = vec![Raw::to(&node).await];
    for _ in 0..5 {
        let mut raw = Raw::to(&node).await;
        raw.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!(raw.answer().await.unwrap().status, 200);
        idle.push(raw);
    }
    let begun = Instant::now();
    assert!(node.terminate().await.success());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    for raw in idle {
        raw.ended().await;
    }
}

#[tokio::test]
async fn queue_of_new_connections_is_as_long_as_the_system_allows() {
    let allowed: usize = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    let node = TestNode::start().await;
    let id = node.process_id().to_string();
    let signal = async |name: &str| {
        assert!(tokio::process::Command::new("kill").args([name, &id]).status().await.unwrap().success());
    };
    // A process that sleeps accepts nothing.
    signal("-STOP").await;
    let address = node.url.strip_prefix("http://").unwrap();
    let connect = (0..allowed.min(400)).map(|_| tokio::time::timeout(PATIENCE, TcpStream::connect(address)));
    let begun = Instant::now();
    let connected = futures_util::future::join_all(connect).await;
    // Who finds a full queue is let in by the system no sooner than it asks again, a second later.
    let took = begun.elapsed();
    signal("-CONT").await;
    assert!(took < Duration::from_millis(900), "{took:?}");
    assert!(connected.into_iter().all(|stream| stream.is_ok_and(|stream| stream.is_ok())));
}
