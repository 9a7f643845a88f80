//! What bad input gets, and that nothing of it changes anything: tables over every operation of the document.

mod bodies;
mod browsers;
mod headers;
mod keys;
mod operators;
mod paths;
mod payments;
mod queries;

use std::collections::BTreeSet;

use actix_web::http::Method;
use serde_json::{Value, json};

use super::node::{Answer, TestNode};

/// An id of our form that no payment has.
const NOBODYS: &str = "pay_0000000000001";

/// One sound call of an operation.
struct Call {
    /// Its `operationId`.
    operation: &'static str,
    method: Method,
    path: String,
    /// With which the operation would be done, if what it names is there.
    body: Option<Value>,
}

/// One call of each operation. The tables spoil them.
fn calls() -> Vec<Call> {
    let keyed = || json!({"merchantId": "MERCHANT-1", "idempotencyKey": "k"});
    let order = json!({"merchantId": "MERCHANT-1", "amount": 100, "currency": "KRW", "idempotencyKey": "k"});
    let fault = json!({"actor": "resolver", "fault": {"delay": 1}});
    let exercise = "/admin/breakers/event_log/exercise";
    let read = |operation, path: &str| (operation, Method::GET, path.to_owned(), None);
    let post = |operation, path: &str, body| (operation, Method::POST, path.to_owned(), Some(body));
    let put = |operation, path: &str, body| (operation, Method::PUT, path.to_owned(), Some(body));
    let all = vec![
        post("authorize", "/payments/authorize", order.clone()),
        post("capture", &format!("/payments/capture/{NOBODYS}"), keyed()),
        post("void", &format!("/payments/void/{NOBODYS}"), keyed()),
        post("refund", &format!("/payments/refund/{NOBODYS}"), keyed()),
        post("createPayment", "/payments", order.clone()),
        post("capturePayment", &format!("/payments/{NOBODYS}/capture"), keyed()),
        post("voidPayment", &format!("/payments/{NOBODYS}/void"), keyed()),
        post("createRefund", &format!("/payments/{NOBODYS}/refunds"), keyed()),
        read("lookUpRefund", "/refunds/ref_0000000000001"),
        read("listRefunds", "/refunds?merchantId=MERCHANT-1"),
        read("balances", "/merchants/MERCHANT-1/balances"),
        read("listEntries", "/merchants/MERCHANT-1/entries"),
        read("lookUp", &format!("/payments/{NOBODYS}")),
        read("timeline", &format!("/payments/{NOBODYS}/timeline")),
        read("list", "/payments?merchantId=MERCHANT-1"),
        read("program", "/"),
        read("liveness", "/healthz"),
        read("readiness", "/readyz"),
        read("metrics", "/metrics"),
        read("actors", "/admin/actors"),
        read("actorDeadLetters", "/admin/actors/dead-letters"),
        read("jobs", "/admin/jobs"),
        read("breakers", "/admin/breakers"),
        put("forceBreaker", "/admin/breakers/psp", json!({"state": null, "reason": "a test"})),
        post("exerciseBreaker", exercise, json!({"merchantId": "EXERCISE-1"})),
        read("breakerExercise", exercise),
        read("faults", "/admin/faults"),
        post("injectFault", "/admin/faults", fault),
        ("clearFaults", Method::DELETE, "/admin/faults".to_owned(), None),
        put("jumpClock", "/admin/faults/clock", json!({"aheadMs": 0})),
        read("deadLetters", "/admin/dead-letters"),
        read("deadLetter", "/admin/dead-letters/dlq_0000000000001"),
        post("redriveDeadLetters", "/admin/dead-letters/redrive", json!({"all": true})),
        post("discardDeadLetters", "/admin/dead-letters/discard", json!({"all": true, "reason": "none of ours"})),
        read("operatorActions", "/admin/actions"),
        read("explain", "/problems/not_found"),
        read("document", "/openapi.json"),
        read("docs", "/docs"),
    ];
    all.into_iter().map(|(operation, method, path, body)| Call { operation, method, path, body }).collect()
}

fn call(operation: &str) -> Call {
    calls().into_iter().find(|call| call.operation == operation).unwrap()
}

/// The calls that take a body, with it.
fn calls_with_bodies() -> Vec<(Call, Value)> {
    calls().into_iter().filter_map(|mut call| call.body.take().map(|body| (call, body))).collect()
}

impl Call {
    /// With another body, as it is.
    async fn send(&self, node: &TestNode, body: impl Into<Vec<u8>>) -> Answer {
        let request = node.request(self.method.clone(), &self.path);
        request.header("content-type", "application/json").body(body).send().await
    }

    /// As it is.
    async fn send_sound(&self, node: &TestNode) -> Answer {
        let request = node.request(self.method.clone(), &self.path);
        match &self.body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    }
}

/// A node on which no fault is refused because faults are.
async fn node() -> TestNode {
    TestNode::start_with(&[("FAULTS__ENABLED", "true")]).await
}

/// A refusal that is whole: it says which request it answers, and if `pointer` is given, where what is wrong is.
#[track_caller]
fn refused(answer: &Answer, path: &str, status: u16, code: &str, pointer: Option<&str>, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {what}: {}", answer.text);
    let problem = answer.json();
    assert_eq!(problem["instance"], path.split('?').next().unwrap(), "{what}");
    assert_eq!(problem["requestId"], answer.header("x-request-id").unwrap(), "{what}");
    assert_eq!(problem["type"], format!("/problems/{code}"), "{what}");
    assert_eq!(answer.header("retry-after"), None, "{what}");
    if let Some(pointer) = pointer {
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{path} {what}: {problem:#}"));
        let is_it = |error: &Value| error["pointer"] == pointer && error["code"] == code;
        assert!(errors.iter().any(is_it), "{path} {what} {pointer}: {problem:#}");
    }
}

/// Nothing was taken on, and no operator has done anything.
async fn nothing_has_changed(node: &TestNode) {
    for shard in &node.store.shards {
        let tables = shard.lock();
        assert!(tables.payments.is_empty() && tables.idempotency_records.is_empty() && tables.outbox.is_empty());
        assert!(tables.actions.is_empty(), "{:?}", tables.actions);
    }
    assert_eq!(node.psp.count("authorize").await, (0, 0));
}

#[actix_web::test]
async fn every_operation_is_in_the_tables() {
    let node = node().await;
    let document = node.document().await;
    for call in calls() {
        let operation = document.operation(&call.method, &call.path);
        let operation = operation.unwrap_or_else(|| panic!("{} is not described", call.path));
        assert_eq!((operation.id(), operation.has_body()), (call.operation, call.body.is_some()), "{}", call.path);
    }
    let described: BTreeSet<_> = document.operations().map(|operation| operation.id()).collect();
    assert_eq!(described, calls().iter().map(|call| call.operation).collect());
}

#[actix_web::test]
async fn every_sound_call_is_taken() {
    let node = node().await;
    for call in calls() {
        let answer = call.send_sound(&node).await;
        // The payment, the letter and the exercise are not there yet.
        let changes = ["capture", "void", "refund", "capturePayment", "voidPayment", "createRefund"];
        let look_ups = ["lookUp", "lookUpRefund", "timeline", "deadLetter", "breakerExercise"];
        let is_absent = changes.contains(&call.operation) || look_ups.contains(&call.operation);
        let is_taken = answer.status < 400 || is_absent && answer.status == 404 || call.operation == "breakerExercise";
        assert!(is_taken, "{}: {} {}", call.operation, answer.status, answer.text);
    }
}
