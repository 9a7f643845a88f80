//! Random sequences of operations against a naive model: what may never happen, and what must.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::command::{
    Attempted, Change, ChangePayment, ExpireAuthorization, PostLedgerEntry, RecordPspAttempt, RecordPspOutcome,
};
use super::event::{Consumer, EventData, Topic};
use super::id::{EventId, IdGenerator, PaymentId};
use super::idempotency::KeyOutcome;
use super::key::{Fingerprint, KeyHash, KeyedRequest, PaymentOperation};
use super::ledger::Account;
use super::outcome::PaymentOutcome;
use super::payment::{Payment, PaymentStatus};
use super::policy::Policy;
use super::psp::Verdict;
use super::request::{RequestStatus, Task};
use super::testing::{TRACE, approved, concluded, krw, order};
use super::time::Timestamp;
use super::unit_of_work::UnitOfWork;

const PAYMENTS: i64 = 3;
const AMOUNT: i64 = 100;

#[derive(Debug, Clone)]
enum Step {
    Authorize { payment: i64 },
    Conclude { payment: i64, verdict: u8 },
    Capture { payment: i64, amount: Option<i64>, key: Option<u8> },
    Void { payment: i64 },
    Refund { payment: i64, amount: Option<i64>, key: Option<u8> },
    Work { request: usize, verdict: u8, by_event: bool },
    UnitOfWork { event: usize },
    Wait { days: u8 },
    Expire { payment: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let payment = 1..=PAYMENTS;
    let amount = proptest::option::of(-5i64..=120);
    let key = proptest::option::of(0u8..3);
    let step = prop_oneof![
        2 => payment.clone().prop_map(|payment| Step::Authorize { payment }),
        3 => (payment.clone(), 0u8..6).prop_map(|(payment, verdict)| Step::Conclude { payment, verdict }),
        3 => (payment.clone(), amount.clone(), key.clone())
            .prop_map(|(payment, amount, key)| Step::Capture { payment, amount, key }),
        1 => payment.clone().prop_map(|payment| Step::Void { payment }),
        3 => (payment.clone(), amount, key).prop_map(|(payment, amount, key)| Step::Refund { payment, amount, key }),
        5 => (any::<usize>(), 0u8..6, any::<bool>())
            .prop_map(|(request, verdict, by_event)| Step::Work { request, verdict, by_event }),
        4 => any::<usize>().prop_map(|event| Step::UnitOfWork { event }),
        1 => (0u8..5).prop_map(|days| Step::Wait { days }),
        1 => payment.prop_map(|payment| Step::Expire { payment }),
    ];
    proptest::collection::vec(step, 1..80)
}

fn verdict(number: u8, minor: i64) -> Verdict {
    match number {
        0 | 1 => approved(minor),
        2 => Verdict::Declined { reason: "insufficient_funds".into() },
        3 => Verdict::NotSent { why: "refused".into() },
        4 => Verdict::Unknown { why: "timeout".into() },
        _ => Verdict::Absent,
    }
}

fn keyed_request(operation: PaymentOperation, payment: i64, key: u8, fingerprint: &str) -> KeyedRequest {
    let target = Some(PaymentId::from_stored(payment));
    KeyedRequest {
        key_hash: KeyHash::new("MERCHANT-1", operation, target, &key.to_string()),
        fingerprint: Fingerprint::of([("body", fingerprint)]),
        key: key.to_string(),
        operation,
    }
}

fn change(payment: i64, change: Change, key: Option<KeyedRequest>) -> ChangePayment {
    ChangePayment {
        payment_id: PaymentId::from_stored(payment),
        merchant_id: "MERCHANT-1".into(),
        change,
        keyed_request: key,
        request_id: "r".into(),
        trace: TRACE,
    }
}

/// What the naive model remembers: sums, and who has been answered what.
#[derive(Default)]
struct Model {
    captured: HashMap<i64, i64>,
    refunded: HashMap<i64, i64>,
    answers: HashMap<KeyHash, (Fingerprint, String)>,
    statuses: HashMap<PaymentId, PaymentStatus>,
}

fn settle(book: &mut UnitOfWork<'_>) {
    book.payments.settle();
    book.refunds.settle();
    book.claims.settle();
    book.settlements.settle();
    book.refund_requests.settle();
    book.balances.settle();
    book.processed.settle();
}

fn run(step: &Step, book: &mut UnitOfWork<'_>, model: &mut Model) {
    match step {
        Step::Authorize { payment } => {
            let order = order(*payment, AMOUNT);
            let known = book.payments.get(&order.payment_id).is_some();
            let claim = book.claims.get(&order.keyed_request.key_hash);
            if known && claim.is_none_or(|claim| !claim.holds(book.now)) {
                // The key is free again, and a new payment would have an id of its own.
                return;
            }
            assert_eq!(matches!(book.authorize(&order), KeyOutcome::Fresh(())), !known);
        }
        Step::Conclude { payment, verdict: number } => {
            let order = order(*payment, AMOUNT);
            let conclusion = concluded(&order, verdict(*number, AMOUNT));
            if let Ok(recorded) = book.conclude(&conclusion)
                && recorded.kept_until.is_some()
            {
                let answer = format!("{recorded:?}");
                let first = model
                    .answers
                    .entry(order.keyed_request.key_hash)
                    .or_insert((order.keyed_request.fingerprint, answer.clone()));
                assert_eq!(first.1, answer, "an authorization's recorded answer never changes");
            }
        }
        Step::Capture { payment, amount, key } => {
            let key = key.map(|key| keyed_request(PaymentOperation::Capture, *payment, key, &format!("{amount:?}")));
            ask(change(*payment, Change::Capture { amount: *amount }, key), book, model);
        }
        Step::Void { payment } => ask(change(*payment, Change::Void, None), book, model),
        Step::Refund { payment, amount, key } => {
            let key = key.map(|key| keyed_request(PaymentOperation::Refund, *payment, key, &format!("{amount:?}")));
            ask(change(*payment, Change::Refund { amount: *amount, reason: None }, key), book, model);
        }
        Step::Work { request, verdict: number, by_event } => work(*request, *number, *by_event, book, model),
        Step::UnitOfWork { event } => {
            let events: Vec<_> = book
                .events
                .iter()
                .filter(|event| ["payment.captured", "payment.refunded"].contains(&event.topic))
                .collect();
            if events.is_empty() {
                return;
            }
            let event = events[event % events.len()];
            let posting = PostLedgerEntry {
                event_id: event.id,
                topic: Topic::parse(event.topic).unwrap(),
                data: serde_json::from_str::<EventData>(&event.payload).unwrap(),
                trace: event.trace,
            };
            let before = book.entries.iter().filter(|entry| entry.event_id == posting.event_id).count();
            assert_eq!(book.post(&posting), Ok(before == 0));
        }
        Step::Wait { days } => book.now = Timestamp(book.now.0 + i64::from(*days) * 86_400_000),
        Step::Expire { payment } => {
            let _ = book.expire(&ExpireAuthorization { payment_id: PaymentId::from_stored(*payment), trace: TRACE });
        }
    }
}

fn ask(order: ChangePayment, book: &mut UnitOfWork<'_>, model: &mut Model) {
    let before = book.payments.get(&order.payment_id).cloned();
    let answer = book.change(&order);
    if let Some(keyed_request) = &order.keyed_request
        && let Some((fingerprint, first)) = model.answers.get(&keyed_request.key_hash)
    {
        match &answer {
            KeyOutcome::Replay(recorded) => {
                assert_eq!(*fingerprint, keyed_request.fingerprint);
                assert_eq!(*first, format!("{recorded:?}"), "a replay says what the first answer said");
            }
            // Seven days later the key is free.
            KeyOutcome::Fresh(_) => {}
            KeyOutcome::KeyReused => assert_ne!(*fingerprint, keyed_request.fingerprint),
            KeyOutcome::InProgress => panic!("changes finish in one transaction"),
        }
    }
    match answer {
        KeyOutcome::Fresh(recorded) => {
            if let Some(keyed_request) = &order.keyed_request {
                let is_kept = book
                    .claims
                    .get(&keyed_request.key_hash)
                    .is_some_and(|claim| claim.recorded.as_ref() == Some(&recorded));
                assert_eq!(recorded.kept_until.is_some(), is_kept);
                assert!(is_kept || matches!(recorded.outcome, PaymentOutcome::Refused { .. }), "what was done is kept");
                if is_kept {
                    model.answers.insert(keyed_request.key_hash, (keyed_request.fingerprint, format!("{recorded:?}")));
                }
            }
            if matches!(recorded.outcome, PaymentOutcome::Refused { .. }) {
                assert_eq!(book.payments.get(&order.payment_id).cloned(), before, "a refusal changes nothing");
            }
        }
        _ => assert_eq!(book.payments.get(&order.payment_id).cloned(), before, "a replay changes nothing"),
    }
}

fn work(number: usize, verdict_number: u8, by_event: bool, book: &mut UnitOfWork<'_>, model: &mut Model) {
    let requests: Vec<_> = book
        .events
        .iter()
        .filter_map(|event| {
            book.settlements
                .get(&event.id)
                .or_else(|| book.refund_requests.get(&event.id))
                .map(|r| (r.clone(), event.id))
        })
        .collect();
    if requests.is_empty() {
        return;
    }
    let (request, event_id) = requests[number % requests.len()].clone();
    let consumer = if matches!(request.task, Task::Refund(_)) { Consumer::Refund } else { Consumer::Settlement };
    let attempt = RecordPspAttempt {
        request_id: request.id,
        payment_id: request.payment_id,
        task: request.task,
        verdict: verdict(verdict_number, request.money.minor),
        took_ms: 1,
        chance: 3,
        event: by_event.then_some((consumer, event_id)),
        trace: TRACE,
    };
    let pending = request.status == RequestStatus::Pending;
    let seen = by_event && book.processed.get(&(consumer, event_id)).is_some();
    match book.attempt(&attempt).unwrap() {
        Attempted::Stale => assert!(!pending || seen),
        Attempted::Progressed(super::request::PspProgress::Done) => {
            let sums = match request.task {
                Task::Capture(_) => &mut model.captured,
                Task::Refund(_) => &mut model.refunded,
                Task::Void => return,
            };
            *sums.entry(request.payment_id.get()).or_default() += request.money.minor;
        }
        Attempted::Progressed(_) => {}
    }
}

fn check(book: &UnitOfWork<'_>, model: &mut Model) {
    for id in 1..=PAYMENTS {
        let Some(payment) = book.payments.get(&PaymentId::from_stored(id)) else { continue };
        check_payment(payment, model);
        let before = model.statuses.insert(payment.id, payment.status);
        if let Some(before) = before {
            assert!(
                before == payment.status || reachable(before, payment.status),
                "{} -> {}",
                before.name(),
                payment.status.name()
            );
        }
    }
    check_ledger(book);
    let ids: HashSet<EventId> = book.events.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), book.events.len(), "every event has an id of its own");
}

