//! What must hold when all has come to rest: the tables, the log, the PSP's books and what the clients were told.

use std::collections::{BTreeMap, BTreeSet};

use super::acknowledged::Acknowledged;
use super::outside::Decided;
use super::store::Store;
use crate::domain::event::{Consumer, Topic};
use crate::domain::payment::{Payment, PaymentStatus};
use crate::domain::refund::RefundStatus;
use crate::domain::request::RequestStatus;
use crate::domain::{EventId, PaymentId};
use crate::infra::database::memory::Tables;
use crate::infra::psp::{Action, PspAnswer};

/// Everything that is wrong, where `books` is what the PSP has decided.
pub fn violations(store: &Store, books: &Decided, told: &[Acknowledged]) -> Vec<String> {
    let mut wrong = discrepancies(store, books);
    let shards: Vec<Tables> = store.shards.iter().map(|shard| shard.lock().clone()).collect();
    promises(&shards, told, &mut wrong);
    trail(store, told, &mut wrong);
    wrong
}

/// What does not fit together, whatever anybody was told.
pub fn discrepancies(store: &Store, books: &Decided) -> Vec<String> {
    let mut wrong = Vec::new();
    for shard in &store.shards {
        let tables = shard.lock().clone();
        payments(books, &tables, &mut wrong);
        events(store, &tables, &mut wrong);
        ledger(&tables, &mut wrong);
        wrong.extend(tables.actions.values().map(|action| format!("{} waits in its shard", action.target)));
    }
    wrong
}

/// Payments agree with the PSP's books, and none is under way.
fn payments(books: &Decided, tables: &Tables, wrong: &mut Vec<String>) {
    for payment in tables.payments.values() {
        let id = payment.id;
        if matches!(payment.status, PaymentStatus::Authorizing | PaymentStatus::Unknown)
            || payment.capture_pending + payment.refund_pending > 0
        {
            wrong.push(format!("{id} does not come to rest: {}", payment.status.name()));
        }
        let (mut authorized, mut captured, mut refunded, mut voided) = (0, 0, 0, false);
        for (operation, answer) in books.values().filter(|(operation, _)| operation.payment_id == id) {
            let PspAnswer::Approved { money, .. } = answer else { continue };
            match operation.action {
                Action::Authorize => authorized += money.minor,
                Action::Capture { .. } => captured += money.minor,
                Action::Refund { .. } => refunded += money.minor,
                Action::Void { .. } => voided = true,
            }
        }
        // What reached the PSP after it had been given up is released there.
        let is_late = payment.is_not_sent() && voided;
        let authorized = if is_late { 0 } else { authorized };
        if (payment.authorized, payment.captured, payment.refunded) != (authorized, captured, refunded) {
            wrong.push(format!(
                "{id} is {} with {}/{}/{}, the psp has {authorized}/{captured}/{refunded}",
                payment.status.name(),
                payment.authorized,
                payment.captured,
                payment.refunded
            ));
        }
        let is_released = matches!(payment.status, PaymentStatus::Voided | PaymentStatus::Expired);
        if (is_released || is_late) != voided {
            wrong.push(format!("{id} is {}, and the psp has released it: {voided}", payment.status.name()));
        }
        let refunds = tables.refunds.values().filter(|refund| refund.payment_id == id);
        let done: i64 =
            refunds.filter(|refund| refund.status == RefundStatus::Refunded).map(|refund| refund.money.minor).sum();
        if done != payment.refunded {
            wrong.push(format!("{id} has {} refunded in refunds of {done}", payment.refunded));
        }
    }
    let requests = tables.settlements.values().chain(tables.refund_requests.values());
    for request in requests.filter(|request| request.status == RequestStatus::Pending) {
        wrong.push(format!("{} of {} is still owed", request.task.name(), request.payment_id));
    }
}

/// Every event of the outbox is in the log, those of a payment first arriving in their order, and every group has read
/// them.
fn events(store: &Store, tables: &Tables, wrong: &mut Vec<String>) {
    let log = store.log.lock();
    let events: BTreeSet<i64> = tables.outbox.iter().map(|row| row.event_id).collect();
    let (mut arrived, mut last): (BTreeSet<EventId>, BTreeMap<&str, EventId>) = Default::default();
    for (key, id) in &log.appended {
        // Of this shard, and not a dead letter, which is told beside the payment's own story.
        let Ok(id) = id.parse::<EventId>() else { continue };
        if !events.contains(&id.get()) || !arrived.insert(id) {
            continue;
        }
        let is_letter = tables.outbox.iter().any(|row| row.event_id == id.get() && Topic::parse(&row.topic).is_none());
        if !is_letter && last.insert(key, id).is_some_and(|before| before > id) {
            wrong.push(format!("{id} of {key} came after a later one"));
        }
    }
    for row in &tables.outbox {
        let id = EventId::from_stored(row.event_id);
        if !arrived.contains(&id) || row.published_at.is_none() {
            wrong.push(format!("{id} of {} is lost: in the log {}", row.topic, arrived.contains(&id)));
        }
    }
    for consumer in Consumer::ALL {
        for topic in consumer.topics() {
            for ((_, partition), records) in log.records.iter().filter(|((name, _), _)| name == topic.name()) {
                let key = (consumer.name().to_owned(), topic.name().to_owned(), *partition);
                let committed = log.committed.get(&key).copied().unwrap_or(0);
                if committed != records.len() as i64 {
                    wrong.push(format!("{key:?} stands at {committed} of {}", records.len()));
                }
            }
        }
    }
}

