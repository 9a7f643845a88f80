//! Prometheus and Alertmanager, with what is shipped, watch two processes on real servers while each alert's fault is
//! made: the alert fires, whoever it is for is told, and told again when it is over; and no panel of any dashboard
//! stays empty.

use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::node::{Neighbour, Payment, TestNode, TestPsp, new_key, order};
use crate::servers::OwnServers;
use crate::watch::Watch;

const SETTINGS: [(&str, &str); 12] = [
    ("FAULTS__ENABLED", "true"),
    // The clock is set to have time pass.
    ("CLOCK__SETTLE_MS", "0"),
    ("PSP__SIMULATOR__MAGIC_AMOUNTS", "true"),
    ("PSP__TIMEOUT_MS", "1000"),
    ("BREAKER__OPEN_MS", "2000"),
    // A busy machine is not among the faults: Redis may be slow, and nothing is refused for want of threads.
    ("REDIS__TIMEOUT_MS", "200"),
    ("SHARD__SHED_AFTER_MS", "10000"),
    ("SHARD__SHED_TARGET_MS", "10000"),
    ("TELEMETRY__OBSERVE_EVERY_MS", "500"),
    ("TELEMETRY__LEDGER_EVERY_MS", "500"),
    // So small that a test can fill it.
    ("SHARD__MAILBOX_CAPACITY", "256"),
    // So few that a customer of a test reaches them.
    ("LIMITS__REFUND_PER_MINUTE", "600"),
];

#[tokio::test]
async fn each_fault_is_told_and_no_panel_stays_empty() {
    let Some(servers) = OwnServers::start(&["mariadb-2", "redis", "kafka"]).await else { return };
    let mut node = TestNode::start_beside(&servers, &SETTINGS).await.unwrap();
    let mut psp = node.take_psp();
    let mut neighbour = node.join("resolver", 1).await;
    let Some(watch) = Watch::start(&[&node.url, &neighbour.url]).await else { return };
    let (node, watch, servers) = (&node, &watch, &servers);

    let story = async {
        sleep(Duration::from_secs(5)).await;
        watch.is_quiet().await;

        // First what costs callers 5xx, so that the longest windows are clean at the end.
        a_shard_goes_down(servers, watch).await;
        the_psp_goes_down(&mut psp, watch).await;
        a_mailbox_fills(node, watch).await;
        watch.ends("ErrorBudgetBurnsFast", "pager").await;
        // Not told while somebody was woken for the same.
        watch.fires("ErrorBudgetBurnsSlowly", "chat").await;
        redis_goes_down(servers, watch).await;
        the_control_store_goes_away(node, watch).await;
        let meanwhile = async {
            a_node_goes_down(&mut neighbour, watch).await;
            an_actor_dies_again_and_again(node, watch).await;
            the_ledger_is_tampered_with(node, watch).await;
            the_psp_approves_another_amount(node, watch).await;
        };
        tokio::join!(kafka_goes_down(node, servers, watch), meanwhile);
        requests_fail_for_good(node, watch).await;
        a_consumer_falls_behind(node, watch).await;
        watch.ends("ErrorBudgetBurnsSlowly", "chat").await;
        watch.is_quiet().await;
    };
    tokio::select! {
        () = story => {}
        () = customers(node) => unreachable!("they never stop"),
    }
    no_panel_is_empty(watch).await;
}

async fn a_shard_goes_down(servers: &OwnServers, watch: &Watch) {
    servers.kill_one("mariadb-2").await;
    watch.fires("ShardDown", "pager").await;
    watch.fires("ErrorBudgetBurnsFast", "pager").await;
    servers.up_one("mariadb-2").await;
    watch.ends("ShardDown", "pager").await;
}

async fn the_psp_goes_down(psp: &mut TestPsp, watch: &Watch) {
    psp.kill().await;
    watch.fires("PspBreakerOpen", "pager").await;
    psp.restart().await;
    watch.ends("PspBreakerOpen", "pager").await;
}

async fn a_mailbox_fills(node: &TestNode, watch: &Watch) {
    node.inject(json!({"actor": "shard_writer", "shard": 1, "fault": {"delay": 8_000}})).await;
    let call = || async {
        // It is late for most of them.
        let _ = node
            .try_send(node.http.post(format!("{}/payments/authorize", node.url)).json(&order("MERCHANT-1", 1)))
            .await;
    };
    tokio::join!(join_all((0..240).map(|_| call())), watch.fires("MailboxNearFull", "chat"));
    watch.ends("MailboxNearFull", "chat").await;
}

