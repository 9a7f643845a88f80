//! The breaker's exercise, by the command: with the real broker stopped where there is one, else by fault injection.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::node::{PROGRAM, TestNode};
use crate::servers::OwnServers;

const QUICK: &[(&str, &str)] = &[("FAULTS__ENABLED", "true"), ("BREAKER__OPEN_MS", "1000")];

async fn exercise(node: &TestNode) -> Value {
    let mut command = Command::new(PROGRAM);
    let output = command.args(["exercise", "--json", "--url", &node.url]).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap()
}

/// All nine passed, and nothing of it is left over.
async fn expect_passed(node: &TestNode, outage: &str) {
    let exercise = exercise(node).await;
    assert_eq!(exercise["outage"], outage, "{exercise:#}");
    let steps = exercise["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 9);
    assert!(steps.iter().all(|step| step["status"] == "passed"), "{exercise:#}");
    let breakers = node.get("/admin/breakers").await.expect(200).json();
    let changes: Vec<_> =
        breakers["data"][1]["transitions"].as_array().unwrap().iter().map(|change| change["to"].clone()).collect();
    assert!(changes.contains(&json!("open")), "{breakers:#}");
    assert_eq!(changes.last(), Some(&json!("closed")), "{breakers:#}");
    let payments = node.get("/payments?merchantId=EXERCISE-1&limit=100").await.expect(200).json();
    let payments = payments["data"].as_array().unwrap();
    assert!(payments.len() >= 15 && payments.iter().all(|payment| payment["status"] == "VOIDED"), "{payments:#?}");
    node.audit().await;
}

#[tokio::test]
async fn the_exercise_passes_with_injected_faults() {
    let node = TestNode::start_embedded_with(QUICK).await;
    node.get("/admin/breakers/event_log/exercise").await.expect_problem(404, "not_found");
    expect_passed(&node, "injected").await;
    node.get("/admin/breakers/event_log/exercise").await.expect(200);
}

#[tokio::test]
async fn the_exercise_really_stops_the_broker() {
    let Some(own) = OwnServers::start(&["kafka"]).await else { return };
    let (stop, start) = (own.shell("kill"), own.shell("up"));
    let mut settings = QUICK.to_vec();
    settings.extend([("FAULTS__EVENT_LOG_STOP", stop.as_str()), ("FAULTS__EVENT_LOG_START", start.as_str())]);
    let node = TestNode::start_beside(&own, &settings).await.unwrap();
    expect_passed(&node, "real").await;
}
