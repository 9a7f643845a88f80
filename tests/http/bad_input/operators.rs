//! Operators' calls: every member that is unknown, missing or of another type is pointed at, and nothing is done.

use serde_json::{Value, json};

use super::{call, node, nothing_has_changed, refused};

const NO_TEXTS: [&str; 6] = ["null", "1", "1.5", "true", "[]", "{}"];
const NO_OPTIONAL_TEXTS: [&str; 5] = ["1", "1.5", "true", "[]", "{}"];
const NO_FLAGS: [&str; 7] = ["null", "1", "0", "\"true\"", "\"\"", "[]", "{}"];
const NO_INTEGERS: [&str; 10] = ["null", "-0.0", "1.0", "1.5", "1e1", "1e400", "\"1\"", "true", "[]", "{}"];
const NO_OBJECTS: [&str; 7] = ["1", "true", "\"\"", "\"all\"", "[]", "[1]", "[\"payment.dlq\",null,null]"];

/// Every member, where what is wrong is, and what it must not be.
fn wrong() -> Vec<(&'static str, &'static str, &'static str, Vec<&'static str>)> {
    let states =
        vec!["1", "true", "[]", "\"\"", "\"ajar\"", "\"OPEN\"", "\"half_open\"", "\"forced_open\"", "\" open\""];
    let faults = vec![
        "null",
        "1",
        "true",
        "[]",
        "\"\"",
        "\"explode\"",
        "\"Panic\"",
        "\"delay\"",
        "{}",
        "{\"delay\":1,\"panic\":1}",
        "{\"explode\":1}",
    ];
    let no_ids = vec!["1", "true", "\"all\"", "\"dlq_0000000000001\"", "{}"];
    let bad_ids = vec![
        "[1]",
        "[null]",
        "[\"\"]",
        "[\"dlq_1\"]",
        "[\"dlq_000000000000I\"]",
        "[\"DLQ_0000000000001\"]",
        "[\"dlq_00000000000012\"]",
        "[\"pay_0000000000001\"]",
        "[\"evt_0000000000001\"]",
        "[\" dlq_0000000000001\"]",
        "[\"dlq_8000000000000\"]",
        "[[\"dlq_0000000000001\"]]",
        "[{\"id\":\"dlq_0000000000001\"}]",
    ];
    let mut all = vec![
        ("forceBreaker", "state", "/state", states),
        ("exerciseBreaker", "merchantId", "/merchantId", NO_TEXTS.to_vec()),
        ("injectFault", "actor", "/actor", NO_TEXTS.to_vec()),
        ("injectFault", "shard", "/shard", NO_INTEGERS.to_vec()),
        ("injectFault", "times", "/times", NO_INTEGERS.to_vec()),
        ("injectFault", "fault", "/fault", faults),
        ("jumpClock", "aheadMs", "/aheadMs", NO_INTEGERS.to_vec()),
        ("discardDeadLetters", "reason", "/reason", NO_TEXTS.to_vec()),
    ];
    for operation in ["redriveDeadLetters", "discardDeadLetters"] {
        all.extend([
            (operation, "ids", "/ids", no_ids.clone()),
            (operation, "ids", "/ids/0", bad_ids.clone()),
            (operation, "filter", "/filter", NO_OBJECTS.to_vec()),
            (operation, "all", "/all", NO_FLAGS.to_vec()),
            (operation, "dryRun", "/dryRun", NO_FLAGS.to_vec()),
        ]);
    }
    all
}

/// The body as text, with one member as it is given.
fn spoiled(body: &Value, member: &str, text: &str) -> String {
    let mut body = body.clone();
    body[member] = json!("the one that is wrong");
    body.to_string().replace("\"the one that is wrong\"", text)
}

