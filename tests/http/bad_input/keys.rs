//! Idempotency keys in the header: one, of printable ASCII, and the same as in the body.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{call, nothing_has_changed, refused};
use crate::http_tests::node::{Answer, TestNode};

async fn send(node: &TestNode, path: &str, keys: &[&str], body: &Value) -> Answer {
    let request = node.request(Method::POST, path);
    let request = keys.iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    request.json(body).send().await
}

#[actix_web::test]
async fn a_key_that_is_no_key_is_refused_by_every_call_that_takes_one() {
    let node = TestNode::start().await;
    let long = "k".repeat(256);
    let long_quoted = format!("\"{long}\"");
    let tables: [&[&str]; 17] = [
        &[""],
        &["\"\""],
        &[&long],
        &[&long_quoted],
        &["a\tb"],
        &["schl\u{fc}ssel"],
        &["\u{1f511}"],
        &["\"a\"b\""],
        &["\"a\\\""],
        &["\"a\\b\""],
        &["\"\\u0041\""],
        &["a", "a"],
        &["a", "b"],
        &["a", ""],
        &["\"a\"", "a"],
        &["a", "a", "a"],
        &["", ""],
    ];
    for operation in ["authorize", "capture", "void", "refund"] {
        let mut call = call(operation);
        let mut keyless = call.body.take().unwrap();
        keyless.as_object_mut().unwrap().remove("idempotencyKey");
        for keys in tables {
            let answer = send(&node, &call.path, keys, &keyless).await;
            refused(&answer, &call.path, 400, "idempotency_key_invalid", None, &keys.join(" and "));
        }
        let mut keyed = keyless;
        keyed["idempotencyKey"] = json!("a");
        for keys in [&["b"][..], &["A"], &["\"a \""], &["a", "a"], &[""], &["\"b\""]] {
            let answer = send(&node, &call.path, keys, &keyed).await;
            refused(&answer, &call.path, 400, "idempotency_key_invalid", None, &keys.join(" and "));
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn a_key_has_one_value_however_it_is_written() {
    let node = TestNode::start().await;
    let keyless = json!({"merchantId": "MERCHANT-1", "amount": 100, "currency": "KRW"});
    let longest = "k".repeat(255);
    for (bare, quoted) in [
        ("a", "\"a\"".to_owned()),
        ("a b", "\"a b\"".to_owned()),
        (longest.as_str(), format!("\"{longest}\"")),
        ("say \"x\"", "\"say \\\"x\\\"\"".to_owned()),
        ("back\\slash", "\"back\\\\slash\"".to_owned()),
        ("\"", "\"\\\"\"".to_owned()),
    ] {
        let mut keyed = keyless.clone();
        keyed["idempotencyKey"] = json!(bare);
        let first = send(&node, "/payments/authorize", &[&quoted], &keyless).await.expect(200);
        let again = [
            send(&node, "/payments/authorize", &[], &keyed).await,
            send(&node, "/payments/authorize", &[&quoted], &keyed).await,
            send(&node, "/payments/authorize", &[bare], &keyless).await,
        ];
        for again in again {
            let again = again.expect(200);
            assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text), "{bare}");
        }
    }
    send(&node, "/payments/authorize", &[], &keyless).await.expect_problem(400, "idempotency_key_missing");
    assert_eq!(node.psp.count("authorize").await, (6, 6));
}
