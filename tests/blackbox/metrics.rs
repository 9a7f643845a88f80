//! What operators are shown: every metric of the catalogue and no other, and figures that follow what happens.

use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;

use crate::node::{TestNode, eventually, order};
use crate::scrape::Scrape;
use crate::servers::OwnServers;

/// Observers look often.
const SOON: [(&str, &str); 2] = [("TELEMETRY__OBSERVE_EVERY_MS", "100"), ("TELEMETRY__LEDGER_EVERY_MS", "100")];
/// What is there only where processes share Redis.
const OF_LEASES: [&str; 3] = ["rialto_lease_held", "rialto_lease_losses_total", "rialto_leases_degraded"];

fn with(settings: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&SOON, settings].concat()
}

/// Waits until the sum of a metric's series is as wanted.
async fn shows(node: &TestNode, name: &str, labels: &[(&str, &str)], wanted: impl Fn(Option<f64>) -> bool) {
    eventually(&format!("{name} {labels:?}"), async || {
        wanted(Scrape::of(node).await.value(name, labels)).then_some(())
    })
    .await;
}

/// Everything that a metric counts, at least once.
async fn busy(node: &TestNode) {
    let payment = node.captured(1_000).await;
    node.refund(&payment, json!({"amount": 400})).await.expect(200);
    node.ledger(&payment, 2).await;
    let voided = node.authorize_for("MERCHANT-2", 500).await;
    node.void(&voided, json!({})).await.expect(200);
    node.post("/payments/authorize", &order("MERCHANT-1", 4_002)).await.expect_problem(402, "payment_declined");
    let body = order("MERCHANT-1", 700);
    node.post("/payments/authorize", &body).await.expect(200);
    node.post("/payments/authorize", &body).await.expect(200);
    let mut other = body.clone();
    other["amount"] = json!(701);
    node.post("/payments/authorize", &other).await.expect_problem(422, "idempotency_key_reused");
    node.get("/nowhere").await.expect(404);
}

