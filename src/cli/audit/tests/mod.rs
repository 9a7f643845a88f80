mod breaking;
mod fixture;

use self::fixture::{Fixture, audit_dir, capture, refund, shard_of};
use crate::cli::audit::sources::Sources;
use crate::cli::audit::{AuditError, EXAMPLES, Invariant, Report, audit};
use crate::config::Config;
use crate::domain::commands::Change;
use crate::infra::event_log::{Delivery, EventLogError, EventReader, GroupProgress};
use crate::node::MisfitError;
use crate::runtime::Clock;

#[tokio::test]
async fn a_system_at_rest_is_clean_and_nothing_of_it_is_in_flight() {
    let report = Fixture::at_rest().await.assert_clean(true).await;
    assert_eq!((report.payments(), report.payments_in_flight()), (7, 0));
    assert!(report.to_string().ends_with("audit: clean, 7 payments, 0 in flight"), "{report}");
    assert_eq!(report.to_json()["clean"], true);
}

#[tokio::test]
async fn actions_that_wait_are_in_flight_and_must_be_those_that_are_kept() {
    let fixture = Fixture::open().await;
    let insert = "INSERT INTO operator_action (id, at, operator, kind, target, detail, request_id) VALUES";
    fixture.damage("shard-1", &format!("{insert} (1, 2, 'kim', 'fault.inject', 'actor', 'panic', 'req_1')")).await;
    let report = fixture.assert_clean(false).await;
    assert_eq!((report.in_flight(Invariant::TrailWhole), report.actions()), (1, 0));
    // As a mover leaves it that died in between.
    fixture.damage("control", &format!("{insert} (1, 2, 'kim', 'fault.inject', 'actor', 'panic', 'req_1')")).await;
    let report = fixture.assert_clean(false).await;
    assert_eq!((report.in_flight(Invariant::TrailWhole), report.actions()), (1, 1));
    assert!(report.to_string().contains("1 actions of operators are in the control store"), "{report}");
    assert!(fixture.audit(true).await.unwrap().broken_names().contains("trail.whole"));
    fixture.damage("control", "UPDATE operator_action SET detail = 'hang'").await;
    assert!(fixture.audit(false).await.unwrap().broken_names().contains("trail.whole"));
    fixture.damage("shard-1", "DELETE FROM operator_action").await;
    assert_eq!(fixture.assert_clean(true).await.actions(), 1);
}

#[tokio::test]
async fn a_control_store_of_another_system_is_an_error_and_without_one_money_is_checked() {
    let fixture = Fixture::open().await;
    fixture.damage("control", "UPDATE control_identity SET system_id = '00000000000000000000000000000002'").await;
    let misfit = fixture.audit(false).await.unwrap_err();
    assert!(misfit.to_string().contains("system 00000000000000000000000000000002"), "{misfit}");
    std::fs::remove_file(fixture.path("control")).unwrap();
    let report = fixture.audit(false).await.unwrap();
    assert!(!report.is_clean() && report.broken_names().is_empty(), "{report}");
    assert!(report.unchecked(Invariant::TrailWhole).unwrap().contains("control.db"), "{report}");
    assert_eq!(report.exit_code(), std::process::ExitCode::from(2));
    assert!(report.to_string().contains("could not be checked") && !report.to_string().contains("clean"), "{report}");
}

#[tokio::test]
async fn an_empty_system_is_clean() {
    let report = Fixture::open().await.assert_clean(true).await;
    assert_eq!(report.payments(), 0);
}

#[tokio::test]
async fn every_step_of_a_payment_is_in_flight_and_not_broken() {
    let mut fixture = Fixture::open().await;
    let merchant = "MERCHANT-1";
    let (order, operation) = fixture.intend(merchant, 100).await;
    let report = fixture.assert_clean(false).await;
    assert_eq!((report.payments_in_flight(), report.in_flight(Invariant::PspAuthorized)), (1, 1));
    assert_eq!(report.in_flight(Invariant::KeysAnswers), 1);
    fixture.ask_psp(&operation).await;
    fixture.assert_clean(false).await;
    fixture.conclude(&order, &operation).await;
    let report = fixture.assert_clean(false).await;
    assert_eq!(report.in_flight(Invariant::EventsComplete), 1);
    fixture.publish(false).await;
    fixture.assert_clean(false).await;
    fixture.publish(true).await;
    fixture.assert_clean(true).await;

    let id = order.payment_id;
    for change in [capture(80), refund(30), refund(50)] {
        fixture.change(merchant, id, change).await;
        assert_eq!(fixture.assert_clean(false).await.in_flight(Invariant::PaymentRequests), 1);
        fixture.work(false).await;
        fixture.assert_clean(false).await;
        fixture.work(true).await;
        assert_eq!(fixture.assert_clean(false).await.in_flight(Invariant::LedgerPayments), 1);
        fixture.publish(false).await;
        let report = fixture.assert_clean(false).await;
        assert_eq!(report.in_flight(Invariant::LedgerPayments), 1);
        assert!(report.in_flight(Invariant::StuckConsumers) > 0);
        fixture.publish(true).await;
        fixture.consume().await;
        fixture.assert_clean(true).await;
    }
}

