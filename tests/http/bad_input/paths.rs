//! Paths and methods: ids of every wrong form, what is not there, and what a path does not answer to.

use std::collections::BTreeSet;

use actix_web::http::Method;
use serde_json::json;

use super::{NOBODYS, calls, node, nothing_has_changed, refused};

/// As segments of a path, encoded already.
const NO_IDS: [&str; 36] = [
    "1",
    "0",
    "-1",
    "null",
    "undefined",
    "pay",
    "pay_",
    "pay_1",
    "pay_000000000000",
    "pay_00000000000001",
    "pay_000000000000I",
    "pay_000000000000L",
    "pay_000000000000O",
    "pay_000000000000U",
    "pay_000000000000a",
    "pay_8000000000000",
    "pay_ZZZZZZZZZZZZZ",
    "pay_-000000000001",
    "PAY_0000000000001",
    "Pay_0000000000001",
    "pay-0000000000001",
    "_0000000000001",
    "0000000000001",
    "ref_0000000000001",
    "evt_0000000000001",
    "ent_0000000000001",
    "dlq_0000000000001",
    "pay_0000000000001%00",
    "pay_0000000000001%20",
    "%20pay_0000000000001",
    "pay_0000000000001'--",
    "pay_%2e%2e%2f%2e%2e",
    "..%2F..%2Fetc%2Fpasswd",
    "%F0%9F%92%B3",
    "%ff",
    "%25",
];