async fn redis_goes_down(servers: &OwnServers, watch: &Watch) {
    servers.kill_one("redis").await;
    watch.fires("RedisDegraded", "chat").await;
    servers.up_one("redis").await;
    watch.ends("RedisDegraded", "chat").await;
}

async fn a_node_goes_down(neighbour: &mut Neighbour, watch: &Watch) {
    neighbour.kill().await;
    watch.fires("NodeDown", "pager").await;
    neighbour.restart().await;
    watch.ends("NodeDown", "pager").await;
}

async fn an_actor_dies_again_and_again(node: &TestNode, watch: &Watch) {
    // As often as a supervisor bears it.
    node.inject(json!({"actor": "settlement_retrier", "shard": 1, "fault": "panic", "times": 5})).await;
    watch.fires("ActorRestarts", "chat").await;
    watch.ends("ActorRestarts", "chat").await;
}

/// Somebody writes one minor unit into a shard's books, and takes it out again.
async fn the_ledger_is_tampered_with(node: &TestNode, watch: &Watch) {
    let databases: Vec<String> = serde_json::from_str(node.setting("SHARD__DATABASES").unwrap()).unwrap();
    let shard = Database::connect(&databases[0]).await.unwrap();
    let add = async |units: i64| {
        let row = "merchant_id = 'MERCHANT-1' AND account = 'customer_funds' AND currency = 'KRW'";
        let statement = format!("UPDATE account_balance SET credits = credits + {units} WHERE {row}");
        assert_eq!(shard.execute_unprepared(&statement).await.unwrap().rows_affected(), 1);
    };
    add(1).await;
    watch.fires("LedgerImbalance", "pager").await;
    add(-1).await;
    watch.ends("LedgerImbalance", "pager").await;
}

async fn the_psp_approves_another_amount(node: &TestNode, watch: &Watch) {
    // It approves one unit less than this.
    node.post("/payments/authorize", &order("MERCHANT-1", 4_006)).await.expect(202);
    watch.fires("PspAmountMismatch", "pager").await;
    watch.ends("PspAmountMismatch", "pager").await;
}

/// Its table of identity is out of reach, as all of it would be; then it answers and takes nothing.
async fn the_control_store_goes_away(node: &TestNode, watch: &Watch) {
    let control = Database::connect(node.setting("CONTROL__DATABASE").unwrap()).await.unwrap();
    let rename = async |from: &str, to: &str| {
        control.execute_unprepared(&format!("RENAME TABLE {from} TO {to}")).await.unwrap();
    };
    rename("control_identity", "aside").await;
    watch.fires("ControlStoreDown", "chat").await;
    rename("aside", "control_identity").await;
    watch.ends("ControlStoreDown", "chat").await;

    rename("operator_action", "aside").await;
    node.inject(json!({"actor": "settlement_retrier", "shard": 1, "fault": {"delay": 1}})).await;
    // As for the outbox: ten minutes are too long for a test.
    jump_clock(node, 900_000).await;
    watch.fires("OperatorActionsWait", "chat").await;
    jump_clock(node, 0).await;
    rename("aside", "operator_action").await;
    watch.ends("OperatorActionsWait", "chat").await;
}

async fn kafka_goes_down(node: &TestNode, servers: &OwnServers, watch: &Watch) {
    servers.kill_one("kafka").await;
    watch.fires("EventLogBreakerOpen", "chat").await;
    watch.fires("OutboxWaits", "chat").await;
    // Five minutes are too long for a test: the node is told that ten have passed.
    jump_clock(node, 600_000).await;
    watch.fires("OutboxStuck", "pager").await;
    jump_clock(node, 0).await;
    watch.ends("OutboxStuck", "pager").await;
    servers.up_one("kafka").await;
    watch.ends("EventLogBreakerOpen", "chat").await;
    watch.ends("OutboxWaits", "chat").await;
}

async fn requests_fail_for_good(node: &TestNode, watch: &Watch) {
    // The PSP declines every capture of this amount.
    let declined = |number| captures(node, number, 5_003, 6);
    join_all((0..3).map(declined)).await;
    watch.fires("DeadLetters", "chat").await;
    watch.ends("DeadLetters", "chat").await;
    join_all((0..40).map(declined)).await;
    watch.fires("DeadLettersMany", "pager").await;
    watch.ends("DeadLettersMany", "pager").await;
}

async fn a_consumer_falls_behind(node: &TestNode, watch: &Watch) {
    node.inject(json!({"actor": "settlement", "fault": {"delay": 25_000}})).await;
    let many = join_all((0..16).map(|number| captures(node, number, 1_000, 75)));
    tokio::join!(many, watch.fires("ConsumerLag", "chat"));
    watch.ends("ConsumerLag", "chat").await;
}

