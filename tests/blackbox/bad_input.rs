//! Bad input that only a process can show: what is on the wire, and what stays in files. Whatever else is wrong with a
//! request is in `tests/http/bad_input`.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::node::{PATIENCE, TestNode, order};

const AUTHORIZE: &str = "/payments/authorize";

#[tokio::test]
async fn a_card_number_is_in_no_file() {
    let node = TestNode::start().await;
    for (member, value) in [
        ("description", json!("4111111111111111")),
        ("metadata", json!({"pan": "4111111111111111"})),
        ("metadata", json!({"4111111111111111": "pan"})),
        ("idempotencyKey", json!("4111111111111111")),
        ("merchantId", json!("4111111111111111")),
    ] {
        let mut body = order("MERCHANT-1", 100);
        body[member] = value;
        node.post(AUTHORIZE, &body).await.expect_problem(422, "card_number_not_allowed");
    }
    // A name, a query, a path and a header are seen by more than the store.
    let mut body = order("MERCHANT-1", 100);
    body["4111111111111111"] = json!(1);
    node.post(AUTHORIZE, &body).await.expect_problem(400, "unknown_field");
    node.get("/payments?merchantId=4111111111111111").await.expect_problem(422, "card_number_not_allowed");
    node.get("/payments/4111111111111111").await.expect_problem(404, "payment_not_found");
    let discard = json!({"all": true, "reason": "4111111111111111"});
    node.post("/admin/dead-letters/discard", &discard).await.expect_problem(422, "card_number_not_allowed");
    let listed = node.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
    assert_eq!(listed["data"], json!([]));
    for file in files(node.data_dir()) {
        let holds_card = std::fs::read(&file).unwrap().windows(16).any(|bytes| bytes == b"4111111111111111");
        assert!(!holds_card, "a card number is never kept: {}", file.display());
    }
}

fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_body_in_pieces_is_refused_when_it_has_become_too_long() {
    let node = TestNode::start().await;
    let large = format!("{{\"description\":\"{}\"}}", "x".repeat(64 * 1024));
    let pieces: Vec<Result<String, std::io::Error>> =
        large.as_bytes().chunks(4_096).map(|piece| Ok(String::from_utf8_lossy(piece).into_owned())).collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    node.post_raw(AUTHORIZE, "application/json", stream).await.expect_problem(413, "body_too_large");
    node.post_raw(AUTHORIZE, "application/json", order("MERCHANT-1", 100).to_string()).await.expect(200);
}

/// What the node says to bytes that no HTTP client would send.
async fn raw(node: &TestNode, request: &str) -> String {
    let address = node.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let reading = async {
        let mut piece = [0; 4_096];
        loop {
            let count = stream.read(&mut piece).await.unwrap();
            said.extend_from_slice(&piece[..count]);
            if count == 0 || said.ends_with(b"}") {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("no answer");
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn a_body_announced_too_large_is_answered_before_it_comes() {
    let node = TestNode::start().await;
    let post =
        |headers: &str| format!("POST {AUTHORIZE} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{{\"merchantId\":");
    let json = "Content-Type: application/json\r\n";
    for (headers, status, code) in [
        (format!("{json}Content-Length: 10000000\r\n"), "413", "body_too_large"),
        (format!("{json}Content-Length: 65537\r\n"), "413", "body_too_large"),
        ("Content-Type: text/plain\r\nContent-Length: 100\r\n".to_owned(), "415", "unsupported_media_type"),
    ] {
        let said = raw(&node, &post(&headers)).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        assert!(said.contains(&format!("\"code\":\"{code}\"")), "{said}");
    }
    // The node takes no harm.
    node.authorize(100).await;
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let node = TestNode::start_with(&[("HTTP__BODY_TIMEOUT_MS", "300")]).await;
    let head = "Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n";
    let said = raw(&node, &format!("POST {AUTHORIZE} HTTP/1.1\r\n{head}\r\n{{\"merchantId\":")).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\"code\":\"request_timeout\""), "{said}");
    node.authorize(100).await;
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_on_the_wire() {
    let node = TestNode::start().await;
    let said = raw(&node, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-length: 15"), "{said}");
    assert_eq!(body, "");
}
