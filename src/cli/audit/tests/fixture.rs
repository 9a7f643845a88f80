//! A data directory with payments in it, driven step by step as the actors do it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::cli::audit::sources::Sources;
use crate::cli::audit::{AuditError, EXAMPLES, Report, audit};
use crate::config::Config;
use crate::domain::command::Command;
use crate::domain::commands::{
    AbandonAuthorization, Authorize, Change, ChangePayment, MarkPublished, PostLedgerEntry, RecordPspAttempt,
};
use crate::domain::event::{Consumer, EVENT_PARTITIONS, Topic, known_topic, topics};
use crate::domain::identity::{Companion, ShardIdentity, SystemId};
use crate::domain::key::{Fingerprint, KeyHash, KeyedRequest, PaymentOperation};
use crate::domain::payment::CaptureMode;
use crate::domain::policy::Policy;
use crate::domain::psp::{PspKey, Verdict};
use crate::domain::request::Task;
use crate::domain::testing::{TRACE, concluded, krw};
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{Bucket, EventId, IdGenerator, PaymentId, ShardId, ShardMap, Timestamp};
use crate::infra::control::{ControlPlace, ControlStore, SqlControl};
use crate::infra::database::ShardDatabase;
use crate::infra::database::audit::damage;
use crate::infra::database::identity::{ShardPlace, ShardRecord};
use crate::infra::event_log::embedded::EmbeddedLog;
use crate::infra::event_log::{EventLog, Record};
use crate::infra::psp::simulator::{Simulator, SimulatorConfig};
use crate::infra::psp::{Action, Psp, PspOperation};
use crate::runtime::{Chance, Clock};

pub struct Fixture {
    databases: Vec<ShardDatabase>,
    _control: SqlControl,
    log: EmbeddedLog,
    psp: Simulator,
    ids: IdGenerator,
    policy: Policy,
    clock: Clock,
    pub dir: tempfile::TempDir,
}

