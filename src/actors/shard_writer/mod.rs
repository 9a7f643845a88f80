//! Shard writer: the only one in the process that changes a shard's tables.
//! Receives: [`PendingCommand`]s, each a [`Command`] with its reply.   Sends: a nudge to the shard's outbox publisher.
//! Durable: all of a batch in one transaction (adaptive group commit), before anyone is answered.   In memory: recent
//! rows. A panic costs the batch in hand (answered `Interrupted`, not committed or committed whole); what waits is
//! kept. Limits: `shard.mailbox_capacity` commands wait, `shard.max_batch` are committed together, 3 retries, then
//! halves.

mod batch;
mod meter;
mod pending_command;
mod recent;

use std::sync::Arc;

use batch::BatchCommitter;
use opentelemetry::trace::SpanKind;
pub use pending_command::{PendingCommand, WriteError};

use crate::domain::IdGenerator;
use crate::domain::command::Command;
use crate::domain::policy::Policy;
use crate::infra::database::ShardDatabase;
use crate::infra::telemetry::repeats::is_first;
use crate::infra::telemetry::traces::Span;
use crate::runtime::{Actor, Context, Failure, Handle, Nudger, Wake};

/// Has the shard decide and commit a command; when this returns `Ok`, it is durable.
pub async fn write<C: Command>(writer: &Handle<ShardWriter>, command: C) -> Result<C::Answer, WriteError> {
    let mut span = match command.trace() {
        Some(trace) => Span::begin(trace, SpanKind::Internal, || format!("shard_writer {}", C::KIND)),
        None => Span::none(),
    };
    let within = span.context();
    let asked = writer.ask(|reply| PendingCommand::new(command, within, reply)).await;
    let written = asked.unwrap_or_else(|error| Err(error.into()));
    written.inspect_err(|error| span.fail(error.name()))
}

/// See the file's header.
pub struct ShardWriter(BatchCommitter);

impl ShardWriter {
    /// Writes to `database`, and nudges the `publisher` when there are new events.
    pub fn new(database: ShardDatabase, policy: Arc<Policy>, ids: IdGenerator, publisher: Nudger) -> Self {
        Self(BatchCommitter::new(database, policy, ids, publisher))
    }
}

impl Actor for ShardWriter {
    type Message = PendingCommand;

    async fn started(&mut self, _: &Context) -> Result<(), Failure> {
        self.0.database().connect().await;
        Ok(())
    }

    async fn handle(&mut self, batch: Vec<PendingCommand>, ctx: &Context) -> Result<(), Failure> {
        self.0.commit(batch, ctx).await;
        Ok(())
    }

    /// Finds out whether a shard that failed takes writes again.
    async fn wake(&mut self, _: &Context) -> Result<Wake, Failure> {
        let database = self.0.database();
        if let Some(outage) = database.health.outage().filter(|_| !database.health.is_damaged()) {
            match database.probe().await {
                Ok(()) => tracing::info!(shard.id = database.id.0, outage, "shard takes writes again"),
                Err(error) => {
                    let shard = database.id.0;
                    if is_first(&format!("shard {shard} takes no writes"), &error) {
                        tracing::warn!(shard.id = shard, outage, %error, "shard takes no writes");
                    }
                }
            }
        }
        Ok(Wake::Idle)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use std::time::Duration;

    use super::*;
    use crate::domain::commands::{Attempted, Authorize, Change, ChangePayment, RecordPspAttempt};
    use crate::domain::idempotency::KeyOutcome;
    use crate::domain::request::PspProgress;
    use crate::domain::testing::{approved, concluded, order};
    use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
    use crate::domain::{PaymentId, ShardId, Timestamp, TraceContext};
    use crate::runtime::{Environment, Intensity, Options, Running, Strategy, Supervisor};

    struct Bench {
        writer: Handle<ShardWriter>,
        database: ShardDatabase,
        nudges: Arc<std::sync::atomic::AtomicUsize>,
        running: Running,
        _dir: tempfile::TempDir,
    }

    impl Bench {
        async fn start(max_batch: usize) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let database = ShardDatabase::open_sqlite(ShardId(1), &dir.path().join("shard.db"), true).await.unwrap();
            Self::on(database, dir, max_batch).await
        }

        /// Another writer, as of another host.
        async fn beside(&self) -> Self {
            Self::on(self.database.clone(), tempfile::tempdir().unwrap(), 400).await
        }

        async fn on(database: ShardDatabase, dir: tempfile::TempDir, max_batch: usize) -> Self {
            let environment = Environment::service();
            let mut root = Supervisor::new("test", Strategy::OneForOne, Intensity::default(), &environment);
            let nudges = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let (writes, counted) = (database.clone(), nudges.clone());
            let writer = root.actor(Options::new("shard_writer").max_batch(max_batch), move || {
                let counted = counted.clone();
                let nudger = Nudger::from_fn(move || {
                    counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                });
                ShardWriter::new(writes.clone(), Arc::new(Policy::default()), IdGenerator::new(0), nudger)
            });
            let running = root.start().await;
            Self { writer, database, nudges, running, _dir: dir }
        }

        async fn stored(&self, id: i64) -> bool {
            self.database.payment(PaymentId::from_stored(id)).await.unwrap().is_some()
        }
    }