#[tokio::test]
async fn captures_that_failed_and_what_followed_them_are_in_order() {
    let mut fixture = Fixture::open().await;
    for (merchant, changes) in [
        ("MERCHANT-1", vec![capture(5003), capture(5003), capture(4000), refund(1000)]),
        ("MERCHANT-2", vec![capture(5003), Change::Void]),
    ] {
        let id = fixture.authorize(merchant, 5003).await;
        for change in changes {
            fixture.change(merchant, id, change).await;
            fixture.rest().await;
            fixture.assert_clean(true).await;
        }
    }
}

#[tokio::test]
async fn a_void_and_a_released_authorization_are_in_order() {
    let mut fixture = Fixture::open().await;
    let id = fixture.authorize("MERCHANT-2", 100).await;
    fixture.change("MERCHANT-2", id, Change::Void).await;
    fixture.assert_clean(false).await;
    fixture.work(false).await;
    fixture.assert_clean(false).await;
    let (order, _) = fixture.intend("MERCHANT-2", 70).await;
    fixture.release(&order).await;
    fixture.rest().await;
    fixture.assert_clean(true).await;
}

#[tokio::test]
async fn an_outcome_in_doubt_and_another_amount_are_in_flight() {
    let mut fixture = Fixture::open().await;
    for minor in [4003, 4004, 4006, 4007] {
        fixture.authorize("MERCHANT-1", minor).await;
    }
    fixture.rest().await;
    assert_eq!(fixture.assert_clean(false).await.payments_in_flight(), 4);
}

#[tokio::test]
async fn what_is_in_flight_is_broken_for_a_system_that_should_rest() {
    let mut fixture = Fixture::open().await;
    fixture.authorize("MERCHANT-1", 100).await;
    let report = fixture.audit(true).await.unwrap();
    assert_eq!(report.broken_names().into_iter().collect::<Vec<_>>(), ["events.complete"]);
    assert!(report.to_string().ends_with("audit: 1 broken"), "{report}");
}

#[tokio::test]
async fn a_system_in_motion_does_not_look_broken() {
    let mut fixture = Fixture::at_rest().await;
    let directory = fixture.dir.path().to_owned();
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
            let id = fixture.authorize(merchant, 100).await;
            fixture.change(merchant, id, capture(80)).await;
            fixture.work(true).await;
            fixture.change(merchant, id, refund(30)).await;
            fixture.publish(true).await;
            fixture.work(true).await;
            fixture.consume().await;
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
    let fixture = Fixture::open().await;
    std::fs::copy(fixture.path("shard-2"), fixture.path("shard-3")).unwrap();
    let more = fixture.audit(false).await;
    let misfit = matches!(&more, Err(AuditError::Misfit(MisfitError::ShardCount { found: 3, wanted: 2, .. })));
    assert!(misfit, "{more:?}");
    std::fs::remove_file(fixture.path("psp")).unwrap();
    std::fs::remove_file(fixture.path("shard-3")).unwrap();
    let missing = fixture.audit(false).await;
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
    let fixture = Fixture::at_rest().await;
    fixture.damage("events", breaking::UNLOCK_LOG).await;
    let again = "INSERT INTO record \
                 SELECT position + 1000, id, key, kind, source, time_ms, subject, traceparent, payload \
                 FROM record WHERE payload LIKE '%MERCHANT-6\"%'";
    fixture.damage("events", again).await;
    assert!(fixture.audit(false).await.unwrap().broken_names().contains("events.unique"));

    let mut sources = Sources::open(&Config::default(), fixture.dir.path()).await.unwrap();
    sources.log = Box::new(Repeating(sources.log));
    let report = audit(&sources, Report::new(false, EXAMPLES), &Clock::system()).await.unwrap();
    assert!(report.is_clean(), "{report}");

    // The first of two arrivals is gone, so that the other is behind its successor.
    let first = "DELETE FROM record WHERE position = \
                 (SELECT min(position) FROM record WHERE kind = 'payment.refunded' AND payload LIKE '%MERCHANT-6\"%')";
    fixture.damage("events", first).await;
    let report = audit(&sources, Report::new(false, EXAMPLES), &Clock::system()).await.unwrap();
    assert_eq!(report.broken_names().into_iter().collect::<Vec<_>>(), ["events.ordered"]);
}

#[test]
fn merchants_of_the_tests_are_on_both_shards() {
    assert_eq!((shard_of("MERCHANT-1").as_str(), shard_of("MERCHANT-2").as_str()), ("shard-1", "shard-2"));
}
