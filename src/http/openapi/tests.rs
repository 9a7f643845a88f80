use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::document;
use crate::http::endpoint::Method;
use crate::http::endpoints::endpoints;
use crate::http::problem::Code;

/// The document as it is committed, so that a change of the contract is seen.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

fn as_json() -> Value {
    serde_json::to_value(document(endpoints())).unwrap()
}

/// Every operation, by its id.
fn operations() -> BTreeMap<String, Value> {
    let document = as_json();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values().cloned().collect::<Vec<_>>());
    operations.map(|operation| (operation["operationId"].as_str().unwrap().to_owned(), operation)).collect()
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let made = format!("{}\n", serde_json::to_string_pretty(&as_json()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, &made).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    let first = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "the contract has changed, first at {first:?}; if it is meant: UPDATE=1 cargo test --lib openapi"
    );
}

#[test]
fn the_document_is_openapi_3_1_and_names_every_code() {
    let document = as_json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(document["components"]["schemas"]["Code"]["enum"], json!(codes));
}

#[test]
fn each_path_and_method_and_each_operation_id_is_declared_once() {
    let all: Vec<_> = endpoints().flat_map(|entry| entry.places().map(move |place| (place, entry.method))).collect();
    let places: BTreeSet<_> = all.iter().map(|(place, method)| (place.path, format!("{method:?}"))).collect();
    let names: BTreeSet<_> = all.iter().map(|(place, _)| place.operation).collect();
    assert_eq!((places.len(), names.len()), (all.len(), all.len()));
    assert_eq!(operations().len(), all.len());
}

#[test]
fn every_code_is_some_operations_or_any_requests() {
    let said: Vec<Code> = endpoints().flat_map(|entry| entry.describe().codes).collect();
    let about = document(endpoints()).info.description.unwrap();
    for code in Code::ALL {
        let of_any = about.contains(&format!("{} `{}`", code.status().as_u16(), code.name()));
        assert!(said.contains(code) || of_any, "{}", code.name());
    }
}

#[test]
fn an_operation_says_what_it_answers() {
    let refund = &operations()["refund"]["responses"];
    let conflict = &refund["422"]["content"]["application/problem+json"]["schema"]["allOf"];
    assert_eq!(conflict[0]["$ref"], "#/components/schemas/Problem");
    assert!(conflict[1]["properties"]["code"]["enum"].as_array().unwrap().contains(&json!("refund_exceeds_captured")));
    assert_eq!(conflict[1]["properties"]["refundable"]["type"], "integer");
    assert!(refund["422"]["description"].as_str().unwrap().contains(Code::RefundExceedsCaptured.about()));
    assert!(refund["429"]["headers"]["Retry-After"].is_object() && refund["400"]["headers"]["RateLimit"].is_null());
    assert!(refund["200"]["headers"]["Idempotent-Replayed"].is_object());
}

#[test]
fn no_answer_is_any_json() {
    for entry in endpoints().filter(|entry| entry.operation() != "document") {
        let answers = &operations()[entry.operation()]["responses"];
        for (status, _) in entry.describe().answers {
            for content in answers[status.as_str()]["content"].as_object().into_iter().flat_map(|c| c.values()) {
                let schema = &content["schema"];
                assert!(schema["$ref"].is_string() || schema["type"].is_string(), "{}: {schema}", entry.operation());
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(value: &Value, document: &Value) {
        if let Some(target) = value["$ref"].as_str() {
            assert!(document.pointer(target.strip_prefix('#').unwrap()).is_some(), "{target}");
        }
        match value {
            Value::Object(members) => members.values().for_each(|member| check(member, document)),
            Value::Array(items) => items.iter().for_each(|item| check(item, document)),
            _ => {}
        }
    }
    let document = as_json();
    check(&document, &document);
}

#[test]
fn bodies_have_their_limits() {
    let document = as_json();
    let body = |name: &str| document["components"]["schemas"][name].clone();
    for entry in endpoints().filter(|entry| matches!(entry.method, Method::Post | Method::Put)) {
        let name = entry.describe().body.unwrap().name;
        assert_eq!(body(name)["additionalProperties"], false, "{name}");
    }
    let authorize = body("AuthorizeBody");
    assert_eq!(authorize["required"], json!(["merchantId", "amount", "currency"]));
    assert_eq!(authorize["properties"]["amount"]["minimum"], 1);
    assert_eq!(authorize["properties"]["amount"]["maximum"], i64::MAX);
    // Null is no amount, and no number of an operator's.
    for (body_name, member) in [("CaptureBody", "amount"), ("RefundBody", "amount"), ("FaultOrder", "times")] {
        assert_eq!(body(body_name)["properties"][member]["type"], "integer", "{body_name}");
    }
    assert_eq!(authorize["properties"]["idempotencyKey"]["maxLength"], 255);
    assert_eq!(authorize["properties"]["metadata"]["maxProperties"], 50);
}
