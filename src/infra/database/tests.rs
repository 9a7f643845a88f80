//! What a shard's tables must do, on SQLite and on a real MariaDB.

mod actions;
mod bounds;
mod damage;
mod faults;
mod identity;
mod mariadb;
mod server_faults;

use sea_orm::ConnectionTrait;

use std::hash::{BuildHasher, RandomState};

use super::*;
use crate::domain::command::{Change, ChangePayment, Command, PostLedgerEntry, RecordPspAttempt, RecordPspOutcome};
use crate::domain::event::{Consumer, Topic};
use crate::domain::idempotency::KeyOutcome;
use crate::domain::payment::PaymentStatus;
use crate::domain::policy::Policy;
use crate::domain::psp::Verdict;
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
        needs: ReadSet,
        decide: impl FnOnce(&mut UnitOfWork<'_>) -> T,
    ) -> Result<T, DatabaseError> {
        let book = UnitOfWork::new(NOW, &self.policy, &mut self.ids);
        Ok(self.db.batch(&needs, book, decide).await?.0)
    }

    /// Takes on a payment.
    async fn try_authorize(&mut self, id: i64) -> Result<KeyOutcome<()>, DatabaseError> {
        let order = order(id, 100);
        let mut needs = ReadSet::default();
        order.needs(&mut needs);
        self.run(needs, |book| book.authorize(&order)).await
    }

    async fn authorize(&mut self, id: i64) -> PaymentId {
        assert_eq!(self.try_authorize(id).await.unwrap(), KeyOutcome::Fresh(()));
        let conclusion = conclusion(id, approved(100));
        let mut needs = ReadSet::default();
        conclusion.needs(&mut needs);
        self.run(needs, |book| book.conclude(&conclusion)).await.unwrap().unwrap();
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
        let mut needs = ReadSet::default();
        order.needs(&mut needs);
        self.run(needs, |book| book.change(&order)).await.unwrap();
    }

    async fn work(&mut self, request: crate::domain::request::PspRequest) {
        let consumer = if matches!(request.task, Task::Refund(_)) { Consumer::Refund } else { Consumer::Settlement };
        let attempt = RecordPspAttempt {
            request_id: request.id,
            payment_id: request.payment_id,
            task: request.task,
            verdict: approved(request.money.minor),
            took_ms: 1,
            chance: 1,
            event: Some((consumer, request.id)),
            trace: TRACE,
        };
        let mut needs = ReadSet::default();
        attempt.needs(&mut needs);
        self.run(needs, |book| book.attempt(&attempt)).await.unwrap().unwrap();
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
            let mut needs = ReadSet::default();
            posting.needs(&mut needs);
            self.run(needs, |book| book.post(&posting)).await.unwrap().unwrap();
        }
    }
}

fn readable<T>(rows: Vec<Result<T, Damaged>>) -> Vec<T> {
    rows.into_iter().map(Result::unwrap).collect()
}

fn conclusion(id: i64, verdict: Verdict) -> RecordPspOutcome {
    concluded(&order(id, 100), verdict)
}

