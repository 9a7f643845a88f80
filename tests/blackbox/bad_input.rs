//! What bad input gets, over HTTP, and that nothing of it changes anything.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::node::{Answer, PATIENCE, Payment, TestNode, order};

const AUTHORIZE: &str = "/payments/authorize";

#[tokio::test]
async fn bad_bodies_are_refused_and_leave_nothing_behind() {
    let shop = TestNode::start().await;
    let with = |member: &str, value: serde_json::Value| {
        let mut body = order("MERCHANT-1", 100);
        body[member] = value;
        body.to_string()
    };
    let raw_amount =
        |text: &str| order("MERCHANT-1", 100).to_string().replace("\"amount\":100", &format!("\"amount\":{text}"));
    for (body, status, code) in [
        ("{".to_owned(), 400, "malformed_json"),
        (format!("{{\"metadata\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000)), 400, "malformed_json"),
        (raw_amount("100,\"amount\":100"), 400, "malformed_json"),
        (with("ammount", json!(100)), 400, "unknown_field"),
        ("".to_owned(), 400, "malformed_json"),
        ("null".to_owned(), 400, "malformed_json"),
        (order("MERCHANT-1", 100).to_string() + "}", 400, "malformed_json"),
        (with("metadata", json!({"deep": {"amount": 1}})), 400, "field_type_invalid"),
        (with("captureMode", json!("later")), 400, "field_type_invalid"),
        (raw_amount("1.5"), 400, "amount_not_integer"),
        (raw_amount("1e400"), 400, "amount_not_integer"),
        (raw_amount(&"9".repeat(500)), 422, "amount_too_large"),
        (raw_amount("1e3"), 400, "amount_not_integer"),
        (raw_amount("\"100\""), 400, "amount_not_integer"),
        (raw_amount("0"), 422, "amount_invalid"),
        (raw_amount("-100"), 422, "amount_invalid"),
        (raw_amount("9223372036854775808"), 422, "amount_too_large"),
        (raw_amount("1000000000001"), 422, "amount_too_large"),
        (with("currency", json!("XXX")), 422, "currency_unsupported"),
        (with("currency", json!("KRWW")), 422, "currency_unsupported"),
        (with("currency", json!("krw")), 422, "currency_unsupported"),
        (with("merchantId", json!("")), 400, "merchant_id_invalid"),
        (with("merchantId", json!("m".repeat(33))), 400, "merchant_id_invalid"),
        (with("merchantId", json!("MERCHANT 1")), 400, "merchant_id_invalid"),
        (with("idempotencyKey", json!("")), 400, "idempotency_key_invalid"),
        (with("idempotencyKey", json!("k".repeat(256))), 400, "idempotency_key_invalid"),
        (with("idempotencyKey", json!("schl\u{fc}ssel")), 400, "idempotency_key_invalid"),
        (with("idempotencyKey", json!(null)), 400, "idempotency_key_missing"),
        (with("description", json!("4111 1111 1111 1111")), 422, "card_number_not_allowed"),
        (with("metadata", json!({"pan": "4111111111111111"})), 422, "card_number_not_allowed"),
        (with("metadata", json!({"4111-1111-1111-1111": "pan"})), 422, "card_number_not_allowed"),
        (with("metadata", json!({"k": "v".repeat(501)})), 422, "metadata_too_large"),
        (with("metadata", json!({"k".repeat(41): "v"})), 422, "metadata_too_large"),
        (with("metadata", many_texts(51)), 422, "metadata_too_large"),
        (with("description", json!("d".repeat(501))), 422, "text_too_long"),
    ] {
        let answer = shop.post_raw(AUTHORIZE, "application/json", body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
        assert!(!answer.text.contains("4111"), "a card number is never said back");
    }
    let listed = shop.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
    assert_eq!(listed["data"], json!([]));
    for file in files(shop.data_dir()) {
        let holds_card = std::fs::read(&file).unwrap().windows(16).any(|bytes| bytes == b"4111111111111111");
        assert!(!holds_card, "a card number is never kept: {}", file.display());
    }
    // What is just allowed is taken.
    shop.post_raw(AUTHORIZE, "application/json", with("metadata", many_texts(50))).await.expect(200);
}

fn many_texts(count: usize) -> serde_json::Value {
    (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into()
}

fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn the_field_that_is_wrong_is_pointed_at() {
    let shop = TestNode::start().await;
    let body = json!({"merchantId": "", "amount": 1.5, "currency": "krw", "idempotencyKey": "k", "a/b": 1});
    let problem = shop.post(AUTHORIZE, &body).await.expect_problem(400, "unknown_field").json();
    assert_eq!(
        problem["errors"],
        json!([
            {"pointer": "/a~1b", "code": "unknown_field"},
            {"pointer": "/merchantId", "code": "merchant_id_invalid"},
            {"pointer": "/amount", "code": "amount_not_integer"},
            {"pointer": "/currency", "code": "currency_unsupported"},
        ])
    );
}

#[tokio::test]
async fn bad_changes_leave_the_payment_as_it_is() {
    let shop = TestNode::start().await;
    let open = shop.authorize(100).await;
    let paid = shop.captured(100).await;
    let before = (shop.look_up(&open).await, shop.look_up(&paid).await);
    for (operation, payment, more, status, code) in [
        ("capture", &open, json!({"amount": 0}), 422, "amount_invalid"),
        ("capture", &open, json!({"amount": "50"}), 400, "amount_not_integer"),
        ("capture", &open, json!({"ammount": 50}), 400, "unknown_field"),
        ("capture", &open, json!({"amount": 101}), 422, "capture_exceeds_authorized"),
        ("capture", &open, json!({"merchantId": "a b"}), 400, "merchant_id_invalid"),
        ("capture", &open, json!({"idempotencyKey": ""}), 400, "idempotency_key_invalid"),
        ("void", &open, json!({"amount": 100}), 400, "unknown_field"),
        ("refund", &open, json!({"amount": 1}), 400, "idempotency_key_missing"),
        ("refund", &open, json!({"amount": 1, "idempotencyKey": "r"}), 409, "payment_state_conflict"),
        ("refund", &paid, json!({"amount": 101, "idempotencyKey": "r"}), 422, "refund_exceeds_captured"),
        ("refund", &paid, json!({"reason": "4111111111111111"}), 422, "card_number_not_allowed"),
        ("refund", &paid, json!({"reason": "r".repeat(256)}), 422, "text_too_long"),
        ("void", &paid, json!({}), 409, "payment_state_conflict"),
        ("capture", &paid, json!({}), 409, "payment_state_conflict"),
    ] {
        let mut body = json!({"merchantId": payment.merchant});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = shop.post(&format!("/payments/{operation}/{}", payment.id), &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{operation} {body}");
        let problem = answer.json();
        match code {
            "capture_exceeds_authorized" => assert_eq!(problem["capturable"], 100),
            "refund_exceeds_captured" => assert_eq!(problem["refundable"], 100),
            "payment_state_conflict" => assert!(problem["paymentStatus"].is_string(), "{problem:#}"),
            _ => {}
        }
    }
    assert_eq!((shop.look_up(&open).await, shop.look_up(&paid).await), before);
}

#[tokio::test]
async fn bodies_of_another_kind_or_size_are_refused_unread() {
    let shop = TestNode::start().await;
    let body = order("MERCHANT-1", 100).to_string();
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonx"]
    {
        let answer = shop.post_raw(AUTHORIZE, kind, body.clone()).await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    shop.post_raw(AUTHORIZE, "application/json; charset=utf-8", body).await.expect(200);
    let large = format!("{{\"description\":\"{}\"}}", "x".repeat(64 * 1024));
    shop.post_raw(AUTHORIZE, "application/json", large.clone()).await.expect_problem(413, "body_too_large");
    // Without an announced length, it is refused when it has become too long.
    let pieces: Vec<Result<String, std::io::Error>> =
        large.as_bytes().chunks(4_096).map(|piece| Ok(String::from_utf8_lossy(piece).into_owned())).collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    shop.post_raw(AUTHORIZE, "application/json", stream).await.expect_problem(413, "body_too_large");
    let without_kind = shop.http.post(format!("{}{AUTHORIZE}", shop.url)).body("{}");
    shop.send(without_kind).await.expect_problem(415, "unsupported_media_type");
}

/// What the node says to bytes that no HTTP client would send.
async fn raw(shop: &TestNode, request: &str) -> String {
    let address = shop.url.strip_prefix("http://").unwrap();
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
    let shop = TestNode::start().await;
    let post = |headers: &str| format!("POST {AUTHORIZE} HTTP/1.1\r\nHost: shop\r\n{headers}\r\n{{\"merchantId\":");
    let json = "Content-Type: application/json\r\n";
    for (headers, status, code) in [
        (format!("{json}Content-Length: 10000000\r\n"), "413", "body_too_large"),
        (format!("{json}Content-Length: 65537\r\n"), "413", "body_too_large"),
        ("Content-Type: text/plain\r\nContent-Length: 100\r\n".to_owned(), "415", "unsupported_media_type"),
    ] {
        let said = raw(&shop, &post(&headers)).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        assert!(said.contains(&format!("\"code\":\"{code}\"")), "{said}");
    }
    // The node takes no harm.
    shop.authorize(100).await;
}

#[tokio::test]
async fn a_body_that_stalls_is_given_up() {
    let shop = TestNode::start_with(&[("HTTP__BODY_TIMEOUT_MS", "300")]).await;
    let head = "Host: shop\r\nContent-Type: application/json\r\nContent-Length: 100\r\n";
    let said = raw(&shop, &format!("POST {AUTHORIZE} HTTP/1.1\r\n{head}\r\n{{\"merchantId\":")).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\"code\":\"request_timeout\""), "{said}");
    shop.authorize(100).await;
}

/// What is the same for all payments that a caller cannot see.
fn unseen(answer: Answer) -> serde_json::Value {
    let mut problem = answer.expect_problem(404, "payment_not_found").json();
    for of_the_request in ["requestId", "instance"] {
        problem.as_object_mut().unwrap().remove(of_the_request);
    }
    problem
}

#[tokio::test]
async fn payments_that_one_may_not_see_all_look_the_same() {
    let shop = TestNode::start().await;
    let foreign = shop.authorize_for("MERCHANT-3", 100).await;
    let seen_by = |id: &str| Payment { id: id.to_owned(), merchant: "MERCHANT-1".to_owned() };
    let unknown = unseen(shop.capture(&seen_by("pay_0000000000001"), json!({})).await);
    for id in [foreign.id.as_str(), "pay_1", "1", "PAY_0000000000001", "pay_0000000000001'--"] {
        assert_eq!(unseen(shop.capture(&seen_by(id), json!({})).await), unknown, "{id}");
        assert_eq!(unseen(shop.void(&seen_by(id), json!({})).await), unknown, "{id}");
        assert_eq!(unseen(shop.refund(&seen_by(id), json!({})).await), unknown, "{id}");
    }
    assert_eq!(unseen(shop.get("/payments/pay_0000000000001").await), unknown);
    assert_eq!(unseen(shop.get("/payments/nonsense/timeline").await), unknown);
    assert_eq!(shop.look_up(&foreign).await["status"], "AUTHORIZED");
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_problems_too() {
    let shop = TestNode::start().await;
    for path in ["/", "/payment", "/payments/capture", "/api/x", "/problems/nonsense"] {
        let answer = shop.get(path).await;
        assert!(answer.status == 404, "{path}: {}", answer.text);
        answer.code();
    }
    let document = shop.get("/openapi.json").await.expect(200).json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let documented: BTreeSet<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let prefixes: &[&str] = if path.starts_with("/payments") { &["", "/api"] } else { &[""] };
        for prefix in prefixes {
            let url = format!("{}{prefix}{path}", shop.url);
            let answer = shop.send(shop.http.request(Method::PATCH, &url)).await;
            let allow: BTreeSet<_> =
                answer.header("allow").unwrap_or_default().split(", ").map(str::to_owned).collect();
            let allow = allow.into_iter().filter(|method| method != "HEAD").collect();
            assert_eq!(documented, allow, "{url}: {}", answer.text);
            answer.expect_problem(405, "method_not_allowed");
        }
    }
    for (method, path, allow) in [
        (Method::GET, "/payments/capture/pay_0000000000001", "POST"),
        (Method::DELETE, "/payments/pay_0000000000001", "GET, HEAD"),
        (Method::PUT, "/payments/authorize", "POST"),
        (Method::POST, "/payments", "GET, HEAD"),
        (Method::POST, "/healthz", "GET, HEAD"),
    ] {
        let answer = shop.send(shop.http.request(method.clone(), format!("{}{path}", shop.url))).await;
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        answer.expect_problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn queries_are_refused_by_name() {
    let shop = TestNode::start().await;
    let payment = shop.authorize(100).await;
    // Of a merchant in the same bucket, so that only the database tells them apart.
    let neighbour = shop.authorize_for("MERCHANT-1025", 100).await;
    for (path, code) in [
        (format!("/payments?merchantId=MERCHANT-1&startingAfter={}", neighbour.id), "cursor_invalid"),
        (format!("/payments?merchantId=MERCHANT-1&endingBefore={}", neighbour.id), "cursor_invalid"),
        ("/payments?merchantId=MERCHANT-1024&startingAfter=pay_0000000000001".to_owned(), "cursor_invalid"),
        ("/payments".to_owned(), "merchant_id_invalid"),
        ("/payments?merchantId=MERCHANT-1&limit=0".to_owned(), "limit_invalid"),
        ("/payments?merchantId=MERCHANT-1&limit=1000".to_owned(), "limit_invalid"),
        ("/payments?merchantId=MERCHANT-1&limit=101".to_owned(), "limit_invalid"),
        ("/payments?merchantId=MERCHANT-1&limit=-1".to_owned(), "limit_invalid"),
        ("/payments?merchantId=MERCHANT-1&startingAfter=pay_x".to_owned(), "cursor_invalid"),
        (format!("/payments?merchantId=MERCHANT-1&endingBefore={}", payment.id.to_lowercase()), "cursor_invalid"),
        (
            format!("/payments?merchantId=MERCHANT-1&endingBefore={}&startingAfter={}", payment.id, payment.id),
            "cursor_invalid",
        ),
        (format!("/payments?merchantId=MERCHANT-2&startingAfter={}", payment.id), "cursor_invalid"),
        ("/payments?merchantId=MERCHANT-1&status=PAID".to_owned(), "status_invalid"),
        ("/payments?merchantId=MERCHANT-1&createdAfter=1".to_owned(), "time_invalid"),
        ("/payments?merchantId=MERCHANT-1&sort=asc".to_owned(), "unknown_parameter"),
        (format!("/payments/{}?expand=everything", payment.id), "expand_invalid"),
        (format!("/payments/{}?verbose=1", payment.id), "unknown_parameter"),
    ] {
        let answer = shop.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{path}");
    }
}

#[tokio::test]
async fn a_key_has_one_value() {
    let shop = TestNode::start().await;
    let keyless = json!({"merchantId": "MERCHANT-1", "amount": 100, "currency": "KRW"});
    let keyed = json!({"merchantId": "MERCHANT-1", "amount": 100, "currency": "KRW", "idempotencyKey": "a"});
    let long = "k".repeat(256);
    for (body, headers, code) in [
        (&keyless, &[][..], "idempotency_key_missing"),
        (&keyless, &["a", "a"], "idempotency_key_invalid"),
        (&keyless, &[""], "idempotency_key_invalid"),
        (&keyless, &[long.as_str()], "idempotency_key_invalid"),
        (&keyed, &["b"], "idempotency_key_invalid"),
        (&keyed, &["a", "a"], "idempotency_key_invalid"),
    ] {
        let request = shop.http.post(format!("{}{AUTHORIZE}", shop.url)).json(body);
        let request = headers.iter().fold(request, |request, key| request.header("Idempotency-Key", *key));
        shop.send(request).await.expect_problem(400, code);
    }
    let listed = shop.get("/payments?merchantId=MERCHANT-1").await.expect(200).json();
    assert_eq!(listed["data"], json!([]));
    // The quoted form of the draft is the same key.
    let request = shop.http.post(format!("{}{AUTHORIZE}", shop.url)).json(&keyless);
    let first = shop.send(request.header("Idempotency-Key", "\"a\"")).await.expect(200);
    let second = shop.post(AUTHORIZE, &keyed).await.expect(200);
    assert_eq!((second.header("idempotent-replayed"), &second.text), (Some("true"), &first.text));
}

#[tokio::test]
async fn operators_are_told_what_is_wrong_with_a_call() {
    let shop = TestNode::start_with(&[("FAULTS__ENABLED", "true")]).await;
    shop.force_breaker("psp", Some("open")).await;
    let (breaker, faults, clock) = ("/admin/breakers/psp", "/admin/faults", "/admin/faults/clock");
    let (redrive, discard) = ("/admin/dead-letters/redrive", "/admin/dead-letters/discard");
    for (method, path, body, code, pointer) in [
        ("PUT", breaker, json!({}), "field_missing", "/state"),
        ("PUT", breaker, json!({"state": "ajar"}), "field_type_invalid", "/state"),
        ("PUT", breaker, json!({"state": "open", "why": 1}), "unknown_field", "/why"),
        ("POST", faults, json!({"actor": "resolver"}), "field_missing", "/fault"),
        ("POST", faults, json!({"actor": 7, "fault": "panic"}), "field_type_invalid", "/actor"),
        ("PUT", clock, json!({"aheadMs": "1"}), "field_type_invalid", "/aheadMs"),
        ("POST", redrive, json!({"ids": ["dlq_1"]}), "field_type_invalid", "/ids/0"),
        ("POST", redrive, json!({"al": true}), "unknown_field", "/al"),
        ("POST", discard, json!({"all": true}), "field_missing", "/reason"),
        ("POST", discard, json!({"filter": {"topic": 1}, "reason": "x"}), "field_type_invalid", "/filter/topic"),
        ("POST", "/admin/breakers/event_log/exercise", json!({"merchant": "M"}), "unknown_field", "/merchant"),
    ] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let call = shop.http.request(method, format!("{}{path}", shop.url)).json(&body);
        let problem = shop.send(call).await.expect(400).json();
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
        assert!(problem["code"] == code && pointers.contains(&&json!(pointer)), "{body}: {problem:#}");
    }
    // The breaker is as it was left.
    let breakers = shop.get("/admin/breakers").await.expect(200).json();
    let psp = breakers["data"].as_array().unwrap().iter().find(|breaker| breaker["name"] == "psp").unwrap();
    assert_eq!(psp["state"], "forced_open", "{psp:#}");
    for path in ["/admin/actors", "/admin/jobs", "/admin/breakers", "/admin/dead-letters", "/readyz", "/healthz"] {
        shop.get(&format!("{path}?color=red")).await.expect_problem(400, "unknown_parameter");
        shop.get(path).await;
    }
}