impl Fixture {
    pub async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut databases, mut records) = (Vec::new(), Vec::new());
        for shard in map().shards() {
            let path = dir.path().join(format!("shard-{shard}.db"));
            databases.push(ShardDatabase::open_sqlite(shard, &path, true).await.unwrap());
            let identity = ShardIdentity { system: SystemId::new(0, 1), shard, count: map().count(), map_version: 1 };
            let record = ShardRecord::open(&ShardPlace::File(path)).await.unwrap();
            assert_eq!(record.claim(&identity, Timestamp(0)).await.unwrap(), Some(identity));
            records.push(record);
        }
        let log = EmbeddedLog::open(&dir.path().join("events.db"), &topics().collect::<Vec<_>>()).await.unwrap();
        let config = SimulatorConfig { magic_amounts: true, timeout_ms: 1, ..Default::default() };
        let clock = Clock::system();
        let books = dir.path().join("psp.db");
        let psp = Simulator::start(&books, config, clock.clone(), Chance::from_seed(1)).unwrap();
        let (system, events) = (SystemId::new(0, 1), dir.path().join("events.db"));
        for record in records {
            let name = EmbeddedLog::claim(&events, &system).unwrap();
            record.note(Companion::EventLog, &name, false).await.unwrap();
            let name = Simulator::claim(&books, &system).unwrap();
            record.note(Companion::Psp, &name, false).await.unwrap();
        }
        let place = ControlPlace::File(dir.path().join("control.db"));
        let control = SqlControl::new(place, system, clock.clone());
        control.check().await.unwrap();
        for consumer in Consumer::ALL {
            for topic in consumer.topics() {
                for partition in 0..EVENT_PARTITIONS {
                    log.consumer(consumer.name(), topic.name(), partition).await.unwrap();
                }
            }
        }
        Self { databases, _control: control, log, psp, ids: IdGenerator::new(0), policy: Policy::default(), clock, dir }
    }

    /// Payments of every kind, and nothing under way.
    pub async fn at_rest() -> Self {
        let mut fixture = Self::open().await;
        for (merchant, minor, changes) in [
            ("MERCHANT-1", 100, vec![capture(80), refund(30)]),
            ("MERCHANT-2", 100, vec![Change::Void]),
            ("MERCHANT-3", 100, vec![]),
            ("MERCHANT-4", 100, vec![capture(100)]),
            ("MERCHANT-5", 4002, vec![]),
            ("MERCHANT-6", 90, vec![capture(90), refund(40), refund(50)]),
            ("MERCHANT-7", 5002, vec![capture(5002)]),
            ("MERCHANT-8", 4005, vec![]),
        ] {
            let id = fixture.authorize(merchant, minor).await;
            for change in changes {
                fixture.change(merchant, id, change).await;
                fixture.rest().await;
            }
        }
        fixture.rest().await;
        fixture
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(format!("{file}.db"))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ms())
    }

    fn database(&self, id: PaymentId) -> ShardDatabase {
        self.databases[map().shard_of(id.bucket()).0 as usize - 1].clone()
    }

    pub async fn write<C: Command>(&mut self, about: PaymentId, command: C) -> C::Answer {
        let mut read_set = ReadSet::default();
        command.reads(&mut read_set);
        let (database, now) = (self.database(about), self.now());
        let unit = UnitOfWork::new(now, &self.policy, &mut self.ids);
        database.batch(&read_set, unit, |unit| command.decide(unit)).await.unwrap().0
    }

    /// Takes on a payment that nobody has asked the PSP about yet.
    pub async fn intend(&mut self, merchant: &str, minor: i64) -> (Authorize, PspOperation) {
        let payment_id = self.ids.next(self.now(), Bucket::of_merchant(merchant));
        let key = format!("key-{payment_id}");
        let order = Authorize {
            payment_id,
            merchant_id: merchant.into(),
            money: krw(minor),
            capture_mode: CaptureMode::Manual,
            merchant_reference: None,
            description: None,
            metadata: Default::default(),
            keyed_request: KeyedRequest {
                key_hash: KeyHash::new(merchant, PaymentOperation::Authorize, None, &key),
                fingerprint: Fingerprint::of([("amount", "1")]),
                key,
                operation: PaymentOperation::Authorize,
            },
            trace: TRACE,
        };
        self.write(payment_id, order.clone()).await;
        let operation = PspOperation {
            key: PspKey::authorize(payment_id),
            payment_id,
            merchant_id: merchant.into(),
            money: krw(minor),
            action: Action::Authorize,
        };
        (order, operation)
    }

    pub async fn conclude(&mut self, order: &Authorize, operation: &PspOperation) {
        let (payment_id, key_hash) = (order.payment_id, order.keyed_request.key_hash);
        let verdict = self.psp.perform(operation).await.into();
        if matches!(verdict, Verdict::NotSent { .. }) {
            return self.write(payment_id, AbandonAuthorization { payment_id, key_hash, trace: TRACE }).await.unwrap();
        }
        let conclusion = concluded(order, verdict);
        self.write(order.payment_id, conclusion).await.unwrap();
    }

    pub async fn ask_psp(&self, operation: &PspOperation) {
        self.psp.perform(operation).await.unwrap();
    }

    pub async fn release(&mut self, order: &Authorize) {
        let release =
            AbandonAuthorization { payment_id: order.payment_id, key_hash: order.keyed_request.key_hash, trace: TRACE };
        self.write(order.payment_id, release).await.unwrap();
    }

    pub async fn authorize(&mut self, merchant: &str, minor: i64) -> PaymentId {
        let (order, operation) = self.intend(merchant, minor).await;
        self.conclude(&order, &operation).await;
        order.payment_id
    }

    pub async fn change(&mut self, merchant: &str, payment_id: PaymentId, change: Change) {
        let key = format!("change-{}", self.ids.next::<crate::domain::id::EventKind>(self.now(), payment_id.bucket()));
        let operation = change.operation();
        let order = ChangePayment {
            payment_id,
            merchant_id: merchant.into(),
            change,
            keyed_request: Some(KeyedRequest {
                key_hash: KeyHash::new(merchant, operation, Some(payment_id), &key),
                fingerprint: Fingerprint::of([("amount", "1")]),
                key,
                operation,
            }),
            request_id: "r".into(),
            trace: TRACE,
        };
        self.write(payment_id, order).await;
    }

    /// Has the PSP do all that is owed to it; `commits` says whether the shards hear of it.
    pub async fn work(&mut self, commits: bool) {
        let later = Timestamp(i64::MAX);
        for database in self.databases.clone() {
            for is_refund in [false, true] {
                for request in database.requests_due(later, is_refund, 100).await.unwrap() {
                    let payment = database.payment(request.payment_id).await.unwrap().unwrap();
                    let authorization = payment.psp_reference.unwrap();
                    let operation = PspOperation {
                        key: request.key(),
                        payment_id: payment.id,
                        merchant_id: payment.merchant_id,
                        money: request.money,
                        action: match request.task {
                            Task::Capture(_) => Action::Capture { authorization },
                            Task::Void => Action::Void { authorization },
                            Task::Refund(_) => Action::Refund { authorization },
                        },
                    };
                    let verdict = self.psp.perform(&operation).await.into();
                    if commits {
                        let attempt = RecordPspAttempt {
                            request_id: request.id,
                            payment_id: payment.id,
                            task: request.task,
                            verdict,
                            was_looked_up: false,
                            took_ms: 1,
                            chance: 1,
                            event: None,
                            trace: TRACE,
                        };
                        self.write(payment.id, attempt).await.unwrap();
                    }
                }
            }
        }
    }

    /// Appends what waits in the outboxes to the log; `marks` says whether the outboxes hear of it.
    pub async fn publish(&mut self, marks: bool) {
        for database in self.databases.clone() {
            let rows = database.unpublished(1_000).await.unwrap();
            let Some(first) = rows.first() else { continue };
            let about = PaymentId::from_stored(first.payment_id);
            let seqs = rows.iter().map(|row| row.seq).collect();
            let records = rows.into_iter().map(|row| {
                let key = PaymentId::from_stored(row.payment_id).to_string();
                let topic = known_topic(&row.topic).unwrap();
                Record {
                    topic,
                    subject: key.clone(),
                    key,
                    id: EventId::from_stored(row.event_id).to_string(),
                    kind: Cow::Borrowed(topic),
                    source: Cow::Borrowed("/rialto/payments"),
                    time_ms: row.occurred_at,
                    traceparent: Some(row.traceparent),
                    payload: row.payload,
                }
            });
            self.log.append(records.collect()).await.unwrap();
            if marks {
                self.write(about, MarkPublished { seqs }).await;
            }
        }
    }

    /// Brings every group to the log's end; the ledger group books what it passes.
    pub async fn consume(&mut self) {
        for consumer in Consumer::ALL {
            for topic in consumer.topics().iter().map(|topic| topic.name()) {
                for partition in 0..EVENT_PARTITIONS {
                    let mut place = self.log.consumer(consumer.name(), topic, partition).await.unwrap();
                    let deliveries = place.fetch(10_000).await.unwrap();
                    let Some(last) = deliveries.last() else { continue };
                    for delivery in deliveries.iter().filter(|_| consumer == Consumer::Ledger) {
                        let posting = PostLedgerEntry {
                            event_id: delivery.record.id.parse().unwrap(),
                            topic: Topic::parse(topic).unwrap(),
                            data: serde_json::from_str(&delivery.record.payload).unwrap(),
                            trace: TRACE,
                        };
                        self.write(posting.data.payment_id, posting).await.unwrap();
                    }
                    place.commit(last.offset + 1).await.unwrap();
                }
            }
        }
    }

    /// Lets everything under way end.
    pub async fn rest(&mut self) {
        // A request that the PSP's connection refuses has ten tries.
        for _ in 0..10 {
            self.work(true).await;
        }
        self.publish(true).await;
        self.consume().await;
    }

    pub async fn damage(&self, file: &str, sql: &str) {
        damage(&self.path(file), sql).await;
    }

    pub async fn audit(&self, settled: bool) -> Result<Report, AuditError> {
        audit_dir(self.dir.path(), settled).await
    }

    /// Audits, and fails with the whole report unless it is clean.
    pub async fn assert_clean(&self, settled: bool) -> Report {
        let report = self.audit(settled).await.unwrap();
        assert!(report.is_clean(), "{report}");
        report
    }
}

/// Audits a data directory of the default configuration.
pub async fn audit_dir(dir: &Path, settled: bool) -> Result<Report, AuditError> {
    audit(&Sources::open(&Config::default(), dir).await?, Report::new(settled, EXAMPLES), &Clock::system()).await
}

fn map() -> ShardMap {
    ShardMap::dealt(Config::default().shard.count)
}

pub fn capture(minor: i64) -> Change {
    Change::Capture { amount: Some(minor) }
}

pub fn refund(minor: i64) -> Change {
    Change::Refund { amount: Some(minor), reason: None }
}

/// Where a merchant's payments are.
pub fn shard_of(merchant: &str) -> String {
    let ShardId(shard) = map().shard_of(Bucket::of_merchant(merchant));
    format!("shard-{shard}")
}
