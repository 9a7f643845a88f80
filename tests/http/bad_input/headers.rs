//! Headers that every request may have: names of requests, traces and operators, good and bad.

use actix_web::http::Method;
use serde_json::json;

use super::{calls, node, nothing_has_changed, refused};
use crate::http_tests::node::{TestNode, order};

/// Names that are no request's: they are replaced.
fn no_request_ids() -> Vec<String> {
    let mut all =
        ["", " ", "a b", "a/b", "a:b", "{id}", "a\tb", "schl\u{fc}ssel", "a\"b", "<script>"].map(str::to_owned);
    all.sort();
    let cards = ["4111111111111111", "order-4111-1111-1111-1111", "a.378282246310005"].map(str::to_owned);
    all.into_iter().chain(cards).chain([65, 1_000].map(|length| "x".repeat(length))).collect()
}

#[actix_web::test]
async fn a_request_keeps_its_name_whatever_becomes_of_it() {
    let node = node().await;
    let paths = calls().into_iter().map(|call| (call.method, call.path)).chain([
        (Method::GET, "/nowhere".to_owned()),
        (Method::PATCH, "/payments".to_owned()),
        (Method::GET, "/healthz?x=1".to_owned()),
        (Method::GET, "/payments?merchantId=MERCHANT-1&limit=0".to_owned()),
        (Method::GET, "/docs/".to_owned()),
        (Method::HEAD, "/healthz".to_owned()),
    ]);
    for (method, path) in paths {
        for id in ["a", "node-42", "A.b_c-9", "req_0123456789abcdef", &"x".repeat(64)] {
            let answer = node.request(method.clone(), &path).header("X-Request-Id", id).send().await;
            assert_eq!(answer.header("x-request-id"), Some(id), "{method} {path}");
        }
        for id in no_request_ids() {
            let answer = node.request(method.clone(), &path).header("X-Request-Id", &id).send().await;
            let given = answer.header("x-request-id").unwrap();
            assert!(given.starts_with("req_") && given.len() == 20, "{method} {path} {id:?}: {given}");
            if answer.header("content-type") == Some("application/problem+json") {
                assert_eq!(answer.json()["requestId"], given);
            }
        }
    }
}

#[actix_web::test]
async fn a_trace_that_is_none_is_left_aside() {
    let node = TestNode::start().await;
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let zeros = "0".repeat(32);
    for parent in [
        String::new(),
        "00".to_owned(),
        format!("00-{trace}-{span}"),
        format!("00-{zeros}-{span}-01"),
        format!("00-{trace}-0000000000000000-01"),
        format!("ff-{trace}-{span}-01"),
        format!("00-{}-{span}-01", trace.to_uppercase()),
        format!("00-{trace}-{span}-01-extra"),
        format!("00-{}-{span}-01", &trace[1..]),
        format!("00-{}g-{span}-01", &trace[1..]),
        format!("00_{trace}_{span}_01"),
        // A card number in place of one.
        format!("00-{:0>32}-{span}-01", "4111111111111111"),
        format!("00-{:0>32}-{span}-01", "378282246310005"),
    ] {
        let request = node.request(Method::POST, "/payments/authorize").header("traceparent", &parent);
        let paid = request.json(&order("MERCHANT-1", 100)).send().await.expect(200).json();
        let path = format!("/payments/{}/timeline", paid["paymentId"].as_str().unwrap());
        let told = node.get(&path).await.expect(200).json();
        let its = told["entries"][0]["traceId"].as_str().unwrap();
        assert!(its.len() == 32 && its != trace && its != zeros, "{parent}: {told:#}");
        assert!(!its.ends_with("4111111111111111") && !its.ends_with("378282246310005"), "{told:#}");
    }
}

#[actix_web::test]
async fn an_operator_is_who_they_say_or_is_refused() {
    let node = node().await;
    let force = async |names: &[&str]| {
        let put =
            node.request(Method::PUT, "/admin/breakers/psp").json(&json!({"state": "closed", "reason": "a test"}));
        names.iter().fold(put, |put, name| put.header("X-Operator", name)).send().await
    };
    for (names, code) in [
        (&[""][..], "operator_invalid"),
        (&["   "], "operator_invalid"),
        (&[&"k".repeat(65)], "operator_invalid"),
        (&["a\tb"], "operator_invalid"),
        (&["a\u{9b}2Jb"], "operator_invalid"),
        (&["a\u{202e}b"], "operator_invalid"),
        (&["kim", "lee"], "operator_invalid"),
        (&["4111 1111 1111 1111"], "card_number_not_allowed"),
    ] {
        let status = if code == "operator_invalid" { 400 } else { 422 };
        let answer = force(names).await;
        refused(&answer, "/admin/breakers/psp", status, code, None, &names.join(", "));
        assert_eq!(answer.json()["errors"][0]["header"], "X-Operator", "{}", answer.text);
        assert!(!answer.text.contains("1111"), "{}", answer.text);
    }
    nothing_has_changed(&node).await;
    let longest = "\u{fc}".repeat(64);
    for (given, name) in [
        ("kim", "kim"),
        ("Kim O'Hara", "Kim O'Hara"),
        ("  kim ", "kim"),
        ("zo\u{eb}", "zo\u{eb}"),
        ("\u{65e5}\u{672c}", "\u{65e5}\u{672c}"),
        (&longest, &longest),
    ] {
        let view = force(&[given]).await.expect(200).json();
        assert_eq!(view["forced"]["operator"], name);
        let trail = node.get("/admin/actions?limit=1").await.expect(200).json();
        assert_eq!(trail["data"][0]["operator"], name);
    }
    assert_eq!(force(&[]).await.expect(200).json()["forced"]["operator"], "unnamed");
}