    /// An authorization that fails on purpose: in the database, or by a panic.
    struct Poison {
        order: Authorize,
        panics: bool,
    }

    impl Command for Poison {
        type Answer = ();
        const KIND: &'static str = "poison";

        fn key(&self) -> u128 {
            self.order.key()
        }

        fn trace(&self) -> Option<TraceContext> {
            None
        }

        fn reads(&self, read_set: &mut ReadSet) {
            self.order.reads(read_set);
        }

        fn decide(&self, unit: &mut UnitOfWork<'_>) {
            assert!(!self.panics, "a poisoned command");
            self.order.decide(unit);
            let mut payment = unit.payments.get(&self.order.payment_id).unwrap().clone();
            payment.captured = 1;
            unit.payments.put(payment.id, payment);
        }
    }

    #[tokio::test]
    async fn waiting_commands_are_committed_together_and_then_answered() {
        let bench = Bench::start(400).await;
        let authorized = join_all((1..=200).map(|id| write(&bench.writer, order(id, 100)))).await;
        assert!(authorized.iter().all(|claimed| *claimed == Ok(KeyOutcome::Fresh(Ok(())))));
        for id in 1..=200 {
            assert!(bench.stored(id).await, "{id} is durable when it is answered");
        }
        let again = write(&bench.writer, order(1, 100)).await;
        assert_eq!(again, Ok(KeyOutcome::InProgress));
        bench.running.stop(Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn events_nudge_the_publisher_and_intents_do_not() {
        let bench = Bench::start(400).await;
        let order = order(1, 100);
        write(&bench.writer, order.clone()).await.unwrap();
        assert_eq!(bench.nudges.load(std::sync::atomic::Ordering::Relaxed), 0);
        let conclusion = concluded(&order, approved(100));
        write(&bench.writer, conclusion).await.unwrap().unwrap();
        assert_eq!(bench.nudges.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    /// One host remembers an old payment and reads a new refund.
    #[tokio::test]
    async fn attempt_sees_what_another_host_has_written() {
        let ours = Bench::start(400).await;
        let theirs = ours.beside().await;
        let order = order(1, 100);
        let id = order.payment_id;
        write(&ours.writer, order.clone()).await.unwrap();
        let conclusion = concluded(&order, approved(100));
        write(&ours.writer, conclusion).await.unwrap().unwrap();
        let change = async |writer, change| {
            let (merchant_id, request_id) = (order.merchant_id.clone(), "r".into());
            let order = ChangePayment {
                payment_id: id,
                merchant_id,
                change,
                keyed_request: None,
                request_id,
                trace: order.trace,
            };
            write(writer, order).await.unwrap()
        };
        let work = async |writer, is_for_refunds| {
            let due = ours.database.requests_due(Timestamp(i64::MAX), is_for_refunds, 10).await.unwrap();
            let request = due.into_iter().next().unwrap();
            let attempt = RecordPspAttempt {
                request_id: request.id,
                payment_id: id,
                task: request.task,
                verdict: approved(request.money.minor),
                was_looked_up: false,
                took_ms: 1,
                chance: 1,
                event: None,
                trace: order.trace,
            };
            assert_eq!(write(writer, attempt).await, Ok(Ok(Attempted::Progressed(PspProgress::Done))));
        };
        change(&ours.writer, Change::Capture { amount: None }).await;
        work(&ours.writer, false).await;
        for _ in 0..2 {
            change(&theirs.writer, Change::Refund { amount: Some(40), reason: None }).await;
            work(&ours.writer, true).await;
        }
        assert_eq!(ours.database.payment(id).await.unwrap().unwrap().refunded, 80);
    }

    #[tokio::test]
    async fn command_that_the_database_refuses_fails_alone() {
        let bench = Bench::start(400).await;
        let sound = join_all((1..=20).map(|id| write(&bench.writer, order(id, 100))));
        let poison = write(&bench.writer, Poison { order: order(99, 100), panics: false });
        let more = join_all((21..=40).map(|id| write(&bench.writer, order(id, 100))));
        let (sound, poison, more) = tokio::join!(sound, poison, more);
        assert_eq!(poison, Err(WriteError::Refused));
        assert!(sound.iter().chain(&more).all(|claimed| *claimed == Ok(KeyOutcome::Fresh(Ok(())))));
        assert!(bench.stored(40).await && !bench.stored(99).await);
    }

    #[tokio::test]
    async fn panicking_command_fails_its_batch_and_not_the_shard() {
        let bench = Bench::start(1).await;
        let poison = write(&bench.writer, Poison { order: order(99, 100), panics: true });
        let waiting = join_all((1..=5).map(|id| write(&bench.writer, order(id, 100))));
        let (poison, waiting) = tokio::join!(poison, waiting);
        assert_eq!(poison, Err(WriteError::Interrupted));
        assert!(waiting.iter().all(|claimed| *claimed == Ok(KeyOutcome::Fresh(Ok(())))));
        assert!(!bench.stored(99).await);
        let letters = bench.running.dead_letters().recent();
        assert_eq!((letters.len(), letters[0].kind), (1, "poison"));
    }
}
