//! Bodies that are wrong as a whole, sent to every operation that takes one.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::{call, calls_with_bodies, node, nothing_has_changed, refused};

fn nested(depth: usize) -> Vec<u8> {
    format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
}

/// No JSON, or JSON that nobody can be sure of.
fn malformed() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "{",
        "}",
        "{}}",
        "{} {}",
        "{},",
        "null",
        "true",
        "1",
        "\"{}\"",
        "[]",
        "[{}]",
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a" 1}"#,
        r#"{"a":}"#,
        r#"{"a"}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        r#"{1:1}"#,
        r#"{"a":'b'}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":+1}"#,
        r#"{"a":-}"#,
        r#"{"a":1e}"#,
        r#"{"a":0x1}"#,
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":undefined}"#,
        r#"{"a":tru}"#,
        r#"{"a":NULL}"#,
        r#"{"a":"b}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u12G4"}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{0}\"}",
        "{\"a\":1 /* one */}",
        "// a\n{}",
        "\u{feff}{}",
        "\u{a0}{}",
        r#"{"a":[}"#,
        r#"{"a":{]}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":{"b":1,"b":2}}"#,
        r#"{"a":[{"b":1,"c":2,"b":3}]}"#,
        r#"{"":1,"":2}"#,
    ];
    let mut all: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).into();
    all.extend(
        [&b"\xff"[..], b"{\"a\":\"\xff\"}", b"{\"\xc3\x28\":1}", b"{\"a\":\"\xed\xa0\x80\"}"].map(<[u8]>::to_vec),
    );
    // UTF-16 of "{}".
    all.extend([&b"\xff\xfe{\0}\0"[..], b"\0{\0}"].map(<[u8]>::to_vec));
    all.extend([32, 33, 128, 1_000, 30_000].map(nested));
    all
}