#[tokio::test]
async fn a_node_shows_what_the_catalogue_says_and_nothing_else() {
    let node = TestNode::start_with(&with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")])).await;
    let begun = Scrape::of(&node).await;
    busy(&node).await;
    let has_leases = node.is_on_servers();
    let absent = if has_leases { Vec::new() } else { OF_LEASES.to_vec() };
    // Kafka tells how far its groups are every few seconds.
    let scrape = eventually("the metrics of the catalogue", async || {
        let scrape = Scrape::of(&node).await;
        let differences = scrape.differences(&absent);
        println!("differences: {differences:?}");
        differences.is_empty().then_some(scrape)
    })
    .await;
    assert!(!scrape.text.contains("pay_") && !scrape.text.contains("MERCHANT"), "labels are bounded");
    assert!(scrape.text.len() < 1_000_000, "{} bytes", scrape.text.len());

    for (name, labels, least) in [
        ("rialto_payment_changes_total", &[("status", "AUTHORIZED")][..], 3.0),
        ("rialto_payment_changes_total", &[("status", "DECLINED")], 1.0),
        ("rialto_payment_changes_total", &[("status", "CAPTURE_REQUESTED")], 1.0),
        ("rialto_payment_changes_total", &[("status", "CAPTURED")], 1.0),
        ("rialto_payment_changes_total", &[("status", "VOIDED")], 1.0),
        ("rialto_payment_changes_total", &[("status", "REFUND_REQUESTED")], 1.0),
        ("rialto_payment_changes_total", &[("status", "PARTIALLY_REFUNDED")], 1.0),
        ("rialto_ledger_entries_total", &[("shard", "1"), ("kind", "capture")], 1.0),
        ("rialto_ledger_entries_total", &[("shard", "1"), ("kind", "refund")], 1.0),
        ("rialto_psp_call_seconds_count", &[("operation", "authorize"), ("outcome", "approved")], 3.0),
        ("rialto_psp_call_seconds_count", &[("operation", "authorize"), ("outcome", "declined")], 1.0),
        ("rialto_psp_call_seconds_count", &[("operation", "capture"), ("outcome", "approved")], 1.0),
        ("rialto_psp_requests_total", &[("task", "capture"), ("outcome", "done")], 1.0),
        ("rialto_psp_requests_total", &[("task", "refund"), ("outcome", "done")], 1.0),
        ("rialto_psp_request_attempts_count", &[("task", "capture")], 1.0),
        ("rialto_idempotency_hits_total", &[], 1.0),
        ("rialto_idempotency_conflicts_total", &[("reason", "mismatch")], 1.0),
        ("rialto_event_log_produce_seconds_count", &[], 1.0),
        ("rialto_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
        ("process_open_fds", &[], 10.0),
        ("rialto_pool_connections_max", &[("pool", "shard_1_readers")], 1.0),
    ] {
        let value = scrape.value(name, labels).unwrap_or_default();
        assert!(value >= least, "{name} {labels:?} is {value}, not {least}");
    }
    for shard in ["1", "2"] {
        assert_eq!(scrape.value("rialto_shard_up", &[("shard", shard)]), Some(1.0));
        assert_eq!(scrape.value("rialto_ledger_imbalance", &[("shard", shard)]), Some(0.0));
    }

    // An alert on growth sees nothing of a series that begins at 1.
    for (name, series) in [
        ("rialto_actor_restarts_total", 10),
        ("rialto_breaker_refused_total", 3),
        ("rialto_dead_letters_buried_total", 3),
        ("rialto_event_log_produce_errors_total", 1),
        ("rialto_idempotency_cache_errors_total", 1),
        ("rialto_outbox_failures_total", 2),
        ("rialto_payment_changes_total", 12),
        ("rialto_psp_requests_total", 9),
        ("rialto_rate_limiter_local_total", 3),
        ("rialto_rate_limiter_refused_total", 3),
        ("rialto_shard_conflicts_total", 2),
        ("rialto_shard_halvings_total", 2),
        ("rialto_shard_shed_total", 2),
    ] {
        let found = begun.series(name, &[]);
        assert!(found.len() >= series, "{name} begins with {found:?}");
        assert!(found.iter().all(|sample| sample.value == 0.0), "{name}: {found:?}");
    }
}

#[tokio::test]
async fn every_role_and_the_simulator_show_their_process() {
    let Some(node) = TestNode::start_role("publisher", &SOON).await else { return };
    let text = |url: String| async move { reqwest::get(url).await.unwrap().text().await.unwrap() };
    for (url, name) in [
        (node.url.clone(), "rialto_outbox_oldest_age_seconds"),
        (node.join("ledger", 1).await.url, "rialto_shard_up"),
        (node.psp_url(), "rialto_build_info"),
    ] {
        let scrape = Scrape::read(text(format!("{url}/metrics")).await);
        for name in [name, "rialto_build_info", "process_cpu_seconds_total"] {
            assert!(scrape.value(name, &[]).is_some(), "{url}: {name}: {}", scrape.text);
        }
    }
}

#[tokio::test]
async fn without_metrics_there_are_none_and_payments_go_on() {
    let node = TestNode::start_with(&[("TELEMETRY__METRICS", "false")]).await;
    node.captured(1_000).await;
    assert_eq!(node.get("/metrics").await.expect(200).text, "");
}

#[tokio::test]
async fn the_outbox_shows_what_waits_and_for_how_long() {
    let node = TestNode::start_with(&SOON).await;
    let force = async |state: serde_json::Value| {
        let put = node
            .http
            .put(format!("{}/admin/breakers/event_log", node.url))
            .json(&json!({"state": state, "reason": "a test"}));
        node.send(put).await.expect(200);
    };
    force(json!("open")).await;
    node.authorize(1_000).await;
    shows(&node, "rialto_outbox_pending", &[("shard", "1")], |pending| pending == Some(1.0)).await;
    shows(&node, "rialto_outbox_oldest_age_seconds", &[("shard", "1")], |age| age >= Some(1.0)).await;
    shows(&node, "rialto_outbox_failures_total", &[("shard", "1")], |failures| failures >= Some(1.0)).await;
    let scrape = Scrape::of(&node).await;
    assert_eq!(scrape.value("rialto_breaker_state", &[("breaker", "event_log")]), Some(3.0));
    assert!(scrape.value("rialto_breaker_refused_total", &[("breaker", "event_log")]) >= Some(1.0));
    force(json!(null)).await;
    shows(&node, "rialto_outbox_pending", &[("shard", "1")], |pending| pending == Some(0.0)).await;
    shows(&node, "rialto_outbox_oldest_age_seconds", &[("shard", "1")], |age| age == Some(0.0)).await;
}

#[tokio::test]
async fn failing_calls_show_in_the_breakers_window_before_it_opens() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__FAILURE_PERMILLE", "1000")]).await;
    let bodies: Vec<_> = (0..4).map(|_| order("MERCHANT-1", 100)).collect();
    join_all(bodies.iter().map(|body| node.post("/payments/authorize", body))).await;
    shows(&node, "rialto_breaker_failure_ratio", &[("breaker", "psp")], |ratio| ratio == Some(1.0)).await;
    let scrape = Scrape::of(&node).await;
    assert_eq!(scrape.value("rialto_psp_call_seconds_count", &[("outcome", "failed")]), Some(4.0));
    assert_eq!(scrape.value("rialto_breaker_slow_ratio", &[("breaker", "psp")]), Some(0.0));
    // They leave the window.
    shows(&node, "rialto_breaker_failure_ratio", &[("breaker", "psp")], |ratio| ratio == Some(0.0)).await;
}

#[tokio::test]
async fn dead_letters_are_counted_when_they_come_and_shown_while_they_are_open() {
    let settings = with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")]);
    let node = TestNode::start_with(&settings).await;
    let payment = node.authorize(5_003).await;
    node.capture(&payment, json!({})).await.expect(200);
    node.eventually(&payment, "CAPTURE_FAILED").await;
    let of = [("topic", "settlement.dlq")];
    shows(&node, "rialto_dead_letters_open", &of, |open| open == Some(1.0)).await;
    let scrape = Scrape::of(&node).await;
    assert_eq!(scrape.value("rialto_dead_letters_buried_total", &of), Some(1.0));
    assert_eq!(scrape.value("rialto_dead_letters_open", &[("topic", "refund.dlq")]), Some(0.0));
    assert_eq!(scrape.value("rialto_psp_requests_total", &[("task", "capture"), ("outcome", "failed")]), Some(1.0));
    let discard = json!({"all": true, "reason": "seen", "dryRun": false});
    node.post("/admin/dead-letters/discard", &discard).await.expect(200);
    shows(&node, "rialto_dead_letters_open", &of, |open| open == Some(0.0)).await;
}

#[tokio::test]
async fn books_that_do_not_balance_are_shown() {
    let node = TestNode::start_embedded_with(&SOON).await;
    let payment = node.captured(1_000).await;
    node.ledger(&payment, 1).await;
    shows(&node, "rialto_ledger_imbalance", &[("shard", "1")], |imbalance| imbalance == Some(0.0)).await;
    let path = node.data_dir().join("shard-1.db");
    let db = Database::connect(format!("sqlite://{}?mode=rw", path.display())).await.unwrap();
    let sql = "UPDATE account_balance SET debits = debits + 7 WHERE account = 'merchant_receivable'";
    eventually("the wrong balance", async || db.execute_unprepared(sql).await.ok()).await;
    shows(&node, "rialto_ledger_imbalance", &[("shard", "1")], |imbalance| imbalance == Some(7.0)).await;
    assert_eq!(Scrape::of(&node).await.value("rialto_ledger_imbalance", &[("shard", "2")]), Some(0.0));
}

#[tokio::test]
async fn a_consumer_that_stands_still_falls_behind() {
    let node = TestNode::start_with(&with(&[
        ("FAULTS__ENABLED", "true"),
        ("SUPERVISION__HANG_AFTER_MS", "3000"),
        ("SUPERVISION__RESTARTS_MAX", "1000"),
    ]))
    .await;
    let hang = json!({"actor": "ledger_writer", "fault": "hang", "times": 1000});
    node.inject(hang).await;
    let of = [("group", "ledger"), ("topic", "payment.captured")];
    // Some partition's worker takes the first event in hand and hangs; what comes after it waits.
    for _ in 0..8 {
        node.captured(1_000).await;
    }
    shows(&node, "rialto_event_log_lag", &of, |lag| lag >= Some(1.0)).await;
    node.send(node.http.delete(format!("{}/admin/faults", node.url))).await.expect(204);
    shows(&node, "rialto_event_log_lag", &of, |lag| lag == Some(0.0)).await;
}

#[tokio::test]
async fn a_shard_whose_server_is_gone_is_shown_as_down_and_its_figures_are_not() {
    let Some(own) = OwnServers::start(&["mariadb-1"]).await else { return };
    let Some(node) = TestNode::start_beside(&own, &SOON).await else { return };
    shows(&node, "rialto_outbox_pending", &[("shard", "1")], |pending| pending == Some(0.0)).await;
    own.kill().await;
    shows(&node, "rialto_shard_up", &[("shard", "1")], |up| up == Some(0.0)).await;
    let scrape = Scrape::of(&node).await;
    assert_eq!(scrape.value("rialto_outbox_pending", &[("shard", "1")]), None);
    assert_eq!(scrape.value("rialto_ledger_imbalance", &[("shard", "1")]), None);
    assert_eq!(scrape.value("rialto_shard_up", &[("shard", "2")]), Some(1.0));
    own.up().await;
    shows(&node, "rialto_shard_up", &[("shard", "1")], |up| up == Some(1.0)).await;
    shows(&node, "rialto_outbox_pending", &[("shard", "1")], |pending| pending == Some(0.0)).await;
}
