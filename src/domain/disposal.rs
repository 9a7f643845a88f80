//! The decisions about dead letters: when one is kept, what a redrive does, and what is put away.

use super::dead_letter::{Action, DeadLetterKind, Disposal, LetterStatus, Operator, StoredDeadLetter};
use super::event::{Event, json, known_topic};
use super::id::{EventId, LetterId, PaymentId};
use super::policy::Policy;
use super::request::{PspRequest, RequestStatus, Task};
use super::shard_map::Bucket;
use super::time::Timestamp;
use super::trace::TraceContext;
use super::unit_of_work::UnitOfWork;

/// Whether a request's letter can be redriven: not after the merchant was told that it failed.
fn disposal_of(request: &PspRequest) -> Disposal {
    match (request.status, request.task) {
        (RequestStatus::Pending, _) => Disposal::Due,
        (RequestStatus::Done, _) => Disposal::DoneMeanwhile,
        // The payment is voided or expired already; what failed is the release at the PSP, which no merchant was told
        // of.
        (RequestStatus::Failed, Task::Void) => Disposal::Due,
        (RequestStatus::Failed, Task::Capture(_) | Task::Refund(_)) => Disposal::ToldAsFailed,
    }
}

impl UnitOfWork<'_> {
    /// Keeps a letter, and publishes it unless it stands open for the same cause already. `about` is the payment, or
    /// any id of the shard.
    pub fn bury(&mut self, mut kept: StoredDeadLetter, about: PaymentId, trace: TraceContext) {
        let before = self.letters.get(&kept.letter.id);
        let is_known = before.is_some_and(|before| {
            before.status == LetterStatus::Open && before.letter.error_type == kept.letter.error_type
        });
        if let Some(before) = before {
            kept.letter.first_failed_at = before.letter.first_failed_at;
            kept.letter.retry_count = kept.letter.retry_count.saturating_add(before.letter.retry_count);
            (kept.redrives, kept.version) = (before.redrives, before.version);
            if before.status == LetterStatus::Discarded {
                (kept.status, kept.note) = (LetterStatus::Discarded, before.note.clone());
            }
        }
        let is_open = kept.status == LetterStatus::Open;
        kept.due_at = if is_open { self.due_again(&kept) } else { None };
        if is_open && !is_known {
            self.events.push(Event {
                id: self.ids.next(self.now, about.bucket()),
                payment_id: about,
                topic: kept.letter.topic.name(),
                occurred_at: self.now,
                trace,
                payload: json(&kept.letter),
            });
        }
        self.letters.put(kept.letter.id, kept);
    }

    /// When an open letter is redriven by itself: events, up to so many times. Requests are tried on by the retrier as
    /// long as there is hope.
    fn due_again(&self, kept: &StoredDeadLetter) -> Option<Timestamp> {
        let Policy { redrive_every, redrives_max, .. } = *self.policy;
        let is_event = matches!(kept.matter, DeadLetterKind::Event { .. });
        (is_event && kept.redrives < redrives_max).then(|| self.now.after(redrive_every))
    }

    /// Redrives a letter, or says why not; as a `trial` it only says. None if there is no such letter.
    pub fn redrive(&mut self, id: LetterId, is_trial: bool, operator: Option<&Operator>) -> Option<Disposal> {
        let mut kept = self.letters.get(&id)?.clone();
        let disposal = self.redrivable(&kept);
        if is_trial || !disposal.is_change() {
            return Some(disposal);
        }
        kept.due_at = (disposal == Disposal::Redelivered).then_some(self.now);
        if disposal == Disposal::Due {
            self.make_due(id.event());
        }
        kept.status = LetterStatus::Redriven;
        kept.redrives = kept.redrives.saturating_add(1);
        self.letters.put(id, kept);
        self.note(operator, "dead_letter.redrive", id.bucket(), &id.to_string(), disposal.name());
        Some(disposal)
    }

    /// Takes note that what a letter is about was applied after all.
    pub fn applied(&mut self, id: LetterId) {
        if let Some(kept) = self.letters.get(&id).filter(|kept| kept.status == LetterStatus::Redriven).cloned() {
            self.letters.put(id, StoredDeadLetter { due_at: None, ..kept });
        }
    }

    fn redrivable(&self, kept: &StoredDeadLetter) -> Disposal {
        match kept.status {
            LetterStatus::Open => {}
            LetterStatus::Redriven => return Disposal::AlreadyRedriven,
            LetterStatus::Discarded => return Disposal::AlreadyDiscarded,
        }
        let id = kept.letter.id.event();
        match kept.matter {
            DeadLetterKind::Foreign => Disposal::NotAnEvent,
            DeadLetterKind::Event { .. } if known_topic(&kept.letter.source.topic).is_none() => Disposal::NotAnEvent,
            DeadLetterKind::Event { .. } if kept.payment_id().is_none() => Disposal::NotAnEvent,
            DeadLetterKind::Event { .. } => Disposal::Redelivered,
            DeadLetterKind::Request => {
                let request = self.settlements.get(&id).or_else(|| self.refund_requests.get(&id));
                request.map_or(Disposal::NothingLeft, disposal_of)
            }
        }
    }

    /// Makes a request due now, also one whose tries were used up.
    fn make_due(&mut self, id: EventId) {
        let now = self.now;
        let due = |request: &PspRequest| PspRequest {
            status: RequestStatus::Pending,
            attempts: if request.status == RequestStatus::Failed { 0 } else { request.attempts },
            due_at: Some(now),
            updated_at: now,
            ..request.clone()
        };
        if let Some(request) = self.settlements.get(&id).map(due) {
            self.settlements.put(id, request);
        } else if let Some(request) = self.refund_requests.get(&id).map(due) {
            self.refund_requests.put(id, request);
        }
    }

    /// Puts a letter away; as a `trial` it only says what it would do. None if there is no such letter.
    pub fn discard(&mut self, id: LetterId, reason: &str, is_trial: bool, operator: &Operator) -> Option<Disposal> {
        let mut kept = self.letters.get(&id)?.clone();
        if kept.status == LetterStatus::Discarded {
            return Some(Disposal::AlreadyDiscarded);
        }
        if !is_trial {
            kept.status = LetterStatus::Discarded;
            kept.note = Some(reason.to_owned());
            kept.due_at = None;
            self.letters.put(id, kept);
            self.note(Some(operator), "dead_letter.discard", id.bucket(), &id.to_string(), reason);
        }
        Some(Disposal::Discarded)
    }

    /// Writes what an operator did into the trail; what the schedule did is on the letter.
    pub(super) fn note(
        &mut self,
        operator: Option<&Operator>,
        kind: &'static str,
        bucket: Bucket,
        target: &str,
        detail: &str,
    ) {
        let Some(Operator { name, request_id }) = operator.cloned() else { return };
        let id = self.ids.next(self.now, bucket);
        let (target, detail) = (target.to_owned(), detail.to_owned());
        self.actions.push(Action { id, at: self.now, operator: name, kind, target, detail, request_id });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::IdGenerator;
    use crate::domain::dead_letter::{DeadLetter, Source};
    use crate::domain::event::DeadLetterTopic;
    use crate::domain::testing::{TRACE, krw};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const ID: i64 = 77;

    fn kept(matter: DeadLetterKind, error_type: &str) -> StoredDeadLetter {
        let letter = DeadLetter {
            id: LetterId::from_stored(ID),
            topic: DeadLetterTopic::Payment,
            source: Source {
                topic: "payment.captured".into(),
                partition: Some(3),
                offset: Some(9),
                key: PaymentId::from_stored(5).to_string(),
            },
            payload: "{}".into(),
            error_type: error_type.into(),
            error_message: "no".into(),
            retry_count: 1,
            first_failed_at: NOW,
            last_failed_at: NOW,
            trace_id: None,
        };
        StoredDeadLetter::new(letter, matter)
    }

    fn event() -> DeadLetterKind {
        DeadLetterKind::Event { occurred_at: NOW, trace: TRACE }
    }

    fn operator() -> Operator {
        Operator { name: "kim".into(), request_id: "req_1".into() }
    }

    fn with_book<T>(policy: Policy, tell: impl FnOnce(&mut UnitOfWork<'_>) -> T) -> T {
        let mut ids = IdGenerator::new(0);
        tell(&mut UnitOfWork::new(NOW, &policy, &mut ids))
    }

    fn bury(book: &mut UnitOfWork<'_>, kept: StoredDeadLetter) {
        book.bury(kept, PaymentId::from_stored(5), TRACE);
    }

    fn request(task: Task, status: RequestStatus) -> PspRequest {
        PspRequest {
            id: EventId::from_stored(ID),
            payment_id: PaymentId::from_stored(5),
            task,
            money: krw(100),
            status,
            attempts: 10,
            unsure: true,
            due_at: None,
            last_error: None,
            trace: TRACE,
            created_at: NOW,
            updated_at: NOW,
            version: 1,
        }
    }

    #[test]
    fn the_same_failure_twice_is_one_letter_and_one_event() {
        with_book(Policy::default(), |book| {
            bury(book, kept(event(), "unbookable"));
            bury(book, kept(event(), "unbookable"));
            let letter = book.letters.get(&LetterId::from_stored(ID)).unwrap();
            assert_eq!((letter.letter.retry_count, book.events.len()), (2, 1));
            bury(book, kept(event(), "refused"));
            assert_eq!(book.events.len(), 2, "another cause is news");
        });
    }

    #[test]
    fn redriving_twice_has_one_effect_and_a_trail_of_one() {
        with_book(Policy::default(), |book| {
            bury(book, kept(event(), "unbookable"));
            let id = LetterId::from_stored(ID);
            let operator = operator();
            assert_eq!(book.redrive(id, true, Some(&operator)), Some(Disposal::Redelivered));
            assert_eq!(
                book.letters.get(&id).unwrap().redrives + book.actions.len() as u32,
                0,
                "a dry run does nothing"
            );
            assert_eq!(book.redrive(id, false, Some(&operator)), Some(Disposal::Redelivered));
            assert_eq!(book.redrive(id, false, Some(&operator)), Some(Disposal::AlreadyRedriven));
            let letter = book.letters.get(&id).unwrap();
            assert_eq!((letter.redrives, letter.due_at, book.actions.len()), (1, Some(NOW), 1));
            // In vain: it is open again, and counts on.
            bury(book, kept(event(), "unbookable"));
            let letter = book.letters.get(&id).unwrap();
            assert_eq!((letter.status, letter.redrives), (LetterStatus::Open, 1));
            // With the cause mended, it is closed.
            book.redrive(id, false, Some(&operator));
            book.applied(id);
            let letter = book.letters.get(&id).unwrap();
            assert_eq!((letter.status, letter.due_at), (LetterStatus::Redriven, None));
        });
    }

    #[test]
    fn the_schedule_redrives_events_and_gives_up_at_its_limit() {
        let policy = Policy { redrives_max: 2, ..Policy::default() };
        let every = policy.redrive_every;
        with_book(policy, |book| {
            let id = LetterId::from_stored(ID);
            for _ in 0..2 {
                bury(book, kept(event(), "unbookable"));
                assert_eq!(book.letters.get(&id).unwrap().due_at, Some(NOW.after(every)));
                assert_eq!(book.redrive(id, false, None), Some(Disposal::Redelivered));
                assert_eq!(book.letters.get(&id).unwrap().due_at, Some(NOW));
            }
            bury(book, kept(event(), "unbookable"));
            assert_eq!(book.letters.get(&id).unwrap().due_at, None);
            assert_eq!(book.actions.len(), 0, "the trail is of people");
        });
    }

    #[test]
    fn what_a_redrive_of_owed_work_does() {
        use RequestStatus::{Done, Failed, Pending};
        let refund = Task::Refund(crate::domain::RefundId::from_stored(1));
        for (task, status, disposal) in [
            (Task::Capture(1), Pending, Disposal::Due),
            (Task::Capture(1), Done, Disposal::DoneMeanwhile),
            (Task::Capture(1), Failed, Disposal::ToldAsFailed),
            (refund, Pending, Disposal::Due),
            (refund, Failed, Disposal::ToldAsFailed),
            (Task::Void, Failed, Disposal::Due),
        ] {
            with_book(Policy::default(), |book| {
                bury(book, kept(DeadLetterKind::Request, "retries"));
                let id = EventId::from_stored(ID);
                let shelf = if task == refund { &mut book.refund_requests } else { &mut book.settlements };
                shelf.load(id, request(task, status));
                assert_eq!(book.redrive(LetterId::of(id), false, None), Some(disposal), "{task:?} {status:?}");
                let shelf = if task == refund { &book.refund_requests } else { &book.settlements };
                let after = shelf.get(&id).unwrap();
                let is_due = after.status == Pending && after.due_at == Some(NOW);
                assert_eq!(is_due, disposal == Disposal::Due, "{task:?} {status:?}");
                let letter = book.letters.get(&LetterId::of(id)).unwrap();
                assert_eq!(letter.status == LetterStatus::Redriven, disposal.is_change());
            });
        }
    }

    #[test]
    fn what_is_discarded_stays_so() {
        with_book(Policy::default(), |book| {
            let id = LetterId::from_stored(ID);
            bury(book, kept(event(), "unbookable"));
            assert_eq!(book.discard(id, "known junk", true, &operator()), Some(Disposal::Discarded));
            assert_eq!(book.letters.get(&id).unwrap().status, LetterStatus::Open, "a dry run does nothing");
            assert_eq!(book.discard(id, "known junk", false, &operator()), Some(Disposal::Discarded));
            assert_eq!(book.discard(id, "known junk", false, &operator()), Some(Disposal::AlreadyDiscarded));
            assert_eq!(book.redrive(id, false, None), Some(Disposal::AlreadyDiscarded));
            bury(book, kept(event(), "unbookable"));
            let letter = book.letters.get(&id).unwrap();
            assert_eq!((letter.status, letter.note.as_deref()), (LetterStatus::Discarded, Some("known junk")));
            assert_eq!((letter.due_at, book.actions.len()), (None, 1));
        });
    }

    #[test]
    fn a_foreign_record_is_one_letter_wherever_it_is_read_and_nobodys_event() {
        let id = LetterId::of_record("payment.captured", 4, 17);
        assert_eq!(id, LetterId::of_record("payment.captured", 4, 17));
        assert_ne!(id, LetterId::of_record("payment.captured", 4, 18));
        assert_eq!(id.bucket(), Bucket::wrapping(4));
        assert_eq!(id.to_string().parse(), Ok(id));
        with_book(Policy::default(), |book| {
            bury(book, kept(DeadLetterKind::Foreign, "event_id_invalid"));
            let id = LetterId::from_stored(ID);
            assert_eq!(book.letters.get(&id).unwrap().due_at, None);
            assert_eq!(book.redrive(id, false, None), Some(Disposal::NotAnEvent));
            assert_eq!(book.redrive(LetterId::from_stored(1), false, None), None);
        });
    }
}
