//! Book an event in the ledger: once, and only one that the shard's own rows say it told.

use crate::domain::command::{Command, key_of};
use crate::domain::event::{Consumer, EventData, Topic};
use crate::domain::id::{EntryId, EventId};
use crate::domain::ledger::{self, Unbookable};
use crate::domain::money::AmountOverflow;
use crate::domain::refund::RefundStatus;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Why an event could not be booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostingError {
    #[error(transparent)]
    Unbookable(#[from] Unbookable),
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
}

/// Book an event, once. The answer says whether it was booked now.
#[derive(Debug, Clone)]
pub struct PostLedgerEntry {
    pub event_id: EventId,
    pub topic: Topic,
    pub data: EventData,
    pub trace: TraceContext,
}

/// Book an event, going by rows that are read and not by those that this process has written last: of a capture or
/// refund that another process was told of, it may know only what was before.
#[derive(Debug, Clone)]
pub struct PostLedgerEntryAnew(pub PostLedgerEntry);

impl Command for PostLedgerEntry {
    type Answer = Result<bool, PostingError>;
    const KIND: &'static str = "post";
    const TRUSTS_RECENT: bool = true;

    fn key(&self) -> u128 {
        key_of(self.event_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.processed.insert((Consumer::Ledger, self.event_id));
        // The balances do not depend on the entry's id or time.
        if let Ok(entry) = ledger::entry(EntryId::from_stored(0), self.event_id, self.topic, &self.data, Timestamp(0)) {
            read_set.balances.extend(<[_; 2]>::from(entry.balances()));
        }
        // What bears the event out.
        read_set.payments.insert(self.data.payment_id);
        read_set.refunds.extend(self.data.refund_id);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Result<bool, PostingError> {
        let event = (Consumer::Ledger, self.event_id);
        let is_booked = unit.processed.get(&event).is_some();
        #[cfg(test)]
        let is_booked = is_booked && !crate::domain::planted::is_planted(crate::domain::planted::Bug::MissingDedupe);
        if is_booked {
            return Ok(false);
        }
        let id = unit.ids.next(unit.now, self.data.payment_id.bucket());
        let entry = ledger::entry(id, self.event_id, self.topic, &self.data, unit.now)?;
        if !self.is_borne_out(unit) {
            return Err(Unbookable::Unproven.into());
        }
        let (debit_key, credit_key) = entry.balances();
        let mut debited = unit.balances.get(&debit_key).copied().unwrap_or_default();
        let mut credited = unit.balances.get(&credit_key).copied().unwrap_or_default();
        debited.debit(entry.money.minor)?;
        credited.credit(entry.money.minor)?;
        unit.balances.put(debit_key, debited);
        unit.balances.put(credit_key, credited);
        unit.processed.put(event, unit.now);
        unit.entries.push(entry);
        Ok(true)
    }
}

impl Command for PostLedgerEntryAnew {
    type Answer = Result<bool, PostingError>;
    const KIND: &'static str = "post_anew";

    fn key(&self) -> u128 {
        self.0.key()
    }

    fn trace(&self) -> Option<TraceContext> {
        self.0.trace()
    }

    fn reads(&self, read_set: &mut ReadSet) {
        self.0.reads(read_set);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Result<bool, PostingError> {
        self.0.decide(unit)
    }
}

impl PostLedgerEntry {
    /// Whether the shard's own rows say that it told this event, of this amount of this merchant's payment or refund.
    /// What is in a topic anybody may have put there.
    fn is_borne_out(&self, unit: &UnitOfWork<'_>) -> bool {
        let Self { event_id, topic, data, .. } = self;
        let Some(payment) = unit.payments.get(&data.payment_id) else { return false };
        // Where it was told before its event was kept, the timeline has it.
        let is_told = |known: Option<EventId>| match known {
            Some(known) => known == *event_id,
            None => payment.timeline.has_event(topic.name(), *event_id),
        };
        let is_right = match (topic, data.refund_id) {
            (Topic::Captured, None) => payment.captured == data.amount && is_told(payment.captured_event),
            (Topic::Refunded, Some(refund_id)) => unit.refunds.get(&refund_id).is_some_and(|refund| {
                refund.payment_id == payment.id
                    && refund.status == RefundStatus::Refunded
                    && refund.money == payment.money(data.amount)
                    && is_told(refund.refunded_event)
            }),
            _ => false,
        };
        is_right && payment.currency == data.currency && payment.merchant_id == data.merchant_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::commands::{Change, ChangePayment, RecordPspAttempt};
    use crate::domain::policy::Policy;
    use crate::domain::request::PspRequest;
    use crate::domain::testing::{TRACE, approved, concluded, order};
    use crate::domain::timeline::Timeline;
    use crate::domain::{Currency, IdGenerator, PaymentId, RefundId};

    fn attempt(request: &PspRequest) -> RecordPspAttempt {
        RecordPspAttempt {
            request_id: request.id,
            payment_id: request.payment_id,
            task: request.task,
            verdict: approved(request.money.minor),
            was_looked_up: false,
            took_ms: 1,
            chance: 1,
            event: None,
            trace: TRACE,
        }
    }

    /// Has a payment captured, and refunded twice by as much.
    fn trade(unit: &mut UnitOfWork<'_>, id: i64) {
        let order = order(id, 100);
        let payment_id = order.payment_id;
        order.decide(unit);
        let conclusion = concluded(&order, approved(100));
        conclusion.decide(unit).unwrap();
        let refund = Change::Refund { amount: Some(30), reason: None };
        for change in [Change::Capture { amount: Some(80) }, refund.clone(), refund] {
            let merchant_id = order.merchant_id.clone();
            let change = ChangePayment {
                payment_id,
                merchant_id,
                change,
                keyed_request: None,
                request_id: "r".into(),
                trace: TRACE,
            };
            change.decide(unit);
            let owed = unit.settlements.written_rows().chain(unit.refund_requests.written_rows());
            let owed: Vec<_> = owed.filter(|(_, owed)| owed.due_at.is_some()).map(|(_, owed)| attempt(owed)).collect();
            owed.iter().for_each(|owed| drop(owed.decide(unit).unwrap()));
        }
    }

    fn postings(unit: &UnitOfWork<'_>) -> Vec<PostLedgerEntry> {
        let told = unit.events.iter().filter_map(|event| {
            let topic = Topic::parse(event.topic).filter(|topic| Consumer::Ledger.topics().contains(topic))?;
            let data: EventData = serde_json::from_str(&event.payload).unwrap();
            Some(PostLedgerEntry { event_id: event.id, topic, data, trace: TRACE })
        });
        told.collect()
    }

    const UNPROVEN: Result<bool, PostingError> = Err(PostingError::Unbookable(Unbookable::Unproven));

    #[test]
    fn event_is_posted_once_and_only_if_the_shard_told_it() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        trade(&mut unit, 1);
        trade(&mut unit, 2);
        let told = postings(&unit);
        assert_eq!(told.len(), 6);
        for posting in &told {
            let other = told.iter().find(|other| other.event_id != posting.event_id).unwrap();
            let forge = |change: &dyn Fn(&mut PostLedgerEntry)| {
                let mut forged = posting.clone();
                change(&mut forged);
                forged
            };
            let forged = [
                forge(&|forged| forged.event_id = EventId::from_stored(posting.event_id.get() + 1)),
                forge(&|forged| forged.event_id = other.event_id),
                forge(&|forged| forged.data.amount += 1),
                forge(&|forged| forged.data.currency = Currency::stored("USD").unwrap()),
                forge(&|forged| forged.data.merchant_id = "MERCHANT-9".into()),
                forge(&|forged| forged.data.payment_id = PaymentId::from_stored(3)),
                forge(&|forged| forged.data.payment_id = PaymentId::from_stored(3 - posting.data.payment_id.get())),
                forge(&|forged| forged.data.refund_id = Some(RefundId::from_stored(9))),
                forge(&|forged| {
                    let is_capture = forged.topic == Topic::Captured;
                    forged.topic = if is_capture { Topic::Refunded } else { Topic::Captured };
                }),
            ];
            for forged in forged {
                assert_eq!(forged.decide(&mut unit), UNPROVEN, "{forged:?}");
            }
        }
        assert!(unit.entries.is_empty());
        for posting in told.iter().chain(&told) {
            let before = unit.entries.len();
            let is_new = posting.decide(&mut unit).unwrap();
            assert_eq!(unit.entries.len() - before, usize::from(is_new));
        }
        assert_eq!(unit.entries.len(), 6);
    }

    #[test]
    fn refund_does_not_prove_another_refund_of_the_same_amount() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        trade(&mut unit, 1);
        let told = postings(&unit);
        let swapped = PostLedgerEntry { event_id: told[1].event_id, ..told[2].clone() };
        assert_eq!(swapped.decide(&mut unit), UNPROVEN);
    }

    #[test]
    fn event_without_kept_id_is_proven_by_the_timeline() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        trade(&mut unit, 1);
        let told = postings(&unit);
        let id = PaymentId::from_stored(1);
        let mut payment = unit.payments.get(&id).unwrap().clone();
        payment.captured_event = None;
        unit.payments.put(id, payment.clone());
        let forged = PostLedgerEntry { event_id: EventId::from_stored(told[0].event_id.get() + 1), ..told[0].clone() };
        assert_eq!(forged.decide(&mut unit), UNPROVEN);
        assert_eq!(told[0].decide(&mut unit), Ok(true));
        payment.timeline = Timeline::default();
        unit.payments.put(id, payment);
        let again = PostLedgerEntry { event_id: told[1].event_id, ..told[1].clone() };
        assert_eq!(again.decide(&mut unit), Ok(true), "the refund's row has its event");
    }
}
