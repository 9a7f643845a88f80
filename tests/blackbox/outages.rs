//! Real servers that stop under load.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::{TestNode, eventually, once_taken_on, order};
use crate::servers::OwnServers;

const PER_SECOND: u32 = 200;

/// Authorizes so often for so long; every order and its answer, all of them 200.
async fn steady(node: &TestNode, lasting: Duration) -> Vec<(Value, Value)> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let url = format!("{}/payments/authorize", node.url);
    let begun = Instant::now();
    let mut calls = Vec::new();
    while begun.elapsed() < lasting {
        ticks.tick().await;
        let order = order(&format!("MERCHANT-{}", calls.len() % 10), 1_000);
        let call = tokio::spawn(once_taken_on(node.http.post(&url).json(&order)));
        calls.push((order, call));
    }
    let mut told = Vec::new();
    for (order, call) in calls {
        told.push((order, call.await.unwrap().expect(200).json()));
    }
    let least = lasting.as_secs() as usize * PER_SECOND as usize * 9 / 10;
    assert!(told.len() >= least, "{} of {least} calls", told.len());
    told
}

#[tokio::test]
async fn kafka_is_away_for_half_a_minute_and_nobody_notices() {
    let Some(kafka) = OwnServers::start(&["kafka"]).await else { return };
    let Some(node) = TestNode::start_beside(&kafka, &[]).await else { return };
    let outage = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        kafka.kill().await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        kafka.up().await;
    };
    let (told, ()) = tokio::join!(steady(&node, Duration::from_secs(34)), outage);
    for (_, answer) in &told {
        assert_eq!(answer["status"], "AUTHORIZED");
    }
    eventually("publishing again", async || {
        let ready = node.get("/readyz").await.expect(200).json();
        (ready["capabilities"]["publish"]["status"] == "up").then_some(())
    })
    .await;
    // Every event is in the log, per payment in order; nothing is booked twice.
    let payment = node.captured(1_000).await;
    node.refund(&payment, serde_json::json!({})).await.expect(200);
    node.ledger(&payment, 2).await;
    node.audit().await;
}

#[tokio::test]
async fn redis_is_flushed_and_stopped_and_no_payment_is_made_twice() {
    let Some(redis) = OwnServers::start(&["redis"]).await else { return };
    let Some(node) = TestNode::start_beside(&redis, &[]).await else { return };
    let flush = async || {
        let url = format!("redis://{}/", redis.address("redis").unwrap());
        let client = bb8_redis::redis::Client::open(url).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let _: () = bb8_redis::redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    };
    let trouble = async {
        let pause = || tokio::time::sleep(Duration::from_secs(2));
        pause().await;
        flush().await;
        pause().await;
        redis.kill().await;
        pause().await;
        pause().await;
        redis.up().await;
        pause().await;
        flush().await;
    };
    let (told, ()) = tokio::join!(steady(&node, Duration::from_secs(11)), trouble);
    for (order, answer) in told.iter().step_by(5) {
        let again = node.post("/payments/authorize", order).await.expect(200);
        assert_eq!(&again.json(), answer);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    node.audit().await;
}
