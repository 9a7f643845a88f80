//! Redriver: delivers again, to the consumer that could not apply them, the events of a shard's dead letters.
//! A step of a job: see `job`.   Sends: redrives, burials and closings to the shard writer.
//! Durable: the letter holds how often it was redriven and the next time.   In memory: nothing.
//! A panic costs nothing: what is due stays due, and an event that was applied before is applied once all the same.
//! Limits: `dead_letters.batch_max` letters at once; on the schedule each `dead_letters.redrives_max` times in all.

use std::borrow::Cow;

use super::burial::{Failed, bury};
use super::event_handler::{EventHandler, EventOutcome, trace_of};
use super::job::{Step, StepDone, StepFailure};
use super::shard_writer::WriteError;
use super::shards::{Shard, Shards};
use crate::domain::commands::{CloseDeadLetter, Redrive};
use crate::domain::dead_letter::{DeadLetterKind, Disposal, LetterStatus, StoredDeadLetter};
use crate::domain::event::known_topic;
use crate::domain::{IdGenerator, LetterId, Timestamp};
use crate::infra::event_log::{Delivery, OUR_SOURCE, Record};
use crate::runtime::{Context, Failure};

/// See the file's header.
pub struct Redriver<W> {
    work: W,
    shard: Shard,
    shards: Shards,
    batch_max: u64,
    ids: IdGenerator,
}

impl<W: EventHandler> Redriver<W> {
    /// Delivers to `work` what is due on `shard`, one of `shards`.
    pub fn new(work: W, shard: Shard, shards: Shards, batch_max: u64, ids: IdGenerator) -> Self {
        Self { work, shard, shards, batch_max, ids }
    }

    /// Delivers what is due.
    async fn redrive(&mut self, ctx: &Context) -> Result<StepDone, Failure> {
        let now = Timestamp(ctx.clock().now_ms());
        let topic = self.work.consumer().dead_letters();
        let due = self.shard.database.dead_letters_due(topic, now, self.batch_max).await.map_err(Failure::new)?;
        let is_full = due.len() as u64 == self.batch_max;
        let mut letters = Vec::with_capacity(due.len());
        for kept in due {
            let is_taken_up = match self.is_taken_up(&kept).await {
                // A refusal by the shard for this letter does not affect the others.
                Err(WriteError::Refused) => {
                    self.shard.database.set_aside("dead_letter", kept.letter.id.get());
                    false
                }
                taken => taken.map_err(Failure::new)?,
            };
            if is_taken_up && let Some(delivery) = delivery(&kept) {
                letters.push((kept.letter.id, kept.letter.first_failed_at, delivery));
            }
        }
        let deliveries: Vec<Delivery> = letters.iter().map(|(.., delivery)| delivery.clone()).collect();
        let applied = self.work.apply(&deliveries, ctx).await;
        let mut count = 0;
        for ((id, first_failed_at, delivery), applied) in letters.into_iter().zip(applied) {
            let is_ended = match applied {
                EventOutcome::Done => self.close(id, &delivery).await.map_err(Failure::new)?,
                EventOutcome::Later => false,
                EventOutcome::Never(why) => {
                    let failed = Failed { delivery: &delivery, why, tries: 1, first_failed_at };
                    bury(self.work.consumer(), failed, &self.shards, &mut self.ids, ctx).await
                }
            };
            count += u64::from(is_ended);
        }
        Ok(StepDone { count, again: is_full && count > 0 })
    }

    /// Whether the letter is being redriven. An open letter is from here on, because it is due on the schedule.
    async fn is_taken_up(&self, kept: &StoredDeadLetter) -> Result<bool, WriteError> {
        if kept.status == LetterStatus::Redriven {
            return Ok(true);
        }
        let DeadLetterKind::Event { trace, .. } = kept.matter else { return Ok(false) };
        let redrive = Redrive { letter_id: kept.letter.id, is_trial: false, operator: None, trace };
        Ok(self.shard.write(redrive).await? == Some(Disposal::Redelivered))
    }

    async fn close(&self, letter_id: LetterId, delivery: &Delivery) -> Result<bool, WriteError> {
        self.shard.write(CloseDeadLetter { letter_id, trace: trace_of(delivery) }).await?;
        Ok(true)
    }
}

/// The letter's event as it was delivered; none if the letter is about no event.
fn delivery(kept: &StoredDeadLetter) -> Option<Delivery> {
    let DeadLetterKind::Event { occurred_at, trace } = kept.matter else { return None };
    let letter = &kept.letter;
    let topic = known_topic(&letter.source.topic)?;
    let record = Record {
        topic,
        key: letter.source.key.clone(),
        id: letter.id.event().to_string(),
        kind: Cow::Borrowed(topic),
        source: Cow::Borrowed(OUR_SOURCE),
        time_ms: occurred_at.0,
        subject: letter.source.key.clone(),
        traceparent: Some(trace.to_string()),
        payload: letter.payload.clone(),
    };
    let (partition, offset) = (letter.source.partition?, letter.source.offset?);
    Some(Delivery { partition, offset, record })
}

impl<W: EventHandler> Step for Redriver<W> {
    async fn step(&mut self, ctx: &Context) -> Result<StepDone, StepFailure> {
        Ok(self.redrive(ctx).await?)
    }
}