#[actix_web::test]
async fn what_is_no_json_object_is_malformed() {
    let node = node().await;
    for (call, _) in calls_with_bodies() {
        for body in malformed() {
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            let answer = call.send(&node, body).await;
            refused(&answer, &call.path, 400, "malformed_json", None, &shown);
            assert!(answer.json()["errors"].is_null(), "{shown}");
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn a_sound_body_cut_anywhere_is_malformed() {
    let node = node().await;
    for (call, body) in calls_with_bodies() {
        let text = body.to_string();
        for end in 0..text.len() {
            let answer = call.send(&node, &text.as_bytes()[..end]).await;
            refused(&answer, &call.path, 400, "malformed_json", None, &text[..end]);
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn members_that_nobody_knows_are_pointed_at() {
    let long = "x".repeat(100);
    let cut = format!("/{}", "x".repeat(64));
    let names = [
        ("ammount", "/ammount"),
        ("merchantid", "/merchantid"),
        ("MerchantId", "/MerchantId"),
        ("merchant_id", "/merchant_id"),
        ("", "/"),
        (" ", "/ "),
        ("a/b", "/a~1b"),
        ("a~b", "/a~0b"),
        ("~1", "/~01"),
        ("schl\u{fc}ssel", "/schl\u{fc}ssel"),
        ("\u{1f4b3}", "/\u{1f4b3}"),
        ("\u{0}", "/\u{0}"),
        ("__proto__", "/__proto__"),
        ("constructor", "/constructor"),
        ("paymentId", "/paymentId"),
        (long.as_str(), cut.as_str()),
    ];
    let values = [json!(null), json!(1), json!("x"), json!([]), json!({"amount": 1})];
    let node = node().await;
    for (call, body) in calls_with_bodies() {
        for (name, pointer) in names {
            for value in &values {
                let mut body = body.clone();
                body[name] = value.clone();
                let answer = call.send(&node, body.to_string()).await;
                refused(&answer, &call.path, 400, "unknown_field", Some(pointer), &body.to_string());
            }
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn names_that_hold_a_card_number_are_not_said_back() {
    let node = node().await;
    for (call, body) in calls_with_bodies() {
        for name in ["4111111111111111", "pan 4111-1111-1111-1111", "4111\u{a0}1111\u{a0}1111\u{a0}1111"] {
            let mut body = body.clone();
            body[name] = json!(1);
            let answer = call.send(&node, body.to_string()).await;
            refused(&answer, &call.path, 400, "unknown_field", Some(""), name);
            assert!(!answer.text.contains("1111"), "{}: {}", call.path, answer.text);
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn no_answer_is_longer_than_what_it_answers() {
    let node = node().await;
    for (call, mut body) in calls_with_bodies() {
        let unknown = (0..1_000).map(|number| (format!("member-{number}"), json!(number)));
        body.as_object_mut().unwrap().extend(unknown);
        let answer = call.send(&node, body.to_string()).await;
        refused(&answer, &call.path, 400, "unknown_field", None, "a thousand");
        let errors = answer.json()["errors"].as_array().unwrap().len();
        assert!((20..=25).contains(&errors), "{}: {errors}", call.path);
    }
}

#[actix_web::test]
async fn bodies_of_another_kind_are_refused_unread() {
    let node = node().await;
    for (call, body) in calls_with_bodies() {
        for kind in [
            "",
            "json",
            "text/plain",
            "text/json",
            "text/html; charset=utf-8",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/octet-stream",
            "application/xml",
            "application/jsonx",
            "application/json-patch+json",
            "application/problem+json",
            "application/*",
            "*/*",
            "application/json, text/plain",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json; charset=us-ascii",
            "application/json; charset=utf-8; charset=latin1",
            "application/json; charset",
        ] {
            let request = node.request(call.method.clone(), &call.path).header("content-type", kind);
            let answer = request.body(body.to_string()).send().await;
            refused(&answer, &call.path, 415, "unsupported_media_type", None, kind);
        }
        let answer = node.request(call.method.clone(), &call.path).body(body.to_string()).send().await;
        refused(&answer, &call.path, 415, "unsupported_media_type", None, "none");
        for kind in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json ; charset=\"utf-8\"",
            "application/json;",
            "application/json; foo=bar; charset=utf-8",
        ] {
            let request = node.request(call.method.clone(), &call.path).header("content-type", kind);
            let answer = request.body("{").send().await;
            refused(&answer, &call.path, 400, "malformed_json", None, kind);
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn bodies_above_the_limit_are_refused() {
    const MOST: usize = 64 * 1024;
    let node = node().await;
    for (call, body) in calls_with_bodies() {
        let filled = |length: usize| format!("{body}{}", " ".repeat(length - body.to_string().len()));
        let request = || node.request(call.method.clone(), &call.path).header("content-type", "application/json");
        let answers = [
            request().body(filled(MOST + 1)).send().await,
            // With no length announced it is refused when it has become too long.
            request().body(filled(MOST + 1)).without_length().send().await,
            request().body("{}").claiming(MOST as u64 + 1).send().await,
            request().body("{}").claiming(u64::MAX).send().await,
        ];
        for answer in answers {
            refused(&answer, &call.path, 413, "body_too_large", None, "large");
        }
        // As long as may be: what it says is read.
        let cut = &filled(MOST + 1)[1..];
        assert_eq!(cut.len(), MOST);
        refused(&call.send(&node, cut).await, &call.path, 400, "malformed_json", None, "just not too large");
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn what_is_spelled_another_way_means_the_same() {
    let node = node().await;
    let authorize = call("authorize");
    let first = authorize.send_sound(&node).await.expect(200);
    for body in [
        "\n\t {\"currency\" : \"KRW\",\r\n\"amount\":100, \"merchantId\":\"MERCHANT-1\",\"idempotencyKey\":\"k\"} \n",
        r#"{"\u0061mount":100,"currency":"\u004bRW","merchantId":"MERCHANT\u002d1","idempotencyKey":"\u006b"}"#,
        r#"{"merchantId":"MERCHANT-1","amount":100,"currency":"KRW","idempotencyKey":"k","captureMode":"manual"}"#,
        r#"{"merchantId":"MERCHANT-1","amount":100,"currency":"KRW","idempotencyKey":"k","description":null,
            "metadata":null,"captureMode":null}"#,
        r#"{"merchantId":"MERCHANT-1","amount":100,"currency":"KRW","idempotencyKey":"k","metadata":{}}"#,
    ] {
        let again = authorize.send(&node, body).await.expect(200);
        assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text), "{body}");
    }
    let other: Value = json!({"merchantId": "MERCHANT-1", "amount": 100, "currency": "KRW", "idempotencyKey": "k",
        "description": ""});
    let other = authorize.send(&node, other.to_string()).await;
    other.expect_problem(422, "idempotency_key_reused");
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[actix_web::test]
async fn encoded_bodies_are_decoded_within_bounds() {
    let node = node().await;
    let bomb = gzipped(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    for (call, body) in calls_with_bodies() {
        let request = |coding| {
            let request = node.request(call.method.clone(), &call.path).header("content-type", "application/json");
            request.header("content-encoding", coding)
        };
        let answer = request("gzip").body(bomb.clone()).send().await;
        refused(&answer, &call.path, 413, "body_too_large", None, "bomb");
        let answer = request("gzip").body(body.to_string()).send().await;
        refused(&answer, &call.path, 400, "malformed_json", None, "not encoded");
        for coding in ["br", "zstd", "gzip, gzip"] {
            let answer = request(coding).body("{}").send().await;
            refused(&answer, &call.path, 415, "unsupported_media_type", None, coding);
            assert_eq!(answer.header("accept-encoding"), Some("gzip, deflate"), "{coding}");
        }
    }
    nothing_has_changed(&node).await;
    let authorize = call("authorize");
    let first = authorize.send_sound(&node).await.expect(200);
    let request = node.request(authorize.method.clone(), &authorize.path).header("content-type", "application/json");
    let body = gzipped(authorize.body.unwrap().to_string().as_bytes());
    let again = request.header("content-encoding", "gzip").body(body).send().await.expect(200);
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text));
}
