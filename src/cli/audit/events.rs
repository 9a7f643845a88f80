//! What must hold of events: every change told once, in order, or waiting in the outbox.
//!
//! The log is read after the shards, so it may hold more than they knew: records behind the end that was noted before
//! the shards were read are of changes that the shards must know; records after it are counted apart unless the outbox
//! has them. Nothing prunes the log, so every event that ever was must be in it: once in a log that sees to that
//! itself, else once or more often, in the order of first arrivals.
//!
//! Memory: 48 bytes for each payment, 32 for each event in the outbox (kept for `outbox.kept_ms`), and 24 for each
//! event of one partition number while it is sorted: about 0.6 GB for 5 million payments of five events each.

use std::collections::{BTreeMap, HashSet};

use super::report::Invariant::{EventsComplete, EventsKnown, EventsOrdered, EventsPublished, EventsUnique};
use super::report::{Finding, of};
use crate::domain::event::{Consumer, Topic, topics};
use crate::domain::payment::{Payment, PaymentStatus};
use crate::domain::refund::RefundStatus;
use crate::domain::request::Task;
use crate::domain::{EventId, PaymentId};
use crate::infra::database::audit::{Dossier, OutboxFact};
use crate::infra::event_log::{EventLogError, EventReader};

const PAGE: usize = 2_000;
const KINDS: usize = Topic::ALL.len();

/// What log and outbox have of one payment, by topic.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventFacts {
    /// Events that the shard knew when it was read.
    sure: [u16; KINDS],
    /// Events of which it may not have known.
    later: [u16; KINDS],
    /// Of `sure`, those that wait in the outbox.
    waiting: u16,
    /// Captures and refunds that the ledger group has behind it.
    pub captures_behind: u16,
    pub refunds_behind: u16,
}

