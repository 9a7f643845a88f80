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
    let tables: [&[&str]; 22] = [
        &[""],
        &["\"\""],
        &[&long],
        &[&long_quoted],
        &["a\tb"],
        &["schl\u{fc}ssel"],
        &["\u{1f511}"],
        &["\""],
        &["\"a"],
        &["\"a\";"],
        &["\"a\";A=1"],
        &["\"a\" b"],
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
            let problem = answer.json();
            assert_eq!(problem["errors"][0]["header"], "Idempotency-Key", "{problem:#}");
            assert!(problem["detail"].as_str().unwrap().len() > 10, "{problem:#}");
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
            send(&node, "/payments/authorize", &[&format!("{quoted};v=1; w")], &keyless).await,
            // What begins with a quote is a string.
            send(&node, "/payments/authorize", &[if bare == "\"" { &quoted } else { bare }], &keyless).await,
        ];
        for again in again {
            let again = again.expect(200);
            assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text), "{bare}");
        }
    }
    send(&node, "/payments/authorize", &[], &keyless).await.expect_problem(400, "idempotency_key_missing");
    assert_eq!(node.psp.count("authorize").await, (6, 6));
}

/// Why a key is none is said, so that nobody has to guess which of the rules it was.
#[actix_web::test]
async fn a_key_that_is_none_is_told_why() {
    let node = TestNode::start().await;
    let mut body = json!({"merchantId": "MERCHANT-1", "amount": 100, "currency": "KRW"});
    let long = "k".repeat(256);
    for (keys, why) in [
        (&[""][..], "empty"),
        (&[&long], "too long"),
        (&["schl\u{fc}ssel"], "printable ASCII"),
        (&["a", "a"], "twice"),
        (&["\"a"], "RFC 9651"),
    ] {
        let problem =
            send(&node, "/payments/authorize", keys, &body).await.expect_problem(400, "idempotency_key_invalid");
        assert!(problem.json()["detail"].as_str().unwrap().contains(why), "{}", problem.text);
    }
    for (key, why) in [("", "empty"), (long.as_str(), "too long"), ("a\nb", "printable ASCII"), ("other", "different")]
    {
        body["idempotencyKey"] = json!(key);
        let sent = if key == "other" { &["a"][..] } else { &[] };
        let problem =
            send(&node, "/payments/authorize", sent, &body).await.expect_problem(400, "idempotency_key_invalid");
        let error = &problem.json()["errors"][0];
        assert_eq!(error["pointer"], "/idempotencyKey");
        assert!(error["detail"].as_str().unwrap().contains(why), "{}", problem.text);
    }
}

#[actix_web::test]
async fn a_card_number_is_no_key() {
    let node = TestNode::start().await;
    for operation in ["authorize", "capture", "void", "refund"] {
        let mut call = call(operation);
        let mut body = call.body.take().unwrap();
        body["idempotencyKey"] = json!("order-4111111111111111");
        let answer = send(&node, &call.path, &[], &body).await;
        refused(&answer, &call.path, 422, "card_number_not_allowed", Some("/idempotencyKey"), operation);
        body.as_object_mut().unwrap().remove("idempotencyKey");
        for key in ["4111111111111111", "\"4111 1111 1111 1111\";a=1", "pan_378282246310005"] {
            let answer = send(&node, &call.path, &[key], &body).await;
            refused(&answer, &call.path, 422, "card_number_not_allowed", None, key);
            assert!(!answer.text.contains("4111") && !answer.text.contains("37828"), "{}", answer.text);
        }
    }
    nothing_has_changed(&node).await;
    // What is none is taken: a UUID whose digits pass for a card's without its dashes, an IMEI, milliseconds, an EAN.
    for key in ["7161f6b0-4466-4554-8400-446655440000", "356938035643809", "1764395752000", "4006381333931"] {
        let body = json!({"merchantId": "MERCHANT-1", "amount": 1, "currency": "KRW", "metadata": {"id": key}});
        send(&node, "/payments/authorize", &[key], &body).await.expect(200);
    }
}
