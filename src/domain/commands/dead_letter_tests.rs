//! What becomes of dead letters over several commands.

use super::{CloseDeadLetter, Discard, Redrive, StoreDeadLetter};
use crate::domain::IdGenerator;
use crate::domain::command::Command;
use crate::domain::dead_letter::{DeadLetter, Source};
use crate::domain::dead_letter::{DeadLetterKind, Disposal, LetterStatus, Operator, StoredDeadLetter};
use crate::domain::event::DeadLetterTopic;
use crate::domain::id::{EventId, LetterId, PaymentId};
use crate::domain::policy::Policy;
use crate::domain::request::{PspRequest, RequestStatus, Task};
use crate::domain::shard_map::Bucket;
use crate::domain::testing::{TRACE, krw};
use crate::domain::time::Timestamp;
use crate::domain::unit_of_work::UnitOfWork;

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

fn with_unit<T>(policy: Policy, tell: impl FnOnce(&mut UnitOfWork<'_>) -> T) -> T {
    let mut ids = IdGenerator::new(0);
    tell(&mut UnitOfWork::new(NOW, &policy, &mut ids))
}

fn store(unit: &mut UnitOfWork<'_>, letter: StoredDeadLetter) {
    StoreDeadLetter { letter, about: PaymentId::from_stored(5), trace: TRACE }.decide(unit);
}

fn redrive(unit: &mut UnitOfWork<'_>, letter_id: LetterId, operator: Option<&Operator>) -> Option<Disposal> {
    Redrive { letter_id, is_trial: false, operator: operator.cloned(), trace: TRACE }.decide(unit)
}

fn discard(unit: &mut UnitOfWork<'_>, letter_id: LetterId, is_trial: bool) -> Option<Disposal> {
    Discard { letter_id, reason: "known junk".into(), is_trial, operator: operator(), trace: TRACE }.decide(unit)
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
fn same_failure_twice_is_one_letter_and_one_event() {
    with_unit(Policy::default(), |unit| {
        store(unit, kept(event(), "unbookable"));
        store(unit, kept(event(), "unbookable"));
        let letter = unit.letters.get(&LetterId::from_stored(ID)).unwrap();
        assert_eq!((letter.letter.retry_count, unit.events.len()), (2, 1));
        store(unit, kept(event(), "refused"));
        assert_eq!(unit.events.len(), 2, "another cause is news");
    });
}

#[test]
fn letter_redriven_twice_has_one_effect_and_one_action() {
    with_unit(Policy::default(), |unit| {
        store(unit, kept(event(), "unbookable"));
        let id = LetterId::from_stored(ID);
        let operator = operator();
        let trial = Redrive { letter_id: id, is_trial: true, operator: Some(operator.clone()), trace: TRACE };
        assert_eq!(trial.decide(unit), Some(Disposal::Redelivered));
        assert_eq!(unit.letters.get(&id).unwrap().redrives + unit.actions.len() as u32, 0, "a dry run does nothing");
        assert_eq!(redrive(unit, id, Some(&operator)), Some(Disposal::Redelivered));
        assert_eq!(redrive(unit, id, Some(&operator)), Some(Disposal::AlreadyRedriven));
        let letter = unit.letters.get(&id).unwrap();
        assert_eq!((letter.redrives, letter.due_at, unit.actions.len()), (1, Some(NOW), 1));
        // In vain: it is open again, and counts on.
        store(unit, kept(event(), "unbookable"));
        let letter = unit.letters.get(&id).unwrap();
        assert_eq!((letter.status, letter.redrives), (LetterStatus::Open, 1));
        // With the cause mended, it is closed.
        redrive(unit, id, Some(&operator));
        CloseDeadLetter { letter_id: id, trace: TRACE }.decide(unit);
        let letter = unit.letters.get(&id).unwrap();
        assert_eq!((letter.status, letter.due_at), (LetterStatus::Redriven, None));
    });
}

#[test]
fn schedule_redrives_events_and_stops_at_its_limit() {
    let policy = Policy { redrives_max: 2, ..Policy::default() };
    let every = policy.redrive_every;
    with_unit(policy, |unit| {
        let id = LetterId::from_stored(ID);
        for _ in 0..2 {
            store(unit, kept(event(), "unbookable"));
            assert_eq!(unit.letters.get(&id).unwrap().due_at, Some(NOW.after(every)));
            assert_eq!(redrive(unit, id, None), Some(Disposal::Redelivered));
            assert_eq!(unit.letters.get(&id).unwrap().due_at, Some(NOW));
        }
        store(unit, kept(event(), "unbookable"));
        assert_eq!(unit.letters.get(&id).unwrap().due_at, None);
        assert_eq!(unit.actions.len(), 0, "the trail is of people");
    });
}

#[test]
fn redrive_of_request_makes_it_due_or_says_why_not() {
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
        with_unit(Policy::default(), |unit| {
            store(unit, kept(DeadLetterKind::Request, "retries"));
            let id = EventId::from_stored(ID);
            let requests = if task == refund { &mut unit.refund_requests } else { &mut unit.settlements };
            requests.load(id, request(task, status));
            assert_eq!(redrive(unit, LetterId::of(id), None), Some(disposal), "{task:?} {status:?}");
            let requests = if task == refund { &unit.refund_requests } else { &unit.settlements };
            let after = requests.get(&id).unwrap();
            let is_due = after.status == Pending && after.due_at == Some(NOW);
            assert_eq!(is_due, disposal == Disposal::Due, "{task:?} {status:?}");
            let letter = unit.letters.get(&LetterId::of(id)).unwrap();
            assert_eq!(letter.status == LetterStatus::Redriven, disposal.is_change());
        });
    }
}

#[test]
fn discarded_letter_stays_discarded() {
    with_unit(Policy::default(), |unit| {
        let id = LetterId::from_stored(ID);
        store(unit, kept(event(), "unbookable"));
        assert_eq!(discard(unit, id, true), Some(Disposal::Discarded));
        assert_eq!(unit.letters.get(&id).unwrap().status, LetterStatus::Open, "a dry run does nothing");
        assert_eq!(discard(unit, id, false), Some(Disposal::Discarded));
        assert_eq!(discard(unit, id, false), Some(Disposal::AlreadyDiscarded));
        assert_eq!(redrive(unit, id, None), Some(Disposal::AlreadyDiscarded));
        store(unit, kept(event(), "unbookable"));
        let letter = unit.letters.get(&id).unwrap();
        assert_eq!((letter.status, letter.note.as_deref()), (LetterStatus::Discarded, Some("known junk")));
        assert_eq!((letter.due_at, unit.actions.len()), (None, 1));
    });
}

#[test]
fn foreign_record_is_one_letter_and_cannot_be_redriven() {
    let id = LetterId::of_record("payment.captured", 4, 17);
    assert_eq!(id, LetterId::of_record("payment.captured", 4, 17));
    assert_ne!(id, LetterId::of_record("payment.captured", 4, 18));
    assert_eq!(id.bucket(), Bucket::wrapping(4));
    assert_eq!(id.to_string().parse(), Ok(id));
    with_unit(Policy::default(), |unit| {
        store(unit, kept(DeadLetterKind::Foreign, "event_id_invalid"));
        let id = LetterId::from_stored(ID);
        assert_eq!(unit.letters.get(&id).unwrap().due_at, None);
        assert_eq!(redrive(unit, id, None), Some(Disposal::NotAnEvent));
        assert_eq!(redrive(unit, LetterId::from_stored(1), None), None);
    });
}