/// Within one step a payment makes at most two moves (authorized and at once captured for automatic capture).
fn reachable(from: PaymentStatus, to: PaymentStatus) -> bool {
    from.may_become(to) || PaymentStatus::ALL.into_iter().any(|via| from.may_become(via) && via.may_become(to))
}

fn check_payment(payment: &Payment, model: &Model) {
    let captured = model.captured.get(&payment.id.get()).copied().unwrap_or_default();
    let refunded = model.refunded.get(&payment.id.get()).copied().unwrap_or_default();
    assert_eq!(payment.captured, captured);
    assert_eq!(payment.refunded, refunded);
    assert!(payment.captured <= payment.authorized && payment.authorized <= payment.amount);
    assert!(payment.refunded + payment.refund_pending <= payment.captured);
    assert!(payment.capturable() >= 0 && payment.refundable() >= 0);
    assert!(payment.is_sound());
    let expected = match payment.status {
        PaymentStatus::Captured => payment.captured > 0 && payment.refunded == 0 && payment.refund_pending == 0,
        PaymentStatus::PartiallyRefunded => payment.refunded > 0 && payment.refunded < payment.captured,
        PaymentStatus::Refunded => payment.refunded == payment.captured && payment.captured > 0,
        PaymentStatus::RefundRequested => payment.refund_pending > 0,
        PaymentStatus::CaptureRequested => payment.capture_pending > 0 && payment.captured == 0,
        _ if !payment.refunds_waiting.is_empty() => false,
        _ => payment.captured == 0 && payment.capture_pending == 0,
    };
    assert!(expected, "{payment:?}");
}

