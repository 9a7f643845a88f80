//! What must hold of one payment within its shard: amounts, refunds, requests, place and key.

use super::report::Invariant::{KeysPayments, PaymentAmounts, PaymentRefunds, PaymentRequests, PaymentShard};
use super::report::Invariant::{StuckPayments, StuckRequests};
use super::report::{Finding, of};
use crate::domain::payment::{Payment, PaymentStatus};
use crate::domain::refund::{Refund, RefundStatus};
use crate::domain::request::{PspRequest, RequestStatus, Task};
use crate::domain::{Bucket, PaymentId, ShardId, ShardMap, Timestamp};
use crate::infra::database::audit::{Dossier, KeyFact};

/// All but the ledger and what is elsewhere.
pub fn judge(dossier: &Dossier, shard: ShardId, map: &ShardMap) -> Vec<Finding> {
    let payment = &dossier.payment;
    let mut findings = Vec::new();
    if !payment.is_sound() || !status_fits(payment) {
        let amounts = format!(
            "{} with amount {}, authorized {}, capturing {}, captured {}, refunding {}, refunded {}",
            payment.status.name(),
            payment.amount,
            payment.authorized,
            payment.capture_pending,
            payment.captured,
            payment.refund_pending,
            payment.refunded
        );
        findings.push(Finding::broken(PaymentAmounts, of(payment.id, amounts)));
    }
    findings.extend(refunds(dossier).map(|text| Finding::broken(PaymentRefunds, of(payment.id, text))));
    findings.extend(requests(dossier).into_iter().map(|text| Finding::broken(PaymentRequests, of(payment.id, text))));
    let bucket = payment.id.bucket();
    if bucket != Bucket::of_merchant(&payment.merchant_id) || map.shard_of(bucket) != shard {
        let text = format!("of {} is on shard {shard}", payment.merchant_id);
        findings.push(Finding::broken(PaymentShard, of(payment.id, text)));
    }
    if let Some(other) = payment_of_same_key(payment, dossier.key.as_ref()) {
        findings.push(Finding::broken(KeysPayments, of(payment.id, format!("its key belongs to {other}"))));
    }
    if payment.status == PaymentStatus::Authorizing && dossier.key.is_none() {
        findings.push(Finding::broken(KeysPayments, of(payment.id, "under way without a claim")));
    }
    findings
}

/// What waits beyond its time, by more than the grace that `before` has taken off.
pub fn judge_stuck(dossier: &Dossier, before: Timestamp) -> Vec<Finding> {
    let payment = &dossier.payment;
    let mut findings = Vec::new();
    if let Some(due_at) = payment.due_at.filter(|due_at| *due_at < before) {
        let text = format!("{}, due since {due_at}", payment.status.name());
        findings.push(Finding::broken(StuckPayments, of(payment.id, text)));
    }
    for request in dossier.settlements.iter().chain(&dossier.refund_requests) {
        if let Some(due_at) = request.due_at.filter(|due_at| *due_at < before) {
            let text = format!("{} {}, due since {due_at}", request.task.name(), request.id);
            findings.push(Finding::broken(StuckRequests, of(payment.id, text)));
        }
    }
    findings
}

/// What is under way within the shard.
pub fn in_flight(dossier: &Dossier) -> Vec<Finding> {
    let requests = dossier.settlements.iter().chain(&dossier.refund_requests);
    let pending = requests.filter(|request| request.status == RequestStatus::Pending);
    pending
        .map(|request| {
            let text = format!("{} {} after {} tries", request.task.name(), request.id, request.attempts);
            Finding::in_flight(PaymentRequests, of(dossier.payment.id, text))
        })
        .collect()
}

/// Whether the status says the same as the amounts, and the payment is looked at again exactly while it waits for
/// something.
fn status_fits(payment: &Payment) -> bool {
    use PaymentStatus::*;
    let Payment { authorized, capture_pending, captured, refund_pending, refunded, .. } = *payment;
    let whole = payment.amount > 0 && authorized == payment.amount;
    let uncaptured = captured == 0 && refund_pending == 0 && refunded == 0;
    let was_captured = whole && captured > 0 && capture_pending == 0;
    let amounts = match payment.status {
        Authorizing | Unknown | Declined | Failed => authorized == 0 && capture_pending == 0 && uncaptured,
        Authorized | Voided | Expired | CaptureFailed => whole && capture_pending == 0 && uncaptured,
        CaptureRequested => whole && capture_pending > 0 && uncaptured,
        Captured => was_captured && refund_pending == 0 && refunded == 0,
        RefundRequested => was_captured && refund_pending > 0,
        PartiallyRefunded => was_captured && refund_pending == 0 && refunded > 0 && refunded < captured,
        Refunded => was_captured && refund_pending == 0 && refunded == captured,
    };
    // A capture that failed before there could be another one has nothing that is due.
    let is_due = payment.due_at.is_some();
    let due_fits =
        payment.status == CaptureFailed || is_due == matches!(payment.status, Authorizing | Unknown | Authorized);
    amounts && due_fits
}

