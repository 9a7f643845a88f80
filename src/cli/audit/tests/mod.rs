mod breaking;
mod shop;

use self::shop::{Shop, audit_dir, capture, refund, shard_of};
use crate::cli::audit::sources::Sources;
use crate::cli::audit::{AuditError, Invariant, audit};
use crate::config::Config;
use crate::domain::commands::Change;
use crate::infra::event_log::{Delivery, EventLogError, EventReader, GroupProgress};
use crate::runtime::Clock;

#[tokio::test]
async fn a_system_at_rest_is_clean_and_nothing_of_it_is_in_flight() {
    let report = Shop::at_rest().await.assert_clean(true).await;
    assert_eq!((report.payments(), report.payments_in_flight()), (7, 0));
    assert!(report.to_string().ends_with("audit: clean, 7 payments, 0 in flight"), "{report}");
    assert_eq!(report.to_json()["clean"], true);
}

#[tokio::test]
async fn actions_that_wait_are_in_flight_and_must_be_those_that_are_kept() {
    let shop = Shop::open().await;
    let insert = "INSERT INTO operator_action (id, at, operator, kind, target, detail, request_id) VALUES";
    shop.damage("shard-1", &format!("{insert} (1, 2, 'kim', 'fault.inject', 'actor', 'panic', 'req_1')")).await;
    let report = shop.assert_clean(false).await;
    assert_eq!((report.in_flight(Invariant::TrailWhole), report.actions()), (1, 0));
    // As a mover leaves it that died in between.
    shop.damage("control", &format!("{insert} (1, 2, 'kim', 'fault.inject', 'actor', 'panic', 'req_1')")).await;
    let report = shop.assert_clean(false).await;
    assert_eq!((report.in_flight(Invariant::TrailWhole), report.actions()), (1, 1));
    assert!(report.to_string().contains("1 actions of operators are in the control store"), "{report}");
    assert!(shop.audit(true).await.unwrap().broken_names().contains("trail.whole"));
    shop.damage("control", "UPDATE operator_action SET detail = 'hang'").await;
    assert!(shop.audit(false).await.unwrap().broken_names().contains("trail.whole"));
    shop.damage("shard-1", "DELETE FROM operator_action").await;
    assert_eq!(shop.assert_clean(true).await.actions(), 1);
}

#[tokio::test]
async fn a_control_store_of_another_system_or_none_is_an_error() {
    let shop = Shop::open().await;
    shop.damage("control", "UPDATE control_identity SET system_id = '00000000000000000000000000000002'").await;
    let misfit = shop.audit(false).await.unwrap_err();
    assert!(misfit.to_string().contains("system 00000000000000000000000000000002"), "{misfit}");
    std::fs::remove_file(shop.path("control")).unwrap();
    let missing = shop.audit(false).await;
    assert!(matches!(&missing, Err(AuditError::NoFile(path)) if path.ends_with("control.db")), "{missing:?}");
}

#[tokio::test]
async fn an_empty_system_is_clean() {
    let report = Shop::open().await.assert_clean(true).await;
    assert_eq!(report.payments(), 0);
}

#[tokio::test]
async fn every_step_of_a_payment_is_in_flight_and_not_broken() {
    let mut shop = Shop::open().await;
    let merchant = "MERCHANT-1";
    let (order, operation) = shop.intend(merchant, 100).await;
    let report = shop.assert_clean(false).await;
    assert_eq!((report.payments_in_flight(), report.in_flight(Invariant::PspAuthorized)), (1, 1));
    assert_eq!(report.in_flight(Invariant::KeysAnswers), 1);
    shop.ask_psp(&operation).await;
    shop.assert_clean(false).await;
    shop.conclude(&order, &operation).await;
    let report = shop.assert_clean(false).await;
    assert_eq!(report.in_flight(Invariant::EventsComplete), 1);
    shop.publish(false).await;
    shop.assert_clean(false).await;
    shop.publish(true).await;
    shop.assert_clean(true).await;

    let id = order.payment_id;
    for change in [capture(80), refund(30), refund(50)] {
        shop.change(merchant, id, change).await;
        assert_eq!(shop.assert_clean(false).await.in_flight(Invariant::PaymentRequests), 1);
        shop.work(false).await;
        shop.assert_clean(false).await;
        shop.work(true).await;
        assert_eq!(shop.assert_clean(false).await.in_flight(Invariant::LedgerPayments), 1);
        shop.publish(false).await;
        let report = shop.assert_clean(false).await;
        assert_eq!(report.in_flight(Invariant::LedgerPayments), 1);
        assert!(report.in_flight(Invariant::StuckConsumers) > 0);
        shop.publish(true).await;
        shop.consume().await;
        shop.assert_clean(true).await;
    }
}

#[tokio::test]
async fn captures_that_failed_and_what_followed_them_are_in_order() {
    let mut shop = Shop::open().await;
    for (merchant, changes) in [
        ("MERCHANT-1", vec![capture(5003), capture(5003), capture(4000), refund(1000)]),
        ("MERCHANT-2", vec![capture(5003), Change::Void]),
    ] {
        let id = shop.authorize(merchant, 5003).await;
        for change in changes {
            shop.change(merchant, id, change).await;
            shop.rest().await;
            shop.assert_clean(true).await;
        }
    }
}