/// Each capture and refund is booked once, and the balances are the entries'.
fn ledger(tables: &Tables, wrong: &mut Vec<String>) {
    let booked = tables
        .outbox
        .iter()
        .filter(|row| [Topic::Captured.name(), Topic::Refunded.name()].contains(&row.topic.as_str()));
    for row in booked {
        let count = tables.entries.iter().filter(|entry| entry.event_id.get() == row.event_id).count();
        if count != 1 {
            wrong.push(format!("{} is booked {count} times", EventId::from_stored(row.event_id)));
        }
    }
    let debits: i64 = tables.balances.values().map(|balance| balance.debits).sum();
    let credits: i64 = tables.balances.values().map(|balance| balance.credits).sum();
    let entries: i64 = tables.entries.iter().map(|entry| entry.money.minor).sum();
    if (debits, credits) != (entries, entries) {
        wrong.push(format!("balances of {debits} and {credits} on entries of {entries}"));
    }
}

/// What was noted for good is in the control store, whoever died on the way there.
fn trail(store: &Store, told: &[Acknowledged], wrong: &mut Vec<String>) {
    let kept = store.control.lock();
    let noted = told.iter().filter_map(|told| match told {
        Acknowledged::Noted { target } => Some(target),
        _ => None,
    });
    let lost = noted.filter(|target| !kept.values().any(|action| action.target == **target));
    wrong.extend(lost.map(|target| format!("{target} was noted and is lost")));
}

/// What was said holds.
fn promises(shards: &[Tables], told: &[Acknowledged], wrong: &mut Vec<String>) {
    let find = |id: &PaymentId| shards.iter().find_map(|tables| tables.payments.get(id));
    let mut keys: BTreeMap<&str, BTreeSet<PaymentId>> = BTreeMap::new();
    for tables in shards {
        let is_live = |payment: &&Payment| !matches!(payment.status, PaymentStatus::Declined | PaymentStatus::Failed);
        for payment in tables.payments.values().filter(is_live) {
            keys.entry(payment.description.as_deref().unwrap_or_default()).or_default().insert(payment.id);
        }
    }
    for (key, payments) in keys.iter().filter(|(_, payments)| payments.len() > 1) {
        wrong.push(format!("{} payments under the key {key}", payments.len()));
    }
    let mut winners: BTreeMap<PaymentId, u32> = BTreeMap::new();
    for told in told {
        match told {
            Acknowledged::Authorized { id } => match find(id) {
                Some(payment) if payment.authorized > 0 => {}
                other => wrong.push(format!("{id} was authorized and is {:?}", other.map(|found| found.status))),
            },
            Acknowledged::Declined { id } => match find(id) {
                Some(payment) if payment.status == PaymentStatus::Declined => {}
                other => wrong.push(format!("{id} was declined and is {:?}", other.map(|found| found.status))),
            },
            Acknowledged::NotSent { id } => match find(id) {
                Some(payment) if payment.is_not_sent() => {}
                other => wrong.push(format!("{id} was not sent and is {:?}", other.map(|found| found.status))),
            },
            Acknowledged::CaptureRequested { id } => {
                *winners.entry(*id).or_default() += 1;
                let is_kept = find(id).is_some_and(|payment| {
                    let has_failed = payment.timeline.as_stored().contains(PaymentStatus::CaptureFailed.name());
                    has_failed || !matches!(payment.status, PaymentStatus::Authorized | PaymentStatus::Voided)
                });
                if !is_kept {
                    wrong.push(format!("{id} was to be captured, and nobody knows"));
                }
            }
            Acknowledged::Voided { id } => {
                *winners.entry(*id).or_default() += 1;
                if find(id).is_none_or(|payment| payment.status != PaymentStatus::Voided) {
                    wrong.push(format!("{id} was voided and is not"));
                }
            }
            Acknowledged::RefundRequested { refund_id } => {
                if !shards.iter().any(|tables| tables.refunds.contains_key(refund_id)) {
                    wrong.push(format!("{refund_id} was promised and is lost"));
                }
            }
            // See `trail`.
            Acknowledged::Noted { .. } => {}
            Acknowledged::Absurd(what) => wrong.push(what.clone()),
        }
    }
    // A capture that failed may be followed by another one, or a void.
    winners.retain(|id, _| {
        find(id).is_none_or(|payment| !payment.timeline.as_stored().contains(PaymentStatus::CaptureFailed.name()))
    });
    wrong.extend(winners.into_iter().filter(|(_, won)| *won > 1).map(|(id, won)| format!("{id} has {won} winners")));
}
