//! Headers that every request may have: names of requests, traces and operators, good and bad.

use actix_web::http::Method;
use serde_json::json;

use super::{calls, node};
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
async fn an_operator_whose_name_is_none_is_unnamed() {
    let node = node().await;
    let force = async |name: Option<&str>| {
        let put = node.request(Method::PUT, "/admin/breakers/psp");
        let put = if let Some(name) = name { put.header("X-Operator", name) } else { put };
        put.json(&json!({"state": "closed", "reason": "a test"})).send().await.expect(200);
        let trail = node.get("/admin/actions?limit=1").await.expect(200).json();
        trail["data"][0]["operator"].as_str().unwrap().to_owned()
    };
    for name in ["kim", "Kim Lee", &"k".repeat(64)] {
        assert_eq!(force(Some(name)).await, name);
    }
    assert_eq!(force(Some("  kim ")).await, "kim");
    for name in
        [None, Some(""), Some("   "), Some("schl\u{fc}ssel"), Some(&"k".repeat(65)), Some("4111 1111 1111 1111")]
    {
        assert_eq!(force(name).await, "unnamed", "{name:?}");
    }
}