#[actix_web::test]
async fn every_member_of_another_type_is_pointed_at() {
    let node = node().await;
    for (operation, member, pointer, wrong) in wrong() {
        let mut call = call(operation);
        let sound = call.body.take().unwrap();
        for text in wrong {
            let body = spoiled(&sound, member, text);
            let answer = call.send(&node, body.clone()).await;
            refused(&answer, &call.path, 400, "field_type_invalid", Some(pointer), &body);
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn members_of_a_filter_are_pointed_at() {
    let node = node().await;
    for operation in ["redriveDeadLetters", "discardDeadLetters"] {
        let call = call(operation);
        let rest = if operation == "discardDeadLetters" { json!({"reason": "x"}) } else { json!({}) };
        let with = |filter: &str| spoiled(&rest, "filter", filter);
        for member in ["topic", "errorType", "sourceTopic"] {
            for text in NO_OPTIONAL_TEXTS {
                let body = with(&format!("{{\"{member}\":{text}}}"));
                let answer = call.send(&node, body.clone()).await;
                let pointer = format!("/filter/{member}");
                refused(&answer, &call.path, 400, "field_type_invalid", Some(&pointer), &body);
            }
        }
        for topic in ["", "payment.captured", "payment", "PAYMENT.DLQ", "payment.dlq ", "ledger.dlq"] {
            let body = with(&format!("{{\"topic\":\"{topic}\"}}"));
            refused(&call.send(&node, body).await, &call.path, 400, "topic_invalid", None, topic);
        }
        for (member, pointer) in
            [("status", "status"), ("Topic", "Topic"), ("a/b", "a~1b"), ("limit", "limit"), ("", "")]
        {
            let body = with(&format!("{{\"{member}\":\"open\",\"topic\":1}}"));
            let answer = call.send(&node, body.clone()).await;
            refused(&answer, &call.path, 400, "unknown_field", Some(&format!("/filter/{pointer}")), &body);
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn every_member_that_must_be_there_is_missed() {
    let node = node().await;
    for (operation, member) in [
        ("forceBreaker", "state"),
        ("exerciseBreaker", "merchantId"),
        ("injectFault", "actor"),
        ("injectFault", "fault"),
        ("jumpClock", "aheadMs"),
        ("discardDeadLetters", "reason"),
    ] {
        let mut call = call(operation);
        let mut body = call.body.take().unwrap();
        body.as_object_mut().unwrap().remove(member);
        let answer = call.send(&node, body.to_string()).await;
        refused(&answer, &call.path, 400, "field_missing", Some(&format!("/{member}")), &body.to_string());
    }
    let both = call("injectFault").send(&node, "{}").await.expect_problem(400, "field_missing").json();
    assert_eq!(both["errors"].as_array().unwrap().len(), 2, "{both:#}");
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn a_call_without_a_state_leaves_a_breaker_as_it_was_forced() {
    let node = node().await;
    let state = async || {
        let breakers = node.get("/admin/breakers").await.expect(200).json();
        let mut all = breakers["data"].as_array().unwrap().iter();
        all.find(|breaker| breaker["name"] == "psp").unwrap()["state"].clone()
    };
    node.force_breaker("psp", Some("open")).await;
    for body in [json!({}), json!({"State": null}), json!({"state": "ajar"}), json!({"state": null, "why": "done"})] {
        node.put("/admin/breakers/psp", &body).await.expect(400);
        assert_eq!(state().await, "forced_open", "{body}");
    }
    node.put("/admin/breakers/psp?state=null", &json!({"state": null})).await.expect_problem(400, "unknown_parameter");
    assert_eq!(state().await, "forced_open");
    node.put("/admin/breakers/psp", &json!({"state": null})).await.expect(200);
    assert_eq!(state().await, "closed");
}

#[actix_web::test]
async fn values_beyond_what_makes_sense_are_refused() {
    let node = node().await;
    const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 3_600_000;
    for merchant in ["", " ", "a b", "M\u{dc}", &"M".repeat(33)] {
        let path = "/admin/breakers/event_log/exercise";
        let answer = node.post(path, &json!({"merchantId": merchant})).await;
        refused(&answer, path, 400, "merchant_id_invalid", None, merchant);
    }
    for (actor, shard) in [("", 1), ("nobody", 1), ("Shard_Writer", 1), ("shard_writer", 1_024), ("shard_writer", 3)] {
        let answer = node.post("/admin/faults", &json!({"actor": actor, "shard": shard, "fault": "panic"})).await;
        refused(&answer, "/admin/faults", 404, "not_found", None, actor);
    }
    let discard = "/admin/dead-letters/discard";
    for reason in ["", " ", "\n\t", &"r".repeat(256), &"\u{1f4b3}".repeat(256)] {
        let answer = node.post(discard, &json!({"all": true, "reason": reason})).await;
        refused(&answer, discard, 422, "reason_invalid", None, reason);
    }
    let too_many = vec!["dlq_0000000000001"; 1_001];
    for selection in [
        json!({}),
        json!({"all": false}),
        json!({"ids": []}),
        json!({"ids": null, "filter": null}),
        json!({"ids": ["dlq_0000000000001"], "all": true}),
        json!({"ids": ["dlq_0000000000001"], "filter": {}}),
        json!({"filter": {}, "all": true}),
        json!({ "ids": too_many }),
    ] {
        let redrive = "/admin/dead-letters/redrive";
        let shown = selection.to_string();
        let shown = &shown[..shown.len().min(60)];
        refused(&node.post(redrive, &selection).await, redrive, 400, "selection_invalid", None, shown);
        let mut selection = selection.clone();
        selection["reason"] = json!("x");
        refused(&node.post(discard, &selection).await, discard, 400, "selection_invalid", None, shown);
    }
    nothing_has_changed(&node).await;
    node.post(discard, &json!({"all": true, "reason": "\u{1f4b3}".repeat(255)})).await.expect(200);
    node.put("/admin/faults/clock", &json!({"aheadMs": TEN_YEARS_MS})).await.expect(204);
}

/// Every number of an operator's: its member, where it is, the smallest and the largest.
const NUMBERS: [(&str, &str, &str, i64, i64); 4] = [
    ("injectFault", "times", "/times", 1, 1_000_000),
    ("injectFault", "shard", "/shard", 1, 1_024),
    ("injectFault", "fault", "/fault/delay", 1, 3_600_000),
    ("jumpClock", "aheadMs", "/aheadMs", -10 * 365 * 24 * 3_600_000, 10 * 365 * 24 * 3_600_000),
];

#[actix_web::test]
async fn numbers_out_of_their_range_are_refused_with_it() {
    let node = node().await;
    for (operation, member, pointer, least, most) in NUMBERS {
        let mut call = call(operation);
        let sound = call.body.take().unwrap();
        let (below, above) = ((least - 1).to_string(), (most + 1).to_string());
        for number in [below.as_str(), &above, "9223372036854775807"] {
            let text = if member == "fault" { format!("{{\"delay\":{number}}}") } else { number.to_owned() };
            let answer = call.send(&node, spoiled(&sound, member, &text)).await;
            // The unsigned delay has no number below.
            if member == "fault" && number.starts_with('-') {
                continue;
            }
            refused(&answer, &call.path, 422, "number_out_of_range", Some(pointer), &text);
            let error = answer.json()["errors"][0].clone();
            assert_eq!((&error["minimum"], &error["maximum"]), (&json!(least), &json!(most)), "{error:#}");
            assert!(answer.json()["detail"].as_str().unwrap().contains(&most.to_string()), "{}", answer.text);
        }
        let huge = "9".repeat(40);
        if member != "fault" {
            let answer = call.send(&node, spoiled(&sound, member, &huge)).await;
            refused(&answer, &call.path, 422, "number_out_of_range", Some(pointer), &huge);
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn an_operators_texts_have_no_card_numbers() {
    let node = node().await;
    let card = "4111 1111 1111 1111";
    for (path, body, pointer) in [
        ("discard", json!({"all": true, "reason": format!("for {card}")}), "/reason"),
        ("discard", json!({"filter": {"errorType": card}, "reason": "x"}), "/filter/errorType"),
        ("redrive", json!({"filter": {"sourceTopic": card}}), "/filter/sourceTopic"),
        ("redrive", json!({"filter": {"topic": card}}), "/filter/topic"),
    ] {
        let path = format!("/admin/dead-letters/{path}");
        let answer = node.post(&path, &body).await;
        refused(&answer, &path, 422, "card_number_not_allowed", Some(pointer), &body.to_string());
        assert!(!answer.text.contains("1111"), "{}", answer.text);
    }
    let body = json!({"filter": {card: "x"}});
    let answer = node.post("/admin/dead-letters/redrive", &body).await;
    refused(&answer, "/admin/dead-letters/redrive", 400, "unknown_field", Some("/filter"), "");
    assert!(!answer.text.contains("1111"), "{}", answer.text);
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn the_tree_and_the_dead_letters_of_actors_speak_as_all_else_does() {
    fn names(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                found.push(name.clone());
                names(member, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }
    let node = node().await;
    node.inject(json!({"actor": "shard_writer", "shard": 1, "fault": "panic"})).await;
    node.post("/payments/authorize", &crate::http_tests::node::order("MERCHANT-1", 1)).await.expect(503);
    for path in ["/admin/actors", "/admin/actors/dead-letters", "/admin/jobs", "/admin/breakers", "/readyz"] {
        let (answer, mut found) = (node.get(path).await.json(), Vec::new());
        names(&answer, &mut found);
        assert!(found.len() > 3, "{path}: {answer:#}");
        for name in found {
            let is_camel_case =
                name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(char::is_alphanumeric);
            assert!(is_camel_case, "{path}: {name}");
        }
    }
}