/// One merchant's captures, one after the other.
async fn captures(node: &TestNode, number: u32, amount: i64, count: usize) {
    let merchant = format!("MERCHANT-{}", 100 + number);
    let mut captured = 0;
    while captured < count {
        let Some(payment) = authorize(node, &order(&merchant, amount)).await else { continue };
        captured += usize::from(change(node, "capture", &payment, json!({})).await.is_some());
    }
}

async fn jump_clock(node: &TestNode, ahead_ms: i64) {
    let clock = node.http.put(format!("{}/admin/faults/clock", node.url)).json(&json!({"aheadMs": ahead_ms}));
    node.send(clock).await.expect(204);
}

/// Customers of both shards who do all that can be done, well and badly, whatever they are answered.
async fn customers(node: &TestNode) {
    join_all((1..=4).map(|number| async move {
        for round in 0.. {
            let _ = trade(node, &format!("MERCHANT-{number}"), round).await;
            sleep(Duration::from_millis(100)).await;
        }
    }))
    .await;
}

/// None when a call was not answered as hoped for.
async fn trade(node: &TestNode, merchant: &str, round: u32) -> Option<()> {
    let paid = authorize(node, &order(merchant, 1_000)).await?;
    change(node, "capture", &paid, json!({})).await?;
    let order_again = order(merchant, 1_000);
    let voided = authorize(node, &order_again).await?;
    authorize(node, &order_again).await?;
    change(node, "void", &voided, json!({})).await?;
    match round % 8 {
        0 => {
            let mut mistaken = order_again.clone();
            mistaken["amount"] = json!(1_001);
            authorize(node, &mistaken).await;
        }
        1 => {
            // Insufficient funds.
            authorize(node, &order(merchant, 4_002)).await;
        }
        2 => {
            // The connection is refused three times, then the money is taken.
            let late = authorize(node, &order(merchant, 5_001)).await?;
            change(node, "capture", &late, json!({})).await?;
        }
        3 => {
            let twice = order(merchant, 1_000);
            tokio::join!(authorize(node, &twice), authorize(node, &twice));
        }
        4 => {
            let _ = node.try_send(node.http.get(format!("{}/payments?merchantId={merchant}", node.url))).await;
        }
        5 if merchant == "MERCHANT-1" => {
            // More than a merchant may, of a payment that there is not.
            let none = Payment { id: "pay_0000000000000".into(), merchant: merchant.into() };
            join_all((0..50).map(|_| change(node, "refund", &none, json!({"idempotencyKey": new_key()})))).await;
        }
        _ => {}
    }
    sleep(Duration::from_millis(300)).await;
    change(node, "refund", &paid, json!({"amount": 400, "idempotencyKey": new_key()})).await
}

async fn authorize(node: &TestNode, order: &Value) -> Option<Payment> {
    let call = node.http.post(format!("{}/payments/authorize", node.url)).json(order);
    let answer = node.try_send(call).await.ok().filter(|answer| answer.status == 200)?;
    let id = answer.json()["paymentId"].as_str()?.to_owned();
    Some(Payment { id, merchant: order["merchantId"].as_str()?.to_owned() })
}

async fn change(node: &TestNode, operation: &str, payment: &Payment, more: Value) -> Option<()> {
    let mut body = json!({"merchantId": payment.merchant});
    body.as_object_mut()?.extend(more.as_object()?.clone());
    let call = node.http.post(format!("{}/payments/{operation}/{}", node.url, payment.id)).json(&body);
    node.try_send(call).await.ok().filter(|answer| answer.status == 200).map(drop)
}

/// Every query of every panel had data at some time. What stands in for nothing (`or vector(0)`) does not count.
async fn no_panel_is_empty(watch: &Watch) {
    let variables = [
        ("$__rate_interval", "10s"),
        ("$__range", "5m"),
        ("$job", "rialto"),
        ("$instance", ".+"),
        ("$actor", ".+"),
        (" or vector(0)", ""),
    ];
    let (mut asked, mut empty) = (0, Vec::new());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana/dashboards");
    for file in std::fs::read_dir(folder).unwrap() {
        let dashboard: Value = serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().unwrap().to_owned();
                let query = variables.iter().fold(query, |query, (name, value)| query.replace(name, value));
                asked += 1;
                if watch.points(&query).await == 0 {
                    empty.push(format!("{} / {}: {query}", dashboard["title"], panel["title"]));
                }
            }
        }
    }
    println!("{} s: {asked} queries asked", watch.age());
    assert!(asked > 100 && empty.is_empty(), "{} of {asked} are empty:\n{}", empty.len(), empty.join("\n"));
}