fn check_ledger(book: &UnitOfWork<'_>) {
    let mut sums: BTreeMap<Account, (i64, i64)> = BTreeMap::new();
    let mut seen = HashSet::new();
    for entry in &book.entries {
        assert!(seen.insert(entry.event_id), "an event is booked once");
        sums.entry(entry.debit).or_default().0 += entry.money.minor;
        sums.entry(entry.credit).or_default().1 += entry.money.minor;
    }
    let (debits, credits) = sums.values().fold((0, 0), |(d, c), (debit, credit)| (d + debit, c + credit));
    assert_eq!(debits, credits);
    for account in Account::ALL {
        let key = super::ledger::BalanceKey { merchant_id: "MERCHANT-1".into(), account, currency: krw(0).currency };
        let balance = book.balances.get(&key).copied().unwrap_or_default();
        assert_eq!((balance.debits, balance.credits), sums.get(&account).copied().unwrap_or_default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_operations_keep_the_rules(steps in steps()) {
        let policy = Policy::default();
        let mut ids = IdGenerator::new(0);
        let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        let mut model = Model::default();
        for step in &steps {
            run(step, &mut book, &mut model);
            check(&book, &mut model);
            settle(&mut book);
        }
    }
}

#[test]
fn automatic_capture_asks_at_once() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    let mut order = order(1, AMOUNT);
    order.capture_mode = super::payment::CaptureMode::Automatic;
    book.authorize(&order);
    let conclusion = concluded(&order, approved(AMOUNT));
    let recorded = book.conclude(&conclusion).unwrap();
    let PaymentOutcome::Done { payment, .. } = recorded.outcome else { panic!("not done") };
    assert_eq!(payment.status, PaymentStatus::CaptureRequested);
    let topics: Vec<_> = book.events.iter().map(|event| event.topic).collect();
    assert_eq!(topics, ["payment.authorized", "payment.capture-requested"]);
    assert_eq!(book.settlements.new_rows().count(), 1);
}

#[test]
fn an_approval_of_what_was_given_up_is_released_once() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    let order = order(1, AMOUNT);
    book.authorize(&order);
    let conclude = |book: &mut UnitOfWork<'_>, verdict| {
        let conclusion = concluded(&order, verdict);
        book.conclude(&conclusion).unwrap();
        book.payments.get(&order.payment_id).unwrap().status
    };
    assert_eq!(conclude(&mut book, Verdict::Absent), PaymentStatus::Unknown);
    assert_eq!(conclude(&mut book, Verdict::Absent), PaymentStatus::Declined);
    assert_eq!(book.settlements.new_rows().count(), 0);
    // A decline that comes late changes nothing; an approval holds the payer's money until it is released.
    conclude(&mut book, Verdict::Declined { reason: "card_declined".into() });
    assert_eq!(book.settlements.new_rows().count(), 0);
    for _ in 0..2 {
        assert_eq!(conclude(&mut book, approved(AMOUNT)), PaymentStatus::Declined);
        let owed: Vec<_> = book.settlements.new_rows().collect();
        let [(_, owed)] = owed[..] else { panic!("{owed:?}") };
        assert_eq!((owed.task, owed.money.minor, owed.status), (Task::Void, AMOUNT, RequestStatus::Pending));
    }
    let topics: Vec<_> = book.events.iter().map(|event| event.topic).collect();
    assert_eq!(topics, ["payment.failed"]);
}

#[test]
fn two_questions_at_once_are_one() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    let order = order(1, AMOUNT);
    book.authorize(&order);
    let mut absent_at = |attempts| {
        let conclusion = RecordPspOutcome { looked_up_at: Some(attempts), ..concluded(&order, Verdict::Absent) };
        book.conclude(&conclusion).unwrap();
        book.payments.get(&order.payment_id).unwrap().status
    };
    assert_eq!(absent_at(0), PaymentStatus::Unknown);
    // Asked before the first answer was written: the request may still be on its way.
    assert_eq!(absent_at(0), PaymentStatus::Unknown);
    assert_eq!(absent_at(1), PaymentStatus::Declined);
}

#[test]
fn another_merchant_sees_nothing() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut book = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    book.authorize(&order(1, AMOUNT));
    let stranger = ChangePayment { merchant_id: "MERCHANT-2".into(), ..change(1, Change::Void, None) };
    let unknown = change(2, Change::Void, None);
    assert_eq!(book.change(&stranger), book.change(&unknown));
}
