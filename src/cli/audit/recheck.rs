//! Looks again at what looked wrong: a system in motion is read a piece at a time, so only what stays wrong is wrong.

use std::time::Duration;

use super::books::{Books, BooksError};
use super::payment;
use super::psp;
use super::report::Finding;
use super::report::Invariant::{EventsKnown, PspKnown, PspMoved, StuckConsumers, StuckOutbox};
use crate::domain::event::Consumer;
use crate::domain::{PaymentId, Timestamp};
use crate::infra::database::{DatabaseError, ShardDatabase};
use crate::infra::event_log::{EventLogError, EventReader, GroupProgress};
use crate::runtime::Clock;

/// How often a thing is looked at again, and the pause between: work that is due is taken up within a second.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// How long something may wait beyond its time before it is stuck.
pub const GRACE: Duration = Duration::from_secs(60);

/// Why something could not be looked at again.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Shard(#[from] DatabaseError),
    #[error(transparent)]
    EventLog(#[from] EventLogError),
    #[error(transparent)]
    Books(#[from] BooksError),
}

/// Before this, what is due is stuck.
pub fn stuck_before(clock: &Clock) -> Timestamp {
    Timestamp(clock.now_ms()).before(GRACE)
}

/// Payments that looked wrong, each with where it is.
pub async fn payments(
    mut suspects: Vec<(&ShardDatabase, PaymentId)>,
    books: &Books,
    clock: &Clock,
) -> Result<Vec<Finding>, LookError> {
    let mut settled = Vec::new();
    for look in 0..LOOKS {
        if look > 0 && !suspects.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
        let is_last = look + 1 == LOOKS;
        let mut still = Vec::new();
        for (shard, id) in suspects {
            let findings = look_at(shard, id, books, clock).await?;
            if findings.is_empty() {
                settled.push(Finding::in_flight(PspMoved, format!("{id}: changed while it was looked at")));
            } else if is_last {
                settled.extend(findings);
            } else {
                still.push((shard, id));
            }
        }
        suspects = still;
    }
    Ok(settled)
}

/// What is wrong with a payment now. Nothing, if it changes at this moment.
async fn look_at(
    shard: &ShardDatabase,
    id: PaymentId,
    books: &Books,
    clock: &Clock,
) -> Result<Vec<Finding>, LookError> {
    let Some(dossier) = shard.snapshot().await?.dossier(id).await? else { return Ok(Vec::new()) };
    let facts = psp::look_up(books, &dossier).await?;
    let mut findings = psp::judge(&dossier, &facts);
    findings.extend(payment::judge_stuck(&dossier, stuck_before(clock)));
    findings.retain(|finding| !finding.is_in_flight);
    if findings.is_empty() {
        return Ok(findings);
    }
    let after = shard.snapshot().await?.dossier(id).await?;
    let stands = after.is_some_and(|after| after.payment.version == dossier.payment.version);
    Ok(if stands { findings } else { Vec::new() })
}

/// Payments that the log or the books know and the shards did not when they were read.
pub async fn unknown(
    told: Vec<(&ShardDatabase, PaymentId)>,
    at_psp: Vec<(&ShardDatabase, PaymentId)>,
) -> Result<Vec<Finding>, LookError> {
    let mut findings = Vec::new();
    for (invariant, where_, ids) in [(EventsKnown, "told in the log", told), (PspKnown, "known to the psp", at_psp)] {
        for (shard, id) in ids {
            if !shard.has_payment(id).await? {
                findings.push(Finding::broken(invariant, format!("{id}: {where_}, and no such payment")));
            }
        }
    }
    Ok(findings)
}

/// Outboxes with events that wait too long.
pub async fn outboxes(shards: &[&ShardDatabase], clock: &Clock) -> Result<Vec<Finding>, LookError> {
    let mut findings = Vec::new();
    for shard in shards {
        for look in 0..LOOKS {
            let oldest = shard.snapshot().await?.oldest_unpublished().await?;
            let Some(oldest) = oldest.filter(|oldest| *oldest < stuck_before(clock)) else { break };
            if look + 1 == LOOKS {
                let text = format!("shard {}: an event waits since {oldest}", shard.id);
                findings.push(Finding::broken(StuckOutbox, text));
            } else {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(findings)
}

/// Consumer groups that leave events waiting.
pub async fn consumers(log: &dyn EventReader, clock: &Clock) -> Result<Vec<Finding>, LookError> {
    let mut findings = Vec::new();
    for consumer in Consumer::ALL {
        for topic in consumer.topics() {
            for progress in log.progress(consumer.name(), topic.name()).await? {
                if progress.lag() > 0 {
                    findings.push(lag(log, clock, consumer, topic.name(), progress).await?);
                }
            }
        }
    }
    Ok(findings)
}

async fn lag(
    log: &dyn EventReader,
    clock: &Clock,
    consumer: Consumer,
    topic: &'static str,
    first: GroupProgress,
) -> Result<Finding, LookError> {
    let GroupProgress { partition, committed, .. } = first;
    let text = format!("{} has {} events of {topic}/{partition} before it", consumer.name(), first.lag());
    for look in 0..LOOKS {
        let next = log.read(topic, partition, committed, 1).await?;
        let is_old = next.first().is_some_and(|next| Timestamp(next.record.time_ms) < stuck_before(clock));
        let now = log.progress(consumer.name(), topic).await?;
        let has_moved = now.iter().any(|now| now.partition == partition && now.committed != committed);
        if !is_old || has_moved {
            return Ok(Finding::in_flight(StuckConsumers, text));
        }
        if look + 1 < LOOKS {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(Finding::broken(StuckConsumers, text))
}
