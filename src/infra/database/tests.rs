//! What a shard's tables must do, on SQLite and on a real MariaDB.

/// Each case on each engine.
macro_rules! on_each {
    ($($case:ident)*) => {$(
        mod $case {
            #[tokio::test]
            async fn on_sqlite() {
                super::$case(super::Fixture::on_sqlite().await).await;
            }

            #[tokio::test]
            async fn on_mariadb() {
                if let Some(fixture) = super::Fixture::on_mariadb().await {
                    super::$case(fixture).await;
                }
            }
        }
    )*};
}

mod actions;
mod bounds;
mod damage;
mod faults;
mod identity;
mod mariadb;
mod server_faults;
mod surface;

use sea_orm::ConnectionTrait;

use std::hash::{BuildHasher, RandomState};

use super::*;
use crate::domain::command::Command;
use crate::domain::commands::{Change, ChangePayment, PostLedgerEntry, RecordPspAttempt, RecordPspOutcome};
use crate::domain::event::{Consumer, Topic};
use crate::domain::idempotency::KeyOutcome;
use crate::domain::payment::PaymentStatus;
use crate::domain::policy::Policy;
use crate::domain::psp::Verdict;
use crate::domain::reference::ReferenceUsed;
use crate::domain::request::Task;
use crate::domain::testing::{TRACE, approved, concluded, order};
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{IdGenerator, PaymentId, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

struct Fixture {
    db: ShardDatabase,
    policy: Policy,
    ids: IdGenerator,
    _dir: tempfile::TempDir,
    /// The MariaDB server and the database on it.
    server: Option<(String, String)>,
}

impl Fixture {
    async fn on_sqlite() -> Self {
        Self::in_file(tempfile::tempdir().unwrap()).await
    }

    async fn in_file(dir: tempfile::TempDir) -> Self {
        let db = ShardDatabase::open_sqlite(ShardId(1), &dir.path().join("shard.db"), true).await.unwrap();
        Self { db, policy: Policy::default(), ids: IdGenerator::new(0), _dir: dir, server: None }
    }

    /// A database of its own on the server to test with.
    async fn on_mariadb() -> Option<Self> {
        let server = format!("mysql://rialto:rialto@{}", crate::infra::testing::server("mariadb-1")?);
        let name = format!("rialto_test_{:x}", RandomState::new().hash_one("name"));
        admin(&server, &format!("CREATE DATABASE {name}")).await;
        let db = ShardDatabase::open_mariadb(ShardId(1), &format!("{server}/{name}"), true).await.unwrap();
        let server = Some((server, name));
        Some(Self {
            db,
            policy: Policy::default(),
            ids: IdGenerator::new(0),
            _dir: tempfile::tempdir().unwrap(),
            server,
        })
    }

    async fn drop(self) {
        if let Some((server, name)) = self.server {
            admin(&server, &format!("DROP DATABASE {name}")).await;
        }
    }

    async fn run<T>(
        &mut self,
        read_set: ReadSet,
        decide: impl FnOnce(&mut UnitOfWork<'_>) -> T,
    ) -> Result<T, DatabaseError> {
        let unit = UnitOfWork::new(NOW, &self.policy, &mut self.ids);
        Ok(self.db.batch(&read_set, unit, decide).await?.0)
    }

    /// Takes on a payment.
    async fn try_authorize(&mut self, id: i64) -> Result<KeyOutcome<Result<(), ReferenceUsed>>, DatabaseError> {
        let order = order(id, 100);
        let mut read_set = ReadSet::default();
        order.reads(&mut read_set);
        self.run(read_set, |unit| order.decide(unit)).await
    }

    async fn authorize(&mut self, id: i64) -> PaymentId {
        assert_eq!(self.try_authorize(id).await.unwrap(), KeyOutcome::Fresh(Ok(())));
        let conclusion = conclusion(id, approved(100));
        let mut read_set = ReadSet::default();
        conclusion.reads(&mut read_set);
        self.run(read_set, |unit| conclusion.decide(unit)).await.unwrap().unwrap();
        PaymentId::from_stored(id)
    }

    async fn change(&mut self, id: PaymentId, change: Change) {
        let order = ChangePayment {
            payment_id: id,
            merchant_id: "MERCHANT-1".into(),
            change,
            keyed_request: None,
            request_id: "r".into(),
            trace: TRACE,
        };
        let mut read_set = ReadSet::default();
        order.reads(&mut read_set);
        self.run(read_set, |unit| order.decide(unit)).await.unwrap();
    }

    async fn work(&mut self, request: crate::domain::request::PspRequest) {
        let consumer = if matches!(request.task, Task::Refund(_)) { Consumer::Refund } else { Consumer::Settlement };
        let attempt = RecordPspAttempt {
            request_id: request.id,
            payment_id: request.payment_id,
            task: request.task,
            verdict: approved(request.money.minor),
            was_looked_up: false,
            took_ms: 1,
            chance: 1,
            event: Some((consumer, request.id)),
            trace: TRACE,
        };
        let mut read_set = ReadSet::default();
        attempt.reads(&mut read_set);
        self.run(read_set, |unit| attempt.decide(unit)).await.unwrap().unwrap();
    }

    async fn book_events(&mut self) {
        for row in self.db.unpublished(100).await.unwrap() {
            let Some(topic) = Topic::parse(&row.topic).filter(|topic| Consumer::Ledger.topics().contains(topic)) else {
                continue;
            };
            let posting = PostLedgerEntry {
                event_id: crate::domain::EventId::from_stored(row.event_id),
                topic,
                data: serde_json::from_str(&row.payload).unwrap(),
                trace: row.traceparent.parse().unwrap(),
            };
            let mut read_set = ReadSet::default();
            posting.reads(&mut read_set);
            self.run(read_set, |unit| posting.decide(unit)).await.unwrap().unwrap();
        }
    }
}

fn readable<T>(rows: Vec<Result<T, Damaged>>) -> Vec<T> {
    rows.into_iter().map(Result::unwrap).collect()
}

fn conclusion(id: i64, verdict: Verdict) -> RecordPspOutcome {
    concluded(&order(id, 100), verdict)
}

async fn payment_is_stored_over_its_whole_life(mut fixture: Fixture) {
    let id = fixture.authorize(1).await;
    fixture.change(id, Change::Capture { amount: Some(80) }).await;
    let later = Timestamp(NOW.0 + 60_000);
    let due = fixture.db.requests_due(later, false, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(fixture.db.requests(&[due[0].id], false).await.unwrap(), due);
    fixture.work(due[0].clone()).await;
    fixture.change(id, Change::Refund { amount: Some(30), reason: Some("torn".into()) }).await;
    let due = fixture.db.requests_due(later, true, 10).await.unwrap();
    fixture.work(due[0].clone()).await;
    fixture.book_events().await;
    fixture.book_events().await;

    let payment = fixture.db.payment(id).await.unwrap().unwrap();
    assert_eq!((payment.status, payment.captured, payment.refunded), (PaymentStatus::PartiallyRefunded, 80, 30));
    assert_eq!(fixture.db.payments(&[id]).await.unwrap(), std::slice::from_ref(&payment));
    let refunds = readable(fixture.db.refunds_of(id, None, 10).await.unwrap());
    assert_eq!((refunds.len(), refunds[0].reason.as_deref()), (1, Some("torn")));
    let entries = readable(fixture.db.ledger_of(id, None, 10).await.unwrap());
    assert_eq!(entries.iter().map(|entry| entry.money.minor).collect::<Vec<_>>(), [80, 30]);
    let topics: Vec<_> = fixture.db.unpublished(10).await.unwrap().into_iter().map(|row| row.topic).collect();
    let told = ["authorized", "capture-requested", "captured", "refund-requested", "refunded"];
    assert_eq!(topics, told.map(|name| format!("payment.{name}")));
    assert_eq!(payment.timeline.entries().iter().filter(|entry| entry.event_id.is_some()).count(), 5);
    fixture.drop().await;
}

async fn row_changed_meanwhile_is_a_conflict_and_nothing_of_the_batch_is_written(mut fixture: Fixture) {
    let first = fixture.authorize(1).await;
    let stale = fixture.db.payment(first).await.unwrap().unwrap();
    fixture.change(first, Change::Capture { amount: None }).await;
    let result = fixture
        .run(ReadSet::default(), |unit| {
            unit.payments.load(first, stale.clone());
            unit.payments.put(first, stale.clone());
            order(2, 100).decide(unit);
        })
        .await;
    assert!(matches!(result, Err(DatabaseError::Conflict)), "{result:?}");
    assert_eq!(fixture.db.payment(PaymentId::from_stored(2)).await.unwrap(), None);
    assert_eq!(fixture.db.payment(first).await.unwrap().unwrap().status, PaymentStatus::CaptureRequested);
    fixture.drop().await;
}

async fn key_taken_by_somebody_else_at_the_same_time_is_a_conflict(mut fixture: Fixture) {
    fixture.authorize(1).await;
    // Decided without having read the record, as a second host would that read before the first one's commit.
    let mut again = order(2, 100);
    again.keyed_request = order(1, 100).keyed_request;
    let result = fixture.run(ReadSet::default(), |unit| again.decide(unit)).await;
    assert!(matches!(result, Err(DatabaseError::Conflict)), "{result:?}");
    fixture.drop().await;
}

async fn row_that_the_database_refuses_is_told_as_refused(mut fixture: Fixture) {
    let result = fixture
        .run(ReadSet::default(), |unit| {
            let mut payment = order(1, 100).payment(&Policy::default(), NOW);
            payment.captured = 7;
            unit.payments.put(payment.id, payment);
        })
        .await;
    assert!(matches!(result, Err(DatabaseError::Refused(_))), "{result:?}");
    fixture.drop().await;
}

async fn text_with_any_characters_is_read_back_unchanged(mut fixture: Fixture) {
    let controls: String = (0..=0x9f_u8).map(char::from).collect();
    let texts = ["O'Hara", "''", "'), (2", "\\", "\\'; DROP TABLE payment; -- ", "? ?", "`\"#", "日本語 🛶", &controls];
    let payments: Vec<_> = (1..)
        .zip(texts)
        .map(|(id, text)| {
            let mut payment = order(id, 100).payment(&Policy::default(), NOW);
            payment.description = Some(text.to_owned());
            payment.metadata.insert(text.to_owned(), text.to_owned());
            payment
        })
        .collect();
    let put =
        |unit: &mut UnitOfWork<'_>| payments.iter().for_each(|payment| unit.payments.put(payment.id, payment.clone()));
    fixture.run(ReadSet::default(), put).await.unwrap();
    for payment in &payments {
        let stored = fixture.db.payment(payment.id).await.unwrap().unwrap();
        assert_eq!((&stored.description, &stored.metadata), (&payment.description, &payment.metadata));
    }
    fixture.drop().await;
}

async fn batch_longer_than_a_packet_is_written(mut fixture: Fixture) {
    let fat = |id| {
        let mut payment = order(id, 100).payment(&Policy::default(), NOW);
        payment.metadata.extend((0..40).map(|key| (format!("key {key}"), "'".repeat(500))));
        payment
    };
    let put = |unit: &mut UnitOfWork<'_>| (1..=450).map(fat).for_each(|payment| unit.payments.put(payment.id, payment));
    fixture.run(ReadSet::default(), put).await.unwrap();
    let last = PaymentId::from_stored(450);
    assert_eq!(fixture.db.payment(last).await.unwrap().unwrap().metadata, fat(450).metadata);
    fixture.drop().await;
}

async fn published_events_and_expired_keys_are_pruned(mut fixture: Fixture) {
    fixture.authorize(1).await;
    let seqs: Vec<i64> = fixture.db.unpublished(10).await.unwrap().iter().map(|row| row.seq).collect();
    fixture.run(ReadSet::default(), |unit| unit.published = seqs).await.unwrap();
    assert_eq!(fixture.db.outbox_backlog().await.unwrap(), OutboxBacklog { pending: 0, oldest: None });
    assert_eq!(fixture.db.prune(NOW, NOW, 10).await.unwrap(), 0);
    let end = NOW.after(fixture.policy.answers_kept);
    assert_eq!(fixture.db.prune(end, end, 10).await.unwrap(), 2);
    let again = order(1, 100);
    let mut read_set = ReadSet::default();
    again.reads(&mut read_set);
    let known = fixture
        .run(read_set, |unit| unit.idempotency_records.get(&again.keyed_request.key_hash).is_some())
        .await
        .unwrap();
    assert!(!known);
    fixture.drop().await;
}

async fn every_table_of_payments_takes_part_in_batches(fixture: Fixture) {
    let part = tables::NAMES.iter().copied();
    // What the database is, whether it can be written, and which migrations it has had.
    let apart = ["shard_identity", "write_probe", "seaql_migrations"];
    let expected: std::collections::BTreeSet<_> = part.chain(apart).map(str::to_owned).collect();
    let found = match &fixture.server {
        None => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'".to_owned(),
        Some((_, name)) => format!(
            "SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables \
            WHERE table_schema = '{name}'"
        ),
    };
    let tx = fixture.db.readers.begin_reading(std::time::Duration::from_secs(5)).await.unwrap();
    let found = tx.query_all(sea_orm::Statement::from_string(tx.get_database_backend(), found)).await.unwrap();
    let found = found.iter().map(|row| row.try_get::<String>("", "name").unwrap()).collect();
    assert_eq!(expected, found);
    tx.rollback().await;
    fixture.drop().await;
}

async fn admin(server: &str, sql: &str) {
    let db = sea_orm::Database::connect(server).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

on_each! {
    payment_is_stored_over_its_whole_life
    row_changed_meanwhile_is_a_conflict_and_nothing_of_the_batch_is_written
    key_taken_by_somebody_else_at_the_same_time_is_a_conflict
    row_that_the_database_refuses_is_told_as_refused
    text_with_any_characters_is_read_back_unchanged
    batch_longer_than_a_packet_is_written
    published_events_and_expired_keys_are_pruned
    every_table_of_payments_takes_part_in_batches
}
