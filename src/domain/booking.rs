//! The decision whether the ledger books an event: once, and only one that the shard's own rows say it told.

use super::command::{PostLedgerEntry, PostingError};
use super::event::{Consumer, Topic};
use super::id::EventId;
use super::ledger::{self, Unbookable};
use super::refund::RefundStatus;
use super::unit_of_work::UnitOfWork;

impl UnitOfWork<'_> {
    /// Books an event, once. Returns whether it was booked now.
    pub fn post(&mut self, posting: &PostLedgerEntry) -> Result<bool, PostingError> {
        let event = (Consumer::Ledger, posting.event_id);
        let is_booked = self.processed.get(&event).is_some();
        #[cfg(test)]
        let is_booked = is_booked && !super::planted::is_planted(super::planted::Bug::MissingDedupe);
        if is_booked {
            return Ok(false);
        }
        let id = self.ids.next(self.now, posting.data.payment_id.bucket());
        let entry = ledger::entry(id, posting.event_id, posting.topic, &posting.data, self.now)?;
        if !self.bears_out(posting) {
            return Err(Unbookable::Unproven.into());
        }
        let (debit_key, credit_key) = entry.balances();
        let mut debited = self.balances.get(&debit_key).copied().unwrap_or_default();
        let mut credited = self.balances.get(&credit_key).copied().unwrap_or_default();
        debited.debit(entry.money.minor)?;
        credited.credit(entry.money.minor)?;
        self.balances.put(debit_key, debited);
        self.balances.put(credit_key, credited);
        self.processed.put(event, self.now);
        self.entries.push(entry);
        Ok(true)
    }

    /// Whether the shard's own rows say that it told this event, of this amount of this merchant's payment or refund.
    /// What is in a topic anybody may have put there.
    fn bears_out(&self, posting: &PostLedgerEntry) -> bool {
        let PostLedgerEntry { event_id, topic, data, .. } = posting;
        let Some(payment) = self.payments.get(&data.payment_id) else { return false };
        // Where it was told before its event was kept, the timeline has it.
        let is_told = |known: Option<EventId>| match known {
            Some(known) => known == *event_id,
            None => payment.timeline.has_event(topic.name(), *event_id),
        };
        let is_right = match (topic, data.refund_id) {
            (Topic::Captured, None) => payment.captured == data.amount && is_told(payment.captured_event),
            (Topic::Refunded, Some(refund_id)) => self.refunds.get(&refund_id).is_some_and(|refund| {
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
    use crate::domain::command::{Change, ChangePayment, RecordPspAttempt};
    use crate::domain::event::EventData;
    use crate::domain::policy::Policy;
    use crate::domain::request::PspRequest;
    use crate::domain::testing::{TRACE, approved, concluded, order};
    use crate::domain::timeline::Timeline;
    use crate::domain::{Currency, IdGenerator, PaymentId, RefundId, Timestamp};

    fn attempt(request: &PspRequest) -> RecordPspAttempt {
        RecordPspAttempt {
            request_id: request.id,
            payment_id: request.payment_id,
            task: request.task,
            verdict: approved(request.money.minor),
            took_ms: 1,
            chance: 1,
            event: None,
            trace: TRACE,
        }
    }

    /// Has a payment captured, and refunded twice by as much.
    fn trade(book: &mut UnitOfWork<'_>, id: i64) {
        let order = order(id, 100);
        let payment_id = order.payment_id;
        book.authorize(&order);
        let conclusion = concluded(&order, approved(100));
        book.conclude(&conclusion).unwrap();
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
            book.change(&change);
            let owed = book.settlements.written_rows().chain(book.refund_requests.written_rows());
            let owed: Vec<_> = owed.filter(|(_, owed)| owed.due_at.is_some()).map(|(_, owed)| attempt(owed)).collect();
            owed.iter().for_each(|owed| drop(book.attempt(owed).unwrap()));
        }
    }

    fn postings(book: &UnitOfWork<'_>) -> Vec<PostLedgerEntry> {
        let told = book.events.iter().filter_map(|event| {
            let topic = Topic::parse(event.topic).filter(|topic| Consumer::Ledger.topics().contains(topic))?;
            let data: EventData = serde_json::from_str(&event.payload).unwrap();
            Some(PostLedgerEntry { event_id: event.id, topic, data, trace: TRACE })
        });
        told.collect()
    }

    const UNPROVEN: Result<bool, PostingError> = Err(PostingError::Unbookable(Unbookable::Unproven));

    #[test]
    fn only_what_the_shard_has_told_is_booked_and_once() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        trade(&mut book, 1);
        trade(&mut book, 2);
        let told = postings(&book);
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
                assert_eq!(book.post(&forged), UNPROVEN, "{forged:?}");
            }
        }
        assert!(book.entries.is_empty());
        for posting in told.iter().chain(&told) {
            let before = book.entries.len();
            let is_new = book.post(posting).unwrap();
            assert_eq!(book.entries.len() - before, usize::from(is_new));
        }
        assert_eq!(book.entries.len(), 6);
    }

    #[test]
    fn a_refund_is_no_proof_of_another_one_of_the_same_amount() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        trade(&mut book, 1);
        let told = postings(&book);
        let swapped = PostLedgerEntry { event_id: told[1].event_id, ..told[2].clone() };
        assert_eq!(book.post(&swapped), UNPROVEN);
    }

    #[test]
    fn what_was_told_before_its_event_was_kept_is_proven_by_the_timeline() {
        let (policy, mut ids) = (Policy::default(), IdGenerator::new(0));
        let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        trade(&mut book, 1);
        let told = postings(&book);
        let id = PaymentId::from_stored(1);
        let mut payment = book.payments.get(&id).unwrap().clone();
        payment.captured_event = None;
        book.payments.put(id, payment.clone());
        let forged = PostLedgerEntry { event_id: EventId::from_stored(told[0].event_id.get() + 1), ..told[0].clone() };
        assert_eq!(book.post(&forged), UNPROVEN);
        assert_eq!(book.post(&told[0]), Ok(true));
        payment.timeline = Timeline::default();
        book.payments.put(id, payment);
        let again = PostLedgerEntry { event_id: told[1].event_id, ..told[1].clone() };
        assert_eq!(book.post(&again), Ok(true), "the refund's row has its event");
    }
}