#[actix_web::test]
async fn ids_that_are_no_payments_are_not_found() {
    let node = node().await;
    let long = "9".repeat(2_000);
    let body = json!({"merchantId": "MERCHANT-1"});
    for (id, prefix) in NO_IDS.into_iter().chain([long.as_str()]).flat_map(|id| [(id, ""), (id, "/api")]) {
        for path in [format!("{prefix}/payments/{id}"), format!("{prefix}/payments/{id}/timeline")] {
            refused(&node.get(&path).await, &path, 404, "payment_not_found", None, id);
        }
        let first = ["capture", "void", "refund"].map(|operation| format!("{prefix}/payments/{operation}/{id}"));
        let last = ["capture", "void", "refunds"].map(|operation| format!("{prefix}/payments/{id}/{operation}"));
        for path in first.into_iter().chain(last) {
            refused(&node.post(&path, &body).await, &path, 404, "payment_not_found", None, id);
        }
    }
    // One of our form, and the same with a letter of it encoded.
    for id in [NOBODYS, "%70ay_0000000000001"] {
        node.get(&format!("/payments/{id}")).await.expect_problem(404, "payment_not_found");
        node.post(&format!("/payments/capture/{id}"), &body).await.expect_problem(404, "payment_not_found");
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn names_of_nothing_are_not_found() {
    let node = node().await;
    for id in NO_IDS.into_iter().filter(|id| !id.starts_with("dlq_")).chain(["dlq_1", "dlq_0000000000001"]) {
        let path = format!("/admin/dead-letters/{id}");
        refused(&node.get(&path).await, &path, 404, "not_found", None, id);
    }
    for name in ["nothing", "PSP", "psp%20", "event-log", "psp_", "0", "%ff", "..%2Fpsp"] {
        let path = format!("/admin/breakers/{name}");
        let order = json!({"state": "open", "reason": "a test"});
        refused(&node.put(&path, &order).await, &path, 404, "not_found", None, name);
    }
    for code in ["nonsense", "Not_Found", "not-found", "404", "not_found%00", "%ff"] {
        let path = format!("/problems/{code}");
        refused(&node.get(&path).await, &path, 404, "not_found", None, code);
    }
    nothing_has_changed(&node).await;
}

fn is_for_merchants(path: &str) -> bool {
    ["/payments", "/refunds", "/merchants"].iter().any(|start| path.starts_with(start))
}

#[actix_web::test]
async fn paths_that_are_not_the_apis_are_not_found() {
    let node = node().await;
    let paths = calls().into_iter().map(|call| call.path.split('?').next().unwrap().to_owned());
    let described: Vec<String> = paths.filter(|path| path != "/").collect();
    // `/docs/` is the page itself.
    let mut paths: Vec<String> =
        described.iter().filter(|path| *path != "/docs").map(|path| format!("{path}/")).collect();
    paths.extend(described.iter().map(|path| format!("/{path}")));
    paths.extend(described.iter().map(|path| format!("/v1{path}")));
    paths.extend(described.iter().map(|path| format!("/API{path}")));
    paths.extend(described.iter().map(|path| format!("/api/api{path}")));
    paths.extend(described.iter().filter(|path| !is_for_merchants(path)).map(|path| format!("/api{path}")));
    let others = [
        "//",
        "/api",
        "/api/",
        "/payment",
        "/Payments",
        "/PAYMENTS",
        "/payments/",
        "/payments//timeline",
        "/healthz/x",
        "/payments/capture/",
        "/payments/refund",
        "/payments/capture/a/b",
        "/payments/../healthz",
        "/payments/%2e%2e/%2e%2e/etc",
        "/healthz%00",
        "/healthz;x=1",
        "/healthz.json",
        "/admin",
        "/admin/",
        "/admin/breakers/psp/state",
        "/admin/breakers/event_log/exercise/1",
        "/problems",
        "/openapi",
        "/openapi.yaml",
        "/docs/nothing.js",
        "/docs/..%2F..%2FCargo.toml",
        "/.git/config",
        "/favicon.ico",
        "/metrics/prometheus",
        "/%F0%9F%92%B3",
    ];
    paths.extend(others.map(str::to_owned));
    paths.push(format!("/{}", "x".repeat(8_000)));
    for path in paths {
        // One that a template takes for a payment's id is not found either.
        let answer = node.get(&path).await;
        let shown = &path[..path.len().min(60)];
        assert_eq!(answer.status, 404, "{shown}: {}", answer.text);
        assert!(["not_found", "payment_not_found"].contains(&answer.code().as_str()), "{shown}: {}", answer.text);
    }
}

#[actix_web::test]
async fn methods_that_a_path_does_not_have_are_refused_with_those_that_it_has() {
    const METHODS: [&str; 12] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "get", "BREW"];
    let node = node().await;
    let document = node.document().await;
    for call in calls() {
        let path = call.path.split('?').next().unwrap();
        let operation = document.operation(&call.method, path).unwrap();
        let of_path = document.operations().filter(|other| other.path == operation.path);
        let mut allowed: BTreeSet<_> = of_path.map(|other| other.method.to_uppercase()).collect();
        if allowed.contains("GET") {
            allowed.insert("HEAD".to_owned());
        }
        let prefixes: &[&str] = if is_for_merchants(path) { &["", "/api"] } else { &[""] };
        for (prefix, method) in prefixes.iter().flat_map(|prefix| METHODS.map(|method| (prefix, method))) {
            if allowed.contains(method) {
                continue;
            }
            let (url, method) = (format!("{prefix}{path}"), Method::from_bytes(method.as_bytes()).unwrap());
            let answer = node.request(method.clone(), &url).json(&json!({})).send().await;
            refused(&answer, &url, 405, "method_not_allowed", None, method.as_str());
            let allow: BTreeSet<_> = answer.header("allow").unwrap().split(", ").map(str::to_owned).collect();
            assert_eq!(allow, allowed, "{method} {url}");
        }
    }
    // The files of the page are no operation of the document.
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let answer = node.request(method, "/docs/").send().await;
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        refused(&answer, "/docs/", 405, "method_not_allowed", None, "");
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn what_can_be_read_answers_head_as_it_answers_get() {
    let node = node().await;
    let payment = node.authorize(100).await;
    let mut paths: Vec<_> =
        calls().into_iter().filter(|call| call.method == Method::GET).map(|call| call.path).collect();
    paths.extend([format!("/payments/{}", payment.id), format!("/api/payments/{}/timeline", payment.id)]);
    paths.extend(["/docs/", "/payments", "/healthz?x=1", "/problems/nonsense"].map(str::to_owned));
    for path in paths {
        let (get, head) = (node.get(&path).await, node.request(Method::HEAD, &path).send().await);
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-type", "location", "content-encoding"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
}