fn refunds(dossier: &Dossier) -> impl Iterator<Item = String> {
    let payment = &dossier.payment;
    let sum = |status| -> i128 {
        let some = dossier.refunds.iter().filter(|refund| refund.status == status);
        some.map(|refund| i128::from(refund.money.minor)).sum()
    };
    let (done, asked) = (sum(RefundStatus::Refunded), sum(RefundStatus::Requested));
    let is_foreign =
        |refund: &&Refund| refund.money.currency != payment.currency || refund.merchant_id != payment.merchant_id;
    let foreign = dossier.refunds.iter().find(is_foreign);
    let differs = |word, refunds: i128, amount: i64| {
        (refunds != i128::from(amount)).then(|| format!("refunds of {refunds} {word}, the payment says {amount}"))
    };
    let foreign = foreign.map(|refund| format!("{} is of another merchant or currency", refund.id));
    [differs("done", done, payment.refunded), differs("asked", asked, payment.refund_pending), foreign]
        .into_iter()
        .flatten()
}

fn requests(dossier: &Dossier) -> Vec<String> {
    let payment = &dossier.payment;
    let mut wrong = Vec::new();
    let (mut captures, voids): (Vec<_>, Vec<_>) =
        dossier.settlements.iter().partition(|request| matches!(request.task, Task::Capture(_)));
    captures.sort_by_key(|request| request.id);
    let fits = [captures_fit(payment, &captures), voids_fit(payment, &voids)];
    for (task, found, fits) in [("capture", captures, fits[0]), ("void", voids, fits[1])] {
        if !fits {
            let found: Vec<String> = found.into_iter().map(describe).collect();
            wrong.push(format!("{} with {task} requests [{}]", payment.status.name(), found.join(", ")));
        }
    }
    for refund in &dossier.refunds {
        let mut its = dossier.refund_requests.iter().filter(|request| request.task == Task::Refund(refund.id));
        let status = match refund.status {
            RefundStatus::Requested => RequestStatus::Pending,
            RefundStatus::Refunded => RequestStatus::Done,
            RefundStatus::Failed => RequestStatus::Failed,
        };
        let fits = |request: &PspRequest| {
            request.status == status && request.money == refund.money && is_whole(request, payment)
        };
        match its.next() {
            Some(request) if fits(request) => {}
            Some(request) => wrong.push(format!("{} {} with {}", refund.id, refund.status.name(), describe(request))),
            None => wrong.push(format!("{} without a request", refund.id)),
        }
    }
    for request in &dossier.refund_requests {
        if !dossier.refunds.iter().any(|refund| request.task == Task::Refund(refund.id)) {
            wrong.push(format!("{} of no refund", describe(request)));
        }
    }
    wrong
}

/// Captures are asked for one after the other, each after the one before has failed; the last one is as the payment
/// says.
fn captures_fit(payment: &Payment, captures: &[&PspRequest]) -> bool {
    use PaymentStatus::*;
    let is_numbered = |(place, request): (usize, &&PspRequest)| {
        u32::try_from(place + 1).is_ok_and(|n| request.task == Task::Capture(n))
    };
    let has_failed = |request: &&PspRequest| request.status == RequestStatus::Failed;
    let is_last = |status, minor: i64| {
        captures.split_last().is_some_and(|(last, before)| {
            last.status == status && last.money.minor == minor && before.iter().all(has_failed)
        })
    };
    let fits = match payment.status {
        Authorizing | Unknown | Declined | Failed | Authorized | Expired => captures.is_empty(),
        Voided => captures.iter().all(has_failed),
        CaptureRequested => is_last(RequestStatus::Pending, payment.capture_pending),
        CaptureFailed => !captures.is_empty() && captures.iter().all(has_failed),
        Captured | RefundRequested | PartiallyRefunded | Refunded => is_last(RequestStatus::Done, payment.captured),
    };
    fits && captures.iter().enumerate().all(is_numbered) && captures.iter().all(|request| is_whole(request, payment))
}

fn voids_fit(payment: &Payment, voids: &[&PspRequest]) -> bool {
    let is_let_go = matches!(payment.status, PaymentStatus::Voided | PaymentStatus::Expired);
    // One that reached the PSP after it had been given up is released there.
    let held = if payment.is_not_sent() { payment.amount } else { payment.authorized };
    match voids {
        [] => !is_let_go,
        [request] => (is_let_go || payment.is_not_sent()) && request.money.minor == held && is_whole(request, payment),
        _ => false,
    }
}

/// A request has a next time exactly while it is pending.
fn is_whole(request: &PspRequest, payment: &Payment) -> bool {
    request.money.currency == payment.currency && request.due_at.is_some() == (request.status == RequestStatus::Pending)
}

fn describe(request: &PspRequest) -> String {
    format!("{} {} of {}", request.id, request.status.name(), request.money)
}

/// The payment that holds this one's key, if that cannot be: a key that has expired may be taken anew.
fn payment_of_same_key(payment: &Payment, key: Option<&KeyFact>) -> Option<PaymentId> {
    let key = key.filter(|key| key.payment_id != payment.id.get())?;
    // Nothing was sent of a released payment, and its key was freed at once.
    let kept_ms = key.expires_at.saturating_sub(key.created_at);
    let was_taken_anew = key.created_at >= payment.requested_at.0.saturating_add(kept_ms);
    (!payment.is_not_sent() && !was_taken_anew).then(|| PaymentId::from_stored(key.payment_id))
}