/// Ends and committed offsets, noted before the shards are read.
#[derive(Debug)]
pub struct Marks {
    /// By topic and partition.
    ends: BTreeMap<(&'static str, u32), i64>,
    ledger: BTreeMap<(&'static str, u32), i64>,
}

impl Marks {
    pub async fn note(log: &dyn EventReader) -> Result<Self, EventLogError> {
        let (mut ends, mut ledger) = (BTreeMap::new(), BTreeMap::new());
        for (topic, _) in topics() {
            // Both come from one query.
            for progress in log.progress(Consumer::Ledger.name(), topic).await? {
                ends.insert((topic, progress.partition), progress.end);
                ledger.insert((topic, progress.partition), progress.committed);
            }
        }
        Ok(Self { ends, ledger })
    }
}

/// The outboxes as the shards had them.
#[derive(Debug, Default)]
pub struct Outbox(Vec<Waiting>);

#[derive(Debug)]
struct Waiting {
    event_id: i64,
    payment_id: i64,
    seq: i64,
    /// None for a dead letter.
    kind: Option<u8>,
    is_published: bool,
    is_in_log: bool,
}

impl Outbox {
    pub fn add(&mut self, row: OutboxFact) {
        self.0.push(Waiting {
            event_id: row.event_id,
            payment_id: row.payment_id,
            seq: row.seq,
            kind: Topic::parse(&row.topic).map(|topic| topic as u8),
            is_published: row.published_at.is_some(),
            is_in_log: false,
        });
    }

    fn find(&mut self, event_id: i64) -> Option<&mut Waiting> {
        let at = self.0.binary_search_by_key(&event_id, |row| row.event_id).ok()?;
        self.0.get_mut(at)
    }
}

/// One record of the log.
#[derive(Debug, Clone, Copy)]
struct ToldEvents {
    payment_id: i64,
    event_id: i64,
    kind: u8,
    is_sure: bool,
    /// Whether the ledger group has it behind it.
    is_behind: bool,
}

/// What the log and the outboxes hold, payment by payment.
#[derive(Debug)]
pub struct Events {
    facts: Vec<(i64, EventFacts)>,
    next: usize,
    pub findings: Vec<Finding>,
    /// Dead letters that wait in the outbox.
    pub unknown: Vec<PaymentId>,
}

impl Events {
    /// Reads the whole log.
    pub async fn read(log: &dyn EventReader, marks: &Marks, mut outbox: Outbox) -> Result<Self, EventLogError> {
        let mut events = Self { facts: Vec::new(), next: 0, findings: Vec::new(), unknown: Vec::new() };
        outbox_order(&mut outbox, &mut events.findings);
        outbox.0.sort_unstable_by_key(|row| row.event_id);
        let partitions = topics().map(|(_, partitions)| partitions).max().unwrap_or_default();
        for partition in 0..partitions {
            // One payment's events share their partition's number over all topics.
            let mut told = Vec::new();
            for (topic, count) in topics().filter(|(_, count)| partition < *count) {
                if partition < log.partitions(topic)?.min(count) {
                    events.read_partition(log, marks, &mut outbox, (topic, partition), &mut told).await?;
                }
            }
            if !log.holds_each_record_once() {
                // Consumers go by the first arrival, in their order.
                let mut arrived = HashSet::new();
                told.retain(|told: &ToldEvents| arrived.insert(told.event_id));
            }
            events.fold(told);
        }
        events.settle_outbox(outbox);
        Ok(events)
    }

    async fn read_partition(
        &mut self,
        log: &dyn EventReader,
        marks: &Marks,
        outbox: &mut Outbox,
        place: (&'static str, u32),
        told: &mut Vec<ToldEvents>,
    ) -> Result<(), EventLogError> {
        let kind = Topic::parse(place.0).map(|topic| topic as u8);
        let end = marks.ends.get(&place).copied().unwrap_or_default();
        let committed = marks.ledger.get(&place).copied().unwrap_or_default();
        let mut from = 0;
        loop {
            let page = log.read(place.0, place.1, from, PAGE).await?;
            let Some(last) = page.last() else { break };
            from = last.offset + 1;
            for delivery in &page {
                let record = &delivery.record;
                let Ok(event_id) = record.id.parse::<EventId>() else {
                    let text = format!("{} {}/{}: {}", place.0, place.1, delivery.offset, record.id);
                    self.findings.push(Finding::broken(EventsKnown, text));
                    continue;
                };
                let row = outbox.find(event_id.get());
                let is_sure = delivery.offset < end || row.is_some();
                if let Some(row) = row {
                    row.is_in_log = true;
                }
                // A dead letter may be about something whose key is no payment's.
                let Some(kind) = kind else { continue };
                match record.key.parse::<PaymentId>() {
                    Ok(payment_id) => told.push(ToldEvents {
                        payment_id: payment_id.get(),
                        event_id: event_id.get(),
                        kind,
                        is_sure,
                        is_behind: delivery.offset < committed,
                    }),
                    Err(_) => {
                        let text = format!("{event_id} in {} is of {}", place.0, record.key);
                        self.findings.push(Finding::broken(EventsKnown, text));
                    }
                }
            }
        }
        Ok(())
    }

    /// Sums up what one partition's topics told. Within a topic, `told` is in the log's order.
    fn fold(&mut self, mut told: Vec<ToldEvents>) {
        told.sort_by_key(|told| (told.payment_id, told.kind));
        for of_payment in told.chunk_by_mut(|a, b| a.payment_id == b.payment_id) {
            let payment_id = PaymentId::from_stored(of_payment[0].payment_id);
            for of_topic in of_payment.chunk_by(|a, b| a.kind == b.kind) {
                if let Some(pair) = of_topic.windows(2).find(|pair| pair[0].event_id > pair[1].event_id) {
                    let [later, earlier] = [pair[0], pair[1]].map(|told| EventId::from_stored(told.event_id));
                    let text = of(payment_id, format!("{earlier} is behind {later} in the log"));
                    self.findings.push(Finding::broken(EventsOrdered, text));
                }
            }
            let mut facts = EventFacts::default();
            for told in of_payment.iter() {
                let count = if told.is_sure { &mut facts.sure } else { &mut facts.later };
                increment(&mut count[usize::from(told.kind)]);
                if told.is_behind && told.kind == Topic::Captured as u8 {
                    increment(&mut facts.captures_behind);
                }
                if told.is_behind && told.kind == Topic::Refunded as u8 {
                    increment(&mut facts.refunds_behind);
                }
            }
            of_payment.sort_unstable_by_key(|told| told.event_id);
            for pair in of_payment.windows(2).filter(|pair| pair[0].event_id == pair[1].event_id) {
                let text = of(payment_id, format!("{} is in the log twice", EventId::from_stored(pair[0].event_id)));
                self.findings.push(Finding::broken(EventsUnique, text));
                // One of the two is one too many; it is said here and not again as a change told twice.
                let count = if pair[1].is_sure { &mut facts.sure } else { &mut facts.later };
                let count = &mut count[usize::from(pair[1].kind)];
                *count = count.saturating_sub(1);
            }
            self.facts.push((payment_id.get(), facts));
        }
    }

    /// Takes in what is in the outboxes and not in the log.
    fn settle_outbox(&mut self, outbox: Outbox) {
        let mut waiting: BTreeMap<i64, EventFacts> = BTreeMap::new();
        for row in outbox.0.iter().filter(|row| !row.is_in_log) {
            let event_id = EventId::from_stored(row.event_id);
            let payment_id = PaymentId::from_stored(row.payment_id);
            if row.is_published {
                let text = of(payment_id, format!("{event_id} is marked as published and not in the log"));
                self.findings.push(Finding::broken(EventsPublished, text));
            }
            // What was said to be published counts as told, so that one loss is one finding.
            if let Some(kind) = row.kind {
                let facts = waiting.entry(row.payment_id).or_default();
                increment(&mut facts.sure[usize::from(kind)]);
                facts.waiting += u16::from(!row.is_published);
            } else if !row.is_published {
                let text = of(payment_id, format!("dead letter {event_id} waits in the outbox"));
                self.findings.push(Finding::in_flight(EventsComplete, text));
            }
        }
        self.facts.extend(waiting);
        self.facts.sort_unstable_by_key(|(payment_id, _)| *payment_id);
        self.facts.dedup_by(|from, into| {
            let is_same = from.0 == into.0;
            if is_same {
                into.1.add(&from.1);
            }
            is_same
        });
        self.facts.shrink_to_fit();
    }

    /// What is told of the payment. Payments must be asked for in the order of their ids; those that are skipped are
    /// noted as unknown.
    pub fn of(&mut self, id: PaymentId) -> EventFacts {
        while let Some((found, facts)) = self.facts.get(self.next).filter(|(found, _)| *found <= id.get()) {
            self.next += 1;
            if *found == id.get() {
                return *facts;
            }
            self.unknown.push(PaymentId::from_stored(*found));
        }
        EventFacts::default()
    }

    /// Notes the rest as unknown.
    pub fn finish(&mut self) {
        let rest = self.facts.get(self.next..).unwrap_or_default();
        self.unknown.extend(rest.iter().map(|(id, _)| PaymentId::from_stored(*id)));
        self.next = self.facts.len();
    }

    /// Holds what is told of a payment against what it says of itself.
    pub fn judge(dossier: &Dossier, facts: &EventFacts) -> Vec<Finding> {
        let payment = &dossier.payment;
        let mut findings = Vec::new();
        for topic in Topic::ALL {
            let (least, most) = expected(dossier, topic);
            let sure = usize::from(facts.sure[topic as usize]);
            let all = sure + usize::from(facts.later[topic as usize]);
            if sure > most || all < least {
                let text = format!("{} is told {all} times of {least} as {}", topic.name(), payment.status.name());
                findings.push(Finding::broken(EventsComplete, of(payment.id, text)));
            }
        }
        if facts.waiting > 0 {
            let text = format!("{} events wait in the outbox", facts.waiting);
            findings.push(Finding::in_flight(EventsComplete, of(payment.id, text)));
        }
        findings
    }
}

impl EventFacts {
    fn add(&mut self, other: &Self) {
        for kind in 0..KINDS {
            self.sure[kind] = self.sure[kind].saturating_add(other.sure[kind]);
            self.later[kind] = self.later[kind].saturating_add(other.later[kind]);
        }
        self.waiting = self.waiting.saturating_add(other.waiting);
        self.captures_behind = self.captures_behind.saturating_add(other.captures_behind);
        self.refunds_behind = self.refunds_behind.saturating_add(other.refunds_behind);
    }
}

fn increment(count: &mut u16) {
    *count = count.saturating_add(1);
}

/// An outbox is published in the order of its places, so one payment's ids must rise with them.
fn outbox_order(outbox: &mut Outbox, findings: &mut Vec<Finding>) {
    outbox.0.sort_unstable_by_key(|row| (row.payment_id, row.seq));
    for pair in outbox.0.windows(2).filter(|pair| pair[0].payment_id == pair[1].payment_id) {
        if pair[0].event_id >= pair[1].event_id {
            let [later, earlier] = [&pair[0], &pair[1]].map(|row| EventId::from_stored(row.event_id));
            let text =
                of(PaymentId::from_stored(pair[0].payment_id), format!("{earlier} is behind {later} in the outbox"));
            findings.push(Finding::broken(EventsOrdered, text));
        }
    }
}

/// How often a payment's changes must have been told in a topic, at least and at most.
fn expected(dossier: &Dossier, topic: Topic) -> (usize, usize) {
    use PaymentStatus::*;
    let payment: &Payment = &dossier.payment;
    let status = payment.status;
    let refunds = |wanted| dossier.refunds.iter().filter(|refund| refund.status == wanted).count();
    // All captures but the last have failed; that one too, unless it was made or is under way.
    let captures = dossier.settlements.iter().filter(|request| matches!(request.task, Task::Capture(_))).count();
    let failed_captures = match status {
        CaptureFailed | Voided => captures,
        _ => captures.saturating_sub(1),
    };
    let exactly = |count: usize| (count, count);
    match topic {
        Topic::Authorized => exactly(usize::from(!matches!(status, Authorizing | Unknown | Declined | Failed))),
        Topic::CaptureRequested => exactly(captures),
        Topic::Captured => exactly(usize::from(payment.captured > 0)),
        Topic::RefundRequested => exactly(dossier.refunds.len()),
        Topic::Refunded => exactly(refunds(RefundStatus::Refunded)),
        Topic::Voided => exactly(usize::from(matches!(status, Voided | Expired))),
        // An authorization that was released because the breaker had opened is not told of.
        Topic::Failed if payment.is_not_sent() => (0, 1),
        Topic::Failed => exactly(usize::from(status == Declined) + failed_captures + refunds(RefundStatus::Failed)),
    }
}
