//! What operators ask for.

use actix_web::http::Method;
use serde_json::json;

use super::node::{TestNode, eventually};
use crate::infra::telemetry::logs::testing::captured;

#[actix_web::test]
async fn the_exercise_needs_faults_enabled_and_a_merchant() {
    let node = TestNode::start().await;
    let path = "/admin/breakers/event_log/exercise";
    node.post(path, &json!({"merchantId": "EXERCISE-1"})).await.expect_problem(403, "faults_disabled");
    node.post(path, &json!({"merchantId": ""})).await.expect_problem(400, "merchant_id_invalid");
    node.post(path, &json!({})).await.expect_problem(400, "field_missing");
}

#[actix_web::test]
async fn it_must_be_clear_which_letters_are_meant() {
    let node = TestNode::start().await;
    for body in [
        json!({}),
        json!({"ids": []}),
        json!({"all": true, "ids": ["dlq_0000000000001"]}),
        json!({"all": true, "filter": {}}),
    ] {
        node.post("/admin/dead-letters/redrive", &body).await.expect_problem(400, "selection_invalid");
    }
    let filter = json!({"filter": {"topic": "payment.captured"}});
    node.post("/admin/dead-letters/redrive", &filter).await.expect_problem(400, "topic_invalid");
    let unknown = json!({"ids": ["dlq_0000000000001"], "dryRun": false});
    let answer = node.post("/admin/dead-letters/redrive", &unknown).await.expect(200).json();
    assert_eq!(answer["data"][0]["outcome"], "nothing_left");
    for (query, code) in [
        ("limit=0", "limit_invalid"),
        ("topic=payment.captured", "topic_invalid"),
        ("status=closed", "status_invalid"),
        ("startingAfter=1", "cursor_invalid"),
        ("color=red", "unknown_parameter"),
    ] {
        node.get(&format!("/admin/dead-letters?{query}")).await.expect_problem(400, code);
    }
    node.get("/admin/dead-letters/dlq_0000000000001").await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn what_operators_do_to_breakers_and_actors_is_in_the_trail() {
    let node = TestNode::start_with(&[("FAULTS__ENABLED", "true")]).await;
    let put = node.request(Method::PUT, "/admin/breakers/psp").header("x-operator", "kim");
    put.json(&json!({"state": "open"})).send().await.expect(200);
    let fault = json!({"actor": "resolver", "fault": {"delay": 1}});
    node.inject(fault).await;
    let trail = node.get("/admin/actions?limit=10").await.expect(200).json();
    let said: Vec<_> = trail["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| (action["operator"].as_str().unwrap(), action["action"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("unnamed", "fault.inject"), ("kim", "breaker.force")]);
}

#[actix_web::test]
async fn an_action_whose_id_another_one_has_is_shown_beside_it() {
    let node = TestNode::start().await;
    node.force_breaker("psp", Some("closed")).await;
    let moved = eventually("the action was moved", async || node.store.control.lock().values().next().cloned()).await;
    let other = crate::infra::database::StoredAction { detail: "another".to_owned(), ..moved.clone() };
    node.store.shards[0].lock().actions.insert(other.id, other);
    let listed = node.get("/admin/actions").await.expect(200).json();
    let details: Vec<_> = listed["data"].as_array().unwrap().iter().map(|action| &action["detail"]).collect();
    assert!(details.contains(&&json!("another")) && details.contains(&&json!(moved.detail)), "{listed:#}");
}

/// A member twice in a JSON line is read by nobody the same way (RFC 8259 section 4).
#[actix_web::test]
async fn what_an_operator_does_is_a_log_line_with_each_member_once() {
    let node = TestNode::start().await;
    let (lines, _logging) = captured();
    node.force_breaker("psp", Some("open")).await;
    let text = lines.text();
    let line = text.lines().find(|line| line.contains("an operator acts")).unwrap_or_else(|| panic!("{text}"));
    let names =
        ["timestamp", "level", "target", "message", "trace_id", "operator", "action", "action.target", "detail"];
    for name in names {
        assert_eq!(line.matches(&format!("\"{name}\":")).count(), 1, "{name}: {line}");
    }
    let read: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&read["action.target"], &read["target"]), (&json!("psp"), &json!("rialto::flows::trail")));
}
