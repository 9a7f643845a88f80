//! One batch of a shard writer: load, decide and write, and how database errors are handled.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::SpanKind;

use super::meter::BatchMeter;
use super::pending_command::{PendingCommand, WriteError};
use super::recent::Recent;
use crate::domain::policy::Policy;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};
use crate::domain::{IdGenerator, Timestamp};
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::infra::telemetry::logs::of_trace;
use crate::infra::telemetry::repeats::is_first;
use crate::infra::telemetry::traces::Span;
use crate::runtime::{Context, Nudger};

/// How many times a batch is tried again after a conflict before it is halved.
const RETRIES_MAX: u32 = 3;
/// How many times a single command is tried again: more contention than that fails it.
const RETRIES_ALONE_MAX: u32 = 10;
/// The longest wait before the first retry; it doubles.
const RETRY_BASE: Duration = Duration::from_millis(4);
/// The longest wait before any retry.
const RETRY_CAP: Duration = Duration::from_millis(64);
/// When a caller may try again after a conflict on a row that many write.
const CONTENDED_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Commits batches on one shard.
pub(super) struct BatchCommitter {
    database: ShardDatabase,
    policy: Arc<Policy>,
    ids: IdGenerator,
    publisher: Nudger,
    recent: Recent,
    meter: BatchMeter,
}

impl BatchCommitter {
    pub(super) fn new(database: ShardDatabase, policy: Arc<Policy>, ids: IdGenerator, publisher: Nudger) -> Self {
        let meter = BatchMeter::new(database.id);
        Self { database, policy, ids, publisher, recent: Recent::default(), meter }
    }

    pub(super) fn database(&self) -> &ShardDatabase {
        &self.database
    }

    /// Commits as much of a batch as it can and answers every command. A batch that fails as a whole is halved until
    /// the command that causes the failure is alone, so that no other fails with it.
    pub(super) async fn commit(&mut self, batch: Vec<PendingCommand>, ctx: &Context) {
        if self.database.health.is_damaged() {
            // What a damaged file takes on now is lost when a backup takes its place.
            return batch.into_iter().for_each(|command| command.0.answer(Err(WriteError::Storage)));
        }
        let mut waiting = vec![batch];
        while let Some(mut commands) = waiting.pop() {
            commands.retain(|command| !command.0.is_abandoned());
            if commands.is_empty() {
                continue;
            }
            let mut span = self.span(&commands);
            let committed = self.commit_whole(&mut commands, ctx).await;
            committed.as_ref().err().into_iter().for_each(|error| span.fail(error.name()));
            drop(span);
            match committed {
                Ok(()) => commands.into_iter().for_each(|command| command.0.answer(Ok(()))),
                // The next batch would fail too, so no command waits to find that out.
                Err(error @ (DatabaseError::Unavailable(_) | DatabaseError::NotCommitted(_))) => {
                    let shard = self.database.id.0;
                    if is_first(&format!("shard {shard} unavailable"), &error) {
                        tracing::error!(shard.id = shard, %error, "shard unavailable");
                    }
                    let lost = Err(WriteError::Unavailable);
                    commands.into_iter().chain(waiting.drain(..).flatten()).for_each(|command| command.0.answer(lost));
                }
                Err(DatabaseError::Storage(error)) => {
                    let shard = self.database.id.0;
                    if is_first(&format!("shard {shard} cannot write"), &error) {
                        tracing::error!(shard.id = shard, %error, "shard cannot write");
                    }
                    let lost = Err(WriteError::Storage);
                    commands.into_iter().chain(waiting.drain(..).flatten()).for_each(|command| command.0.answer(lost));
                }
                Err(DatabaseError::InDoubt(error)) => {
                    tracing::error!(shard.id = self.database.id.0, %error, "a commit is in doubt");
                    commands.into_iter().for_each(|command| command.0.answer(Err(WriteError::Interrupted)));
                }
                Err(DatabaseError::Conflict) if commands.len() == 1 => {
                    tracing::warn!(shard.id = self.database.id.0, "a command met conflict after conflict");
                    let later = Err(WriteError::Overloaded { retry_after: CONTENDED_RETRY_AFTER });
                    commands.into_iter().for_each(|command| command.0.answer(later));
                }
                Err(error) if commands.len() == 1 => {
                    let shard = self.database.id.0;
                    for command in commands {
                        let kind = command.0.kind();
                        let refuse =
                            || tracing::error!(shard.id = shard, command.kind = kind, %error, "command refused");
                        command.0.trace().map_or_else(refuse, |trace| of_trace(trace, refuse));
                        command.0.answer(Err(WriteError::Refused));
                    }
                }
                Err(error) => {
                    tracing::warn!(shard.id = self.database.id.0, batch.size = commands.len(), %error, "batch halved");
                    self.meter.halved();
                    let second = commands.split_off(commands.len() / 2);
                    // Last in, first out: the earlier half goes first.
                    waiting.push(second);
                    waiting.push(commands);
                }
            }
        }
    }

    /// One span for the batch, linked to the spans that wait for it.
    fn span(&self, commands: &[PendingCommand]) -> Span {
        let waiting = commands.iter().filter_map(|command| command.0.within());
        let mut span = Span::begin_for(waiting, SpanKind::Client, || format!("COMMIT shard_{}", self.database.id));
        span.set("db.system.name", self.database.system());
        span.set("db.operation.name", "COMMIT");
        span.set("db.operation.batch.size", commands.len() as i64);
        span
    }

    /// One transaction for all, tried again while another writer changes the same rows, or its commit is lost.
    async fn commit_whole(&mut self, commands: &mut [PendingCommand], ctx: &Context) -> Result<(), DatabaseError> {
        let (mut trusting, mut others) = (ReadSet::default(), ReadSet::default());
        for command in commands.iter() {
            command.0.reads(if command.0.trusts_recent() { &mut trusting } else { &mut others });
        }
        let mut retries = 0;
        loop {
            let begun = ctx.clock().instant();
            let mut unit = UnitOfWork::new(Timestamp(ctx.clock().now_ms()), &self.policy, &mut self.ids);
            let read_set = self.recent.fill(trusting.clone(), &others, &mut unit);
            let decide = |unit: &mut UnitOfWork<'_>| {
                commands.iter_mut().for_each(|command| command.0.decide(unit));
                !unit.events.is_empty()
            };
            let error = match self.database.batch(&read_set, unit, decide).await {
                Ok((has_events, unit)) => {
                    self.meter.committed(&unit, commands.len(), begun.elapsed());
                    self.recent.keep(unit);
                    if has_events {
                        self.publisher.nudge();
                    }
                    return Ok(());
                }
                Err(error) => error,
            };
            // After any failure the remembered rows may be outdated; the tables are right.
            self.recent = Recent::default();
            match error {
                DatabaseError::Conflict => self.meter.met_conflict(),
                DatabaseError::NotCommitted(_) => {}
                _ => return Err(error),
            }
            if retries == if commands.len() == 1 { RETRIES_ALONE_MAX } else { RETRIES_MAX } {
                return Err(error);
            }
            tokio::time::sleep(ctx.chance().jitter(RETRY_CAP.min(RETRY_BASE * (1 << retries)))).await;
            retries += 1;
        }
    }
}
