//! Random sequences of operations against a naive model: what may never happen, and what must.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::command::Command;
use super::commands::{
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
use super::timeline::TimelineKind;
use super::unit_of_work::UnitOfWork;

const PAYMENTS: i64 = 3;
const AMOUNT: i64 = 100;

#[derive(Debug, Clone)]
enum Step {
    Authorize { payment: i64 },
    RecordOutcome { payment: i64, verdict: u8 },
    Capture { payment: i64, amount: Option<i64>, key: Option<u8> },
    Void { payment: i64 },
    Refund { payment: i64, amount: Option<i64>, key: Option<u8> },
    Work { request: usize, verdict: u8, by_event: bool },
    Post { event: usize },
    Wait { days: u8 },
    Expire { payment: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let payment = 1..=PAYMENTS;
    let amount = proptest::option::of(-5i64..=120);
    let key = proptest::option::of(0u8..3);
    let step = prop_oneof![
        2 => payment.clone().prop_map(|payment| Step::Authorize { payment }),
        3 => (payment.clone(), 0u8..6).prop_map(|(payment, verdict)| Step::RecordOutcome { payment, verdict }),
        3 => (payment.clone(), amount.clone(), key.clone())
            .prop_map(|(payment, amount, key)| Step::Capture { payment, amount, key }),
        1 => payment.clone().prop_map(|payment| Step::Void { payment }),
        3 => (payment.clone(), amount, key).prop_map(|(payment, amount, key)| Step::Refund { payment, amount, key }),
        5 => (any::<usize>(), 0u8..6, any::<bool>())
            .prop_map(|(request, verdict, by_event)| Step::Work { request, verdict, by_event }),
        4 => any::<usize>().prop_map(|event| Step::Post { event }),
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

fn settle(unit: &mut UnitOfWork<'_>) {
    unit.payments.settle();
    unit.refunds.settle();
    unit.idempotency_records.settle();
    unit.settlements.settle();
    unit.refund_requests.settle();
    unit.balances.settle();
    unit.processed.settle();
}

fn run(step: &Step, unit: &mut UnitOfWork<'_>, model: &mut Model) {
    match step {
        Step::Authorize { payment } => {
            let order = order(*payment, AMOUNT);
            let known = unit.payments.get(&order.payment_id).is_some();
            let record = unit.idempotency_records.get(&order.keyed_request.key_hash);
            if known && record.is_none_or(|record| !record.holds(unit.now)) {
                // The key is free again, and a new payment would have an id of its own.
                return;
            }
            assert_eq!(matches!(order.decide(unit), KeyOutcome::Fresh(Ok(()))), !known);
        }
        Step::RecordOutcome { payment, verdict: number } => {
            let order = order(*payment, AMOUNT);
            let conclusion = concluded(&order, verdict(*number, AMOUNT));
            if let Ok(recorded) = conclusion.decide(unit)
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
            ask(change(*payment, Change::Capture { amount: *amount }, key), unit, model);
        }
        Step::Void { payment } => ask(change(*payment, Change::Void, None), unit, model),
        Step::Refund { payment, amount, key } => {
            let key = key.map(|key| keyed_request(PaymentOperation::Refund, *payment, key, &format!("{amount:?}")));
            ask(change(*payment, Change::Refund { amount: *amount, reason: None }, key), unit, model);
        }
        Step::Work { request, verdict: number, by_event } => work(*request, *number, *by_event, unit, model),
        Step::Post { event } => {
            let events: Vec<_> = unit
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
                data: EventData::read(&event.payload).unwrap(),
                trace: event.trace,
            };
            let before = unit.entries.iter().filter(|entry| entry.event_id == posting.event_id).count();
            assert_eq!(posting.decide(unit), Ok(before == 0));
        }
        Step::Wait { days } => unit.now = Timestamp(unit.now.0 + i64::from(*days) * 86_400_000),
        Step::Expire { payment } => {
            let payment_id = PaymentId::from_stored(*payment);
            let _ = ExpireAuthorization { payment_id, trace: TRACE }.decide(unit);
        }
    }
}

fn ask(order: ChangePayment, unit: &mut UnitOfWork<'_>, model: &mut Model) {
    let before = unit.payments.get(&order.payment_id).cloned();
    let answer = order.decide(unit);
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
                let is_kept = unit
                    .idempotency_records
                    .get(&keyed_request.key_hash)
                    .is_some_and(|record| record.recorded.as_ref() == Some(&recorded));
                assert_eq!(recorded.kept_until.is_some(), is_kept);
                assert!(is_kept || matches!(recorded.outcome, PaymentOutcome::Refused { .. }), "what was done is kept");
                if is_kept {
                    model.answers.insert(keyed_request.key_hash, (keyed_request.fingerprint, format!("{recorded:?}")));
                }
            }
            if matches!(recorded.outcome, PaymentOutcome::Refused { .. }) {
                assert_eq!(unit.payments.get(&order.payment_id).cloned(), before, "a refusal changes nothing");
            }
        }
        _ => assert_eq!(unit.payments.get(&order.payment_id).cloned(), before, "a replay changes nothing"),
    }
}

