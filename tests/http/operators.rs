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
    assert_eq!(answer["data"][0]["outcome"], "not_found");
    for (query, code) in [
        ("limit=0", "limit_invalid"),
        ("topic=payment.captured", "topic_invalid"),
        ("status=closed", "status_invalid"),
        ("startingAfter=1", "cursor_invalid"),
        ("color=red", "unknown_parameter"),
    ] {
        node.get(&format!("/admin/dead-letters?{query}")).await.expect_problem(400, code);
    }
    for (id, said) in [("dlq_0000000000001", "no dead letter of this id"), ("dlq_1", "such as dlq_06YVFH3XM0400")] {
        let problem = node.get(&format!("/admin/dead-letters/{id}")).await.expect_problem(404, "not_found").json();
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem:#}");
    }
}

#[actix_web::test]
async fn what_operators_do_to_breakers_and_actors_is_in_the_trail() {
    let node = TestNode::start_with(&[("FAULTS__ENABLED", "true")]).await;
    let put = node.request(Method::PUT, "/admin/breakers/psp").header("x-operator", "kim");
    put.json(&json!({"state": "open", "reason": "a test"})).send().await.expect(200);
    let fault = json!({"actor": "resolver", "fault": {"delay": 1}});
    node.inject(fault).await;
    node.force_breaker("psp", None).await;
    let trail = node.get("/admin/actions?limit=10").await.expect(200).json();
    let said: Vec<_> = trail["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| (action["operator"].as_str().unwrap(), action["action"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("unnamed", "breaker.clear"), ("unnamed", "fault.inject"), ("kim", "breaker.force")]);
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

#[actix_web::test]
async fn a_breaker_is_forced_with_a_reason_and_says_who_and_why() {
    let node = TestNode::start().await;
    let path = "/admin/breakers/psp";
    let missing = node.put(path, &json!({"state": "open"})).await.expect_problem(400, "field_missing").json();
    assert_eq!(missing["errors"][0]["pointer"], "/reason");
    for (reason, said) in [
        ("", "required"),
        (" \n", "required"),
        (&"r".repeat(201), "at most 200 characters; this one has 201"),
        (&"\u{1f4b3}".repeat(201), "at most 200 characters"),
        ("a\u{1b}[2Jb", "printable"),
        ("a\nb", "one line"),
        ("a\u{9b}31mb", "printable"),
        ("a\u{202e}b", "printable"),
    ] {
        for state in [json!("open"), json!(null)] {
            let order = json!({"state": state, "reason": reason});
            let problem = node.put(path, &order).await.expect_problem(422, "reason_invalid").json();
            assert!(problem["detail"].as_str().unwrap().contains(said), "{reason:?}: {problem:#}");
        }
    }
    let longest = "\u{1f4b3}".repeat(200);
    let order = json!({"state": "open", "reason": format!(" {longest} ")});
    let put = node.request(Method::PUT, path).header("x-operator", "kim").json(&order);
    let view = put.send().await.expect(200).json();
    assert_eq!((&view["state"], &view["forced"]["state"]), (&json!("forced_open"), &json!("open")));
    assert_eq!((&view["forced"]["operator"], &view["forced"]["reason"]), (&json!("kim"), &json!(longest)));
    let refused = node.post("/payments/authorize", &super::node::order("MERCHANT-1", 100)).await;
    let refused = refused.expect_problem(503, "psp_unavailable");
    assert_eq!(refused.header("retry-after"), None);

    // A process that starts anew on the same control store, and a forced-closed breaker, which protects nobody.
    node.restart().await;
    let state = async || node.get("/admin/breakers").await.expect(200).json()["data"][0]["state"].clone();
    assert_eq!(state().await, "forced_open");
    node.put(path, &json!({"state": "closed", "reason": "a test"})).await.expect(200);
    let ready = node.get("/readyz").await.expect(200).json();
    let operate = ready["capabilities"]["operate"].to_string();
    assert!(operate.contains("degraded") && operate.contains("forced closed"), "{ready:#}");
    node.put(path, &json!({"state": null})).await.expect(200);
    assert_eq!(state().await, "closed");
    assert_eq!(node.get("/readyz").await.expect(200).json()["status"], "up");
}

#[actix_web::test]
async fn what_other_nodes_have_ordered_is_obeyed_within_two_seconds() {
    let node = TestNode::start().await;
    let order = crate::infra::control::StoredForce {
        name: "event_log".to_owned(),
        state: "open".to_owned(),
        operator: "lee".to_owned(),
        source: "10.0.0.2".to_owned(),
        reason: "a drill".to_owned(),
        forced_at: 1_795_478_400_000,
    };
    let view = async || node.get("/admin/breakers").await.expect(200).json()["data"][1].clone();
    let given_back = crate::infra::control::StoredForce { state: "none".to_owned(), ..order.clone() };
    node.store.forces.lock().insert(order.name.clone(), order);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let held = view().await;
    assert_eq!((&held["state"], &held["forced"]["operator"]), (&json!("forced_open"), &json!("lee")), "{held:#}");
    node.store.forces.lock().insert(given_back.name.clone(), given_back);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(view().await["state"], "closed");
}

#[actix_web::test]
async fn armed_faults_are_listed() {
    let node = TestNode::start_with(&[("FAULTS__ENABLED", "true")]).await;
    node.inject(json!({"actor": "settlement_retrier", "shard": 1, "fault": {"delay": 1}, "times": 9_000})).await;
    let listed = node.get("/admin/faults").await.expect(200).json();
    let fault = &listed["data"][0];
    assert_eq!((&fault["actor"], &fault["fault"]), (&json!("settlement_retrier"), &json!({"delay": 1})), "{listed:#}");
    node.request(Method::DELETE, "/admin/faults").send().await.expect(204);
    assert_eq!(node.get("/admin/faults").await.expect(200).json(), json!({"data": []}));
}

#[actix_web::test]
async fn faults_are_not_listed_where_they_are_off() {
    TestNode::start().await.get("/admin/faults").await.expect_problem(403, "faults_disabled");
}

#[actix_web::test]
async fn names_that_are_none_are_answered_with_those_there_are() {
    let node = TestNode::start_with(&[("FAULTS__ENABLED", "true")]).await;
    let order = json!({"state": "open", "reason": "a test"});
    let problem = node.put("/admin/breakers/nope", &order).await.expect_problem(404, "not_found").json();
    assert_eq!(problem["detail"], "There is no such breaker. It is one of event_log, psp, psp_lookup.");
    let inject = async |order| node.post("/admin/faults", &order).await.expect_problem(404, "not_found").json();
    let problem = inject(json!({"actor": "nope", "fault": "panic"})).await;
    let error = &problem["errors"][0];
    assert_eq!(error["pointer"], "/actor");
    assert!(error["allowed"].as_array().unwrap().contains(&json!("shard_writer")), "{problem:#}");
    assert!(problem["detail"].as_str().unwrap().contains("resolver, "), "{problem:#}");
    let problem = inject(json!({"actor": "shard_writer", "shard": 9, "fault": "panic"})).await;
    assert_eq!(problem["errors"][0]["pointer"], "/shard");
    assert!(problem["detail"].as_str().unwrap().ends_with("The shard is one of 1, 2."), "{problem:#}");
    let problem = inject(json!({"actor": "control_keeper", "shard": 1, "fault": "panic"})).await;
    assert!(problem["detail"].as_str().unwrap().contains("leave the shard out"), "{problem:#}");
}