async fn a_payment_lives_its_whole_life_in_the_tables(mut shop: Fixture) {
    let id = shop.authorize(1).await;
    shop.change(id, Change::Capture { amount: Some(80) }).await;
    let later = Timestamp(NOW.0 + 60_000);
    let due = shop.db.requests_due(later, false, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(shop.db.requests(&[due[0].id], false).await.unwrap(), due);
    shop.work(due[0].clone()).await;
    shop.change(id, Change::Refund { amount: Some(30), reason: Some("torn".into()) }).await;
    let due = shop.db.requests_due(later, true, 10).await.unwrap();
    shop.work(due[0].clone()).await;
    shop.book_events().await;
    shop.book_events().await;

    let payment = shop.db.payment(id).await.unwrap().unwrap();
    assert_eq!((payment.status, payment.captured, payment.refunded), (PaymentStatus::PartiallyRefunded, 80, 30));
    assert_eq!(shop.db.payments(&[id]).await.unwrap(), std::slice::from_ref(&payment));
    let refunds = readable(shop.db.refunds_of(id, None, 10).await.unwrap());
    assert_eq!((refunds.len(), refunds[0].reason.as_deref()), (1, Some("torn")));
    let entries = readable(shop.db.ledger_of(id, None, 10).await.unwrap());
    assert_eq!(entries.iter().map(|entry| entry.money.minor).collect::<Vec<_>>(), [80, 30]);
    let topics: Vec<_> = shop.db.unpublished(10).await.unwrap().into_iter().map(|row| row.topic).collect();
    let told = ["authorized", "capture-requested", "captured", "refund-requested", "refunded"];
    assert_eq!(topics, told.map(|name| format!("payment.{name}")));
    assert_eq!(payment.timeline.entries().iter().filter(|entry| entry.event_id.is_some()).count(), 5);
    shop.drop().await;
}

async fn a_row_changed_meanwhile_is_a_conflict_and_nothing_of_the_batch_is_written(mut shop: Fixture) {
    let first = shop.authorize(1).await;
    let stale = shop.db.payment(first).await.unwrap().unwrap();
    shop.change(first, Change::Capture { amount: None }).await;
    let result = shop
        .run(ReadSet::default(), |book| {
            book.payments.load(first, stale.clone());
            book.payments.put(first, stale.clone());
            book.authorize(&order(2, 100));
        })
        .await;
    assert!(matches!(result, Err(DatabaseError::Conflict)), "{result:?}");
    assert_eq!(shop.db.payment(PaymentId::from_stored(2)).await.unwrap(), None);
    assert_eq!(shop.db.payment(first).await.unwrap().unwrap().status, PaymentStatus::CaptureRequested);
    shop.drop().await;
}

async fn a_key_taken_by_somebody_else_at_the_same_time_is_a_conflict(mut shop: Fixture) {
    shop.authorize(1).await;
    // Decided without having read the claim, as a second host would that read before the first one's commit.
    let mut again = order(2, 100);
    again.keyed_request = order(1, 100).keyed_request;
    let result = shop.run(ReadSet::default(), |book| book.authorize(&again)).await;
    assert!(matches!(result, Err(DatabaseError::Conflict)), "{result:?}");
    shop.drop().await;
}

async fn a_row_that_the_database_refuses_is_said_so(mut shop: Fixture) {
    let result = shop
        .run(ReadSet::default(), |book| {
            let mut payment = order(1, 100).payment(&Policy::default(), NOW);
            payment.captured = 7;
            book.payments.put(payment.id, payment);
        })
        .await;
    assert!(matches!(result, Err(DatabaseError::Refused(_))), "{result:?}");
    shop.drop().await;
}

async fn whatever_a_text_holds_is_read_back_as_it_was(mut shop: Fixture) {
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
        |book: &mut UnitOfWork<'_>| payments.iter().for_each(|payment| book.payments.put(payment.id, payment.clone()));
    shop.run(ReadSet::default(), put).await.unwrap();
    for payment in &payments {
        let stored = shop.db.payment(payment.id).await.unwrap().unwrap();
        assert_eq!((&stored.description, &stored.metadata), (&payment.description, &payment.metadata));
    }
    shop.drop().await;
}

async fn a_batch_may_be_longer_than_a_packet(mut shop: Fixture) {
    let fat = |id| {
        let mut payment = order(id, 100).payment(&Policy::default(), NOW);
        payment.metadata.extend((0..40).map(|key| (format!("key {key}"), "'".repeat(500))));
        payment
    };
    let put = |book: &mut UnitOfWork<'_>| (1..=450).map(fat).for_each(|payment| book.payments.put(payment.id, payment));
    shop.run(ReadSet::default(), put).await.unwrap();
    let last = PaymentId::from_stored(450);
    assert_eq!(shop.db.payment(last).await.unwrap().unwrap().metadata, fat(450).metadata);
    shop.drop().await;
}

async fn published_events_and_expired_claims_are_pruned(mut shop: Fixture) {
    shop.authorize(1).await;
    let seqs: Vec<i64> = shop.db.unpublished(10).await.unwrap().iter().map(|row| row.seq).collect();
    shop.run(ReadSet::default(), |book| book.published = seqs).await.unwrap();
    assert_eq!(shop.db.outbox_backlog().await.unwrap(), OutboxBacklog { pending: 0, oldest: None });
    assert_eq!(shop.db.prune(NOW, NOW, 10).await.unwrap(), 0);
    let end = NOW.after(shop.policy.answers_kept);
    assert_eq!(shop.db.prune(end, end, 10).await.unwrap(), 2);
    let again = order(1, 100);
    let mut needs = ReadSet::default();
    again.needs(&mut needs);
    let known = shop.run(needs, |book| book.claims.get(&again.keyed_request.key_hash).is_some()).await.unwrap();
    assert!(!known);
    shop.drop().await;
}

async fn admin(server: &str, sql: &str) {
    let db = sea_orm::Database::connect(server).await.unwrap();
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

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
                if let Some(shop) = super::Fixture::on_mariadb().await {
                    super::$case(shop).await;
                }
            }
        }
    )*};
}

on_each! {
    a_payment_lives_its_whole_life_in_the_tables
    a_row_changed_meanwhile_is_a_conflict_and_nothing_of_the_batch_is_written
    a_key_taken_by_somebody_else_at_the_same_time_is_a_conflict
    a_row_that_the_database_refuses_is_said_so
    whatever_a_text_holds_is_read_back_as_it_was
    a_batch_may_be_longer_than_a_packet
    published_events_and_expired_claims_are_pruned
}
