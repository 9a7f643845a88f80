//! Requests that pages of others make a browser send.

use actix_web::http::Method;

use super::{calls, node, nothing_has_changed, refused};
use crate::http_tests::node::TestNode;

#[actix_web::test]
async fn node_is_not_served_under_a_name_of_others() {
    let node = node().await;
    for call in calls() {
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"] {
            let request = node.request(call.method.clone(), &call.path).header("host", host);
            let answer = match &call.body {
                Some(body) => request.json(body).send().await,
                None => request.send().await,
            };
            refused(&answer, &call.path, 421, "host_not_served", None, host);
        }
    }
    nothing_has_changed(&node).await;
    for host in ["localhost:8080", "127.0.0.1", "[::1]:8080", "192.0.2.1"] {
        node.request(Method::GET, "/healthz").header("host", host).send().await.expect(200);
    }
}

#[actix_web::test]
async fn names_are_served_that_are_set() {
    let node = TestNode::start_with(&[("HTTP__NAMES", r#"["pay.example.com", "*.internal"]"#)]).await;
    for host in ["pay.example.com", "ingest-1.internal:8080", "localhost"] {
        node.request(Method::GET, "/healthz").header("host", host).send().await.expect(200);
    }
    let answer = node.request(Method::GET, "/healthz").header("host", "example.com").send().await;
    answer.expect_problem(421, "host_not_served");
}

#[actix_web::test]
async fn pages_of_others_change_and_read_nothing() {
    let node = node().await;
    let foreign = [
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("origin", "http://localhost:3000"), ("sec-fetch-site", "same-site")],
        vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
    ];
    let own = [
        vec![("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")],
        vec![("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
    ];
    for call in calls() {
        for headers in &foreign {
            let mut request = node.request(call.method.clone(), &call.path).header("host", "localhost:8080");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let answer = match &call.body {
                Some(body) => request.json(body).send().await,
                None => request.send().await,
            };
            refused(&answer, &call.path, 403, "origin_not_allowed", None, &format!("{headers:?}"));
        }
    }
    nothing_has_changed(&node).await;
    for path in ["/docs/", "/openapi.json", "/admin/actors"] {
        for headers in &own {
            let mut request = node.request(Method::GET, path).header("host", "localhost:8080");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.send().await.expect(200);
        }
    }
}

#[actix_web::test]
async fn changes_take_no_forms() {
    let node = node().await;
    for call in calls().into_iter().filter(|call| call.method != Method::GET) {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let request = node.request(call.method.clone(), &call.path).header("content-type", kind);
            let answer = request.body("{}").send().await;
            refused(&answer, &call.path, 415, "unsupported_media_type", None, kind);
        }
    }
    nothing_has_changed(&node).await;
}