#[tokio::test]
async fn a_void_and_a_released_authorization_are_in_order() {
    let mut shop = Shop::open().await;
    let id = shop.authorize("MERCHANT-2", 100).await;
    shop.change("MERCHANT-2", id, Change::Void).await;
    shop.assert_clean(false).await;
    shop.work(false).await;
    shop.assert_clean(false).await;
    let (order, _) = shop.intend("MERCHANT-2", 70).await;
    shop.release(&order).await;
    shop.rest().await;
    shop.assert_clean(true).await;
}

#[tokio::test]
async fn an_outcome_in_doubt_and_another_amount_are_in_flight() {
    let mut shop = Shop::open().await;
    for minor in [4003, 4004, 4006, 4007] {
        shop.authorize("MERCHANT-1", minor).await;
    }
    shop.rest().await;
    assert_eq!(shop.assert_clean(false).await.payments_in_flight(), 4);
}

#[tokio::test]
async fn what_is_in_flight_is_broken_for_a_system_that_should_rest() {
    let mut shop = Shop::open().await;
    shop.authorize("MERCHANT-1", 100).await;
    let report = shop.audit(true).await.unwrap();
    assert_eq!(report.broken_names().into_iter().collect::<Vec<_>>(), ["events.complete"]);
    assert!(report.to_string().ends_with("audit: 1 broken"), "{report}");
}

#[tokio::test]
async fn a_system_in_motion_does_not_look_broken() {
    let mut shop = Shop::at_rest().await;
    let directory = shop.dir.path().to_owned();
    let audits = async {
        let mut seen = 0;
        for _ in 0..12 {
            let report = audit_dir(&directory, false).await.unwrap();
            assert!(report.is_clean(), "{report}");
            seen = report.payments();
        }
        seen
    };
    tokio::pin!(audits);
    let trade = async {
        for round in 0..1_000 {
            let merchant = ["MERCHANT-1", "MERCHANT-2"][round % 2];
            let id = shop.authorize(merchant, 100).await;
            shop.change(merchant, id, capture(80)).await;
            shop.work(true).await;
            shop.change(merchant, id, refund(30)).await;
            shop.publish(true).await;
            shop.work(true).await;
            shop.consume().await;
        }
    };
    tokio::select! {
        seen = &mut audits => assert!(seen > 8, "nothing moved: {seen}"),
        () = trade => panic!("the trade ended before the audits"),
    }
}

#[tokio::test]
async fn a_directory_without_data_is_an_error_that_names_the_file() {
    let empty = tempfile::tempdir().unwrap();
    let missing = audit_dir(empty.path(), false).await;
    assert!(matches!(&missing, Err(AuditError::NoFile(path)) if path.ends_with("shard-1.db")), "{missing:?}");
    let shop = Shop::open().await;
    std::fs::copy(shop.path("shard-2"), shop.path("shard-3")).unwrap();
    let more = shop.audit(false).await;
    assert!(matches!(&more, Err(AuditError::ShardCount { count: 2, .. })), "{more:?}");
    std::fs::remove_file(shop.path("psp")).unwrap();
    std::fs::remove_file(shop.path("shard-3")).unwrap();
    let missing = shop.audit(false).await;
    assert!(matches!(&missing, Err(AuditError::NoFile(path)) if path.ends_with("psp.db")), "{missing:?}");
}

/// As Kafka: appending a record again adds it again.
struct Repeating(Box<dyn EventReader>);

#[async_trait::async_trait]
impl EventReader for Repeating {
    fn holds_each_record_once(&self) -> bool {
        false
    }

    fn partitions(&self, topic: &str) -> Result<u32, EventLogError> {
        self.0.partitions(topic)
    }

    async fn progress(&self, group: &str, topic: &str) -> Result<Vec<GroupProgress>, EventLogError> {
        self.0.progress(group, topic).await
    }

    async fn read(&self, topic: &str, partition: u32, from: i64, max: usize) -> Result<Vec<Delivery>, EventLogError> {
        self.0.read(topic, partition, from, max).await
    }
}

#[tokio::test]
async fn records_that_come_again_are_in_order_where_the_log_lets_them() {
    let shop = Shop::at_rest().await;
    shop.damage("events", breaking::UNLOCK_LOG).await;
    let again = "INSERT INTO record \
                 SELECT position + 1000, id, key, kind, source, time_ms, subject, traceparent, payload \
                 FROM record WHERE payload LIKE '%MERCHANT-6\"%'";
    shop.damage("events", again).await;
    assert!(shop.audit(false).await.unwrap().broken_names().contains("events.unique"));

    let mut sources = Sources::open(&Config::default(), shop.dir.path()).await.unwrap();
    sources.log = Box::new(Repeating(sources.log));
    let report = audit(&sources, false, &Clock::system()).await.unwrap();
    assert!(report.is_clean(), "{report}");

    // The first of two arrivals is gone, so that the other is behind its successor.
    let first = "DELETE FROM record WHERE position = \
                 (SELECT min(position) FROM record WHERE kind = 'payment.refunded' AND payload LIKE '%MERCHANT-6\"%')";
    shop.damage("events", first).await;
    let report = audit(&sources, false, &Clock::system()).await.unwrap();
    assert_eq!(report.broken_names().into_iter().collect::<Vec<_>>(), ["events.ordered"]);
}

#[test]
fn merchants_of_the_tests_are_on_both_shards() {
    assert_eq!((shard_of("MERCHANT-1").as_str(), shard_of("MERCHANT-2").as_str()), ("shard-1", "shard-2"));
}