fn work(number: usize, verdict_number: u8, by_event: bool, unit: &mut UnitOfWork<'_>, model: &mut Model) {
    let requests: Vec<_> = unit
        .events
        .iter()
        .filter_map(|event| {
            unit.settlements
                .get(&event.id)
                .or_else(|| unit.refund_requests.get(&event.id))
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
        was_looked_up: false,
        took_ms: 1,
        chance: 3,
        event: by_event.then_some((consumer, event_id)),
        trace: TRACE,
    };
    let pending = request.status == RequestStatus::Pending;
    let seen = by_event && unit.processed.get(&(consumer, event_id)).is_some();
    match attempt.decide(unit).unwrap() {
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

fn check(unit: &UnitOfWork<'_>, model: &mut Model) {
    for id in 1..=PAYMENTS {
        let Some(payment) = unit.payments.get(&PaymentId::from_stored(id)) else { continue };
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
    check_ledger(unit);
    let ids: HashSet<EventId> = unit.events.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), unit.events.len(), "every event has an id of its own");
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

fn check_ledger(unit: &UnitOfWork<'_>) {
    let mut sums: BTreeMap<Account, (i64, i64)> = BTreeMap::new();
    let mut seen = HashSet::new();
    for entry in &unit.entries {
        assert!(seen.insert(entry.event_id), "an event is booked once");
        sums.entry(entry.debit).or_default().0 += entry.money.minor;
        sums.entry(entry.credit).or_default().1 += entry.money.minor;
    }
    let (debits, credits) = sums.values().fold((0, 0), |(d, c), (debit, credit)| (d + debit, c + credit));
    assert_eq!(debits, credits);
    for account in Account::ALL {
        let key = super::ledger::BalanceKey { merchant_id: "MERCHANT-1".into(), account, currency: krw(0).currency };
        let balance = unit.balances.get(&key).copied().unwrap_or_default();
        assert_eq!((balance.debits, balance.credits), sums.get(&account).copied().unwrap_or_default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_commands_keep_the_invariants(steps in steps()) {
        let policy = Policy::default();
        let mut ids = IdGenerator::new(0);
        let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
        let mut model = Model::default();
        for step in &steps {
            run(step, &mut unit, &mut model);
            check(&unit, &mut model);
            settle(&mut unit);
        }
    }
}

#[test]
fn approved_payment_with_automatic_capture_is_captured_at_once() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    let mut order = order(1, AMOUNT);
    order.capture_mode = super::payment::CaptureMode::Automatic;
    order.decide(&mut unit);
    let conclusion = concluded(&order, approved(AMOUNT));
    let recorded = conclusion.decide(&mut unit).unwrap();
    let PaymentOutcome::Done { payment, .. } = recorded.outcome else { panic!("not done") };
    assert_eq!(payment.status, PaymentStatus::CaptureRequested);
    let topics: Vec<_> = unit.events.iter().map(|event| event.topic).collect();
    assert_eq!(topics, ["payment.authorized", "payment.capture-requested"]);
    assert_eq!(unit.settlements.new_rows().count(), 1);
}

#[test]
fn late_approval_is_released_once() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    let order = order(1, AMOUNT);
    order.decide(&mut unit);
    let conclude = |unit: &mut UnitOfWork<'_>, verdict| {
        let conclusion = concluded(&order, verdict);
        conclusion.decide(unit).unwrap();
        unit.payments.get(&order.payment_id).unwrap().status
    };
    assert_eq!(conclude(&mut unit, Verdict::Absent), PaymentStatus::Unknown);
    assert_eq!(conclude(&mut unit, Verdict::Absent), PaymentStatus::Failed);
    assert_eq!(unit.settlements.new_rows().count(), 0);
    // A decline that comes late changes nothing; an approval holds the payer's money until it is released.
    conclude(&mut unit, Verdict::Declined { reason: "card_declined".into() });
    assert_eq!(unit.settlements.new_rows().count(), 0);
    for _ in 0..2 {
        assert_eq!(conclude(&mut unit, approved(AMOUNT)), PaymentStatus::Failed);
        let owed: Vec<_> = unit.settlements.new_rows().collect();
        let [(_, owed)] = owed[..] else { panic!("{owed:?}") };
        assert_eq!((owed.task, owed.money.minor, owed.status), (Task::Void, AMOUNT, RequestStatus::Pending));
    }
    let topics: Vec<_> = unit.events.iter().map(|event| event.topic).collect();
    assert_eq!(topics, ["payment.failed"]);
}

#[test]
fn lookups_made_at_once_count_as_one() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    let order = order(1, AMOUNT);
    order.decide(&mut unit);
    let mut absent_at = |attempts| {
        let conclusion = RecordPspOutcome { looked_up_at: Some(attempts), ..concluded(&order, Verdict::Absent) };
        conclusion.decide(&mut unit).unwrap();
        unit.payments.get(&order.payment_id).unwrap().status
    };
    assert_eq!(absent_at(0), PaymentStatus::Unknown);
    // Asked before the first answer was written: the request may still be on its way.
    assert_eq!(absent_at(0), PaymentStatus::Unknown);
    assert_eq!(absent_at(1), PaymentStatus::Failed);
}

#[test]
fn look_up_after_a_try_without_an_answer_reads_as_a_look_up() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    let mut order = order(1, AMOUNT);
    order.capture_mode = super::payment::CaptureMode::Automatic;
    order.decide(&mut unit);
    concluded(&order, approved(AMOUNT)).decide(&mut unit).unwrap();
    let (id, request) = unit.settlements.new_rows().map(|(id, request)| (*id, request.clone())).next().unwrap();
    let attempt = |verdict, was_looked_up| RecordPspAttempt {
        request_id: id,
        payment_id: request.payment_id,
        task: request.task,
        verdict,
        was_looked_up,
        took_ms: 1,
        chance: 3,
        event: None,
        trace: TRACE,
    };
    attempt(Verdict::Unknown { why: "timeout".into() }, false).decide(&mut unit).unwrap();
    attempt(approved(AMOUNT), true).decide(&mut unit).unwrap();
    let entries = unit.payments.get(&order.payment_id).unwrap().timeline.entries();
    let calls = entries.iter().filter(|entry| entry.what == TimelineKind::PspCall);
    let calls: Vec<_> = calls.map(|entry| entry.detail.split(" in ").next().unwrap()).collect();
    assert_eq!(calls, ["authorize approved", "capture unknown", "lookup approved"]);
}

#[test]
fn change_by_another_merchant_finds_no_payment() {
    let policy = Policy::default();
    let mut ids = IdGenerator::new(0);
    let mut unit = UnitOfWork::new(Timestamp(1_800_000_000_000), &policy, &mut ids);
    order(1, AMOUNT).decide(&mut unit);
    let stranger = ChangePayment { merchant_id: "MERCHANT-2".into(), ..change(1, Change::Void, None) };
    let unknown = change(2, Change::Void, None);
    assert_eq!(stranger.decide(&mut unit), unknown.decide(&mut unit));
}
