//! What must hold between payments and the PSP's books.
//!
//! The books are read after the shards: what a payment says is done is in them, and they may hold what the payment will
//! only hear of. Whatever looks wrong is therefore looked at again, payment by payment; see the command's file.

use std::collections::VecDeque;

use super::books::{Books, BooksError};
use super::report::Invariant::{PspAuthorized, PspKeys, PspKnown, PspMoved};
use super::report::{Finding, of};
use crate::domain::payment::{Payment, PaymentStatus};
use crate::domain::psp::PspKey;
use crate::domain::refund::RefundStatus;
use crate::domain::request::{PspRequest, RequestStatus, Task};
use crate::domain::{Money, PaymentId};
use crate::infra::database::audit::Dossier;
use crate::infra::psp::simulator::books::{Authorization, BookedOutcome, OperationEntry};

const PAGE: u32 = 1_000;
/// What the keys of a payment's operations begin with, and the operations' kinds.
const OPERATIONS: [(&str, &str); 3] = [("auth_", "authorize"), ("cap_", "capture"), ("void_", "void")];
/// The captures' place among them.
const CAPTURE: usize = 1;
/// What an authorization's reference begins with: the PSP names it after the operation's key.
const REFERENCE: &str = "psp_auth_";

/// What the books hold of one payment.
#[derive(Debug, Default)]
pub struct PspFacts {
    authorization: Option<Authorization>,
    /// In the order of [`OPERATIONS`]; of several captures the one that was made, if one was.
    operations: [Option<OperationEntry>; 3],
    /// Of the payment's refunds, in their order.
    refunds: Vec<Option<OperationEntry>>,
}

impl PspFacts {
    /// Takes in an operation. Whether it is one too many: only a capture may come again, after the PSP has declined it.
    fn enter(&mut self, place: usize, operation: OperationEntry) -> bool {
        let has_done = |known: &OperationEntry| matches!(known.outcome, BookedOutcome::Approved(_));
        match &self.operations[place] {
            Some(known) if place == CAPTURE && has_done(known) && !has_done(&operation) => false,
            Some(known) => {
                let is_again = place == CAPTURE && !has_done(known);
                self.operations[place] = Some(operation);
                !is_again
            }
            None => {
                self.operations[place] = Some(operation);
                false
            }
        }
    }
}

/// Rows in the order of their keys, which is the order of the payments' ids.
struct Rows<T> {
    page: VecDeque<T>,
    after: String,
    is_end: bool,
}

impl<T> Rows<T> {
    fn new(after: &str) -> Self {
        Self { page: VecDeque::new(), after: after.to_owned(), is_end: false }
    }
}

/// The books, read once from the first payment to the last.
pub struct Pages<'a> {
    books: &'a Books,
    authorizations: Rows<Authorization>,
    operations: [Rows<OperationEntry>; 3],
    pub findings: Vec<Finding>,
    /// Payments that the books know and the shards did not.
    pub unknown: Vec<PaymentId>,
}

impl<'a> Pages<'a> {
    pub fn new(books: &'a Books) -> Self {
        Self {
            books,
            authorizations: Rows::new(""),
            operations: OPERATIONS.map(|(prefix, _)| Rows::new(prefix)),
            findings: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// What the books hold of the payment. Payments must be asked for in the order of their ids.
    pub async fn of(&mut self, dossier: &Dossier) -> Result<PspFacts, BooksError> {
        let id = dossier.payment.id;
        let mut facts = self.skip_to(id).await?;
        facts.refunds = refunds(self.books, dossier).await?;
        Ok(facts)
    }

    /// Notes all that is left as unknown.
    pub async fn finish(&mut self) -> Result<(), BooksError> {
        self.skip_to(PaymentId::from_stored(i64::MAX)).await.map(drop)
    }

    async fn skip_to(&mut self, id: PaymentId) -> Result<PspFacts, BooksError> {
        let mut facts = PspFacts::default();
        while let Some(authorization) = self.next_authorization(id).await? {
            let owner = owner(&authorization.reference, REFERENCE);
            if owner == Some(id) {
                facts.authorization = Some(authorization);
            } else {
                self.note_unknown(owner, &authorization.reference);
            }
        }
        for (place, (prefix, _)) in OPERATIONS.into_iter().enumerate() {
            while let Some(operation) = self.next_operation(place, id).await? {
                let owner = owner(&operation.key, prefix);
                if owner != Some(id) {
                    self.note_unknown(owner, &operation.key);
                } else if facts.enter(place, operation) {
                    self.findings.push(Finding::broken(PspKeys, format!("two operations under {prefix}{id}")));
                }
            }
        }
        Ok(facts)
    }

    fn note_unknown(&mut self, owner: Option<PaymentId>, name: &str) {
        match owner {
            Some(id) if self.unknown.last() != Some(&id) => self.unknown.push(id),
            Some(_) => {}
            None => self.findings.push(Finding::broken(PspKnown, format!("{name} names no payment"))),
        }
    }

    /// The next authorization, if it is not of a payment above `id`.
    async fn next_authorization(&mut self, id: PaymentId) -> Result<Option<Authorization>, BooksError> {
        let rows = &mut self.authorizations;
        if rows.page.is_empty() && !rows.is_end {
            rows.page = self.books.authorizations(&rows.after, PAGE).await?.into();
            match rows.page.back() {
                Some(last) => rows.after.clone_from(&last.reference),
                None => rows.is_end = true,
            }
        }
        Ok(rows.page.pop_front_if(|row| owner(&row.reference, REFERENCE).is_none_or(|owner| owner <= id)))
    }

    /// The next operation of a kind, if it is not of a payment above `id`.
    async fn next_operation(&mut self, place: usize, id: PaymentId) -> Result<Option<OperationEntry>, BooksError> {
        let (rows, prefix) = (&mut self.operations[place], OPERATIONS[place].0);
        if rows.page.is_empty() && !rows.is_end {
            let mut page = self.books.operations(&rows.after, PAGE).await?;
            page.retain(|row| row.key.starts_with(prefix));
            match page.last() {
                Some(last) => rows.after.clone_from(&last.key),
                None => rows.is_end = true,
            }
            rows.page = page.into();
        }
        Ok(rows.page.pop_front_if(|row| owner(&row.key, prefix).is_none_or(|owner| owner <= id)))
    }
}

/// The payment that a key or reference is of. A payment's second capture has its number behind.
fn owner(name: &str, prefix: &str) -> Option<PaymentId> {
    let rest = name.strip_prefix(prefix)?;
    let numbered = |text: &str| {
        text.rsplit_once('_').filter(|(_, number)| number.parse::<u32>().is_ok()).map(|(id, _)| id.parse())
    };
    rest.parse().ok().or_else(|| numbered(rest)?.ok())
}

/// What the books hold of one payment now.
pub async fn look_up(books: &Books, dossier: &Dossier) -> Result<PspFacts, BooksError> {
    let id = dossier.payment.id;
    let reference = format!("{REFERENCE}{id}");
    // The text without its end is below it, and at most 31 other ids lie between.
    let below = &reference[..reference.len() - 1];
    let near = books.authorizations(below, 64).await?;
    let authorization = near.into_iter().find(|authorization| authorization.reference == reference);
    let mut facts = PspFacts { authorization, ..Default::default() };
    for (place, (prefix, _)) in OPERATIONS.into_iter().enumerate() {
        facts.operations[place] = books.operation(&format!("{prefix}{id}")).await?;
    }
    for request in &dossier.settlements {
        if matches!(request.task, Task::Capture(2..))
            && let Some(operation) = books.operation(&request.key().0).await?
        {
            facts.enter(CAPTURE, operation);
        }
    }
    facts.refunds = refunds(books, dossier).await?;
    Ok(facts)
}

async fn refunds(books: &Books, dossier: &Dossier) -> Result<Vec<Option<OperationEntry>>, BooksError> {
    let mut found = Vec::with_capacity(dossier.refunds.len());
    for refund in &dossier.refunds {
        found.push(books.operation(&PspKey::refund(refund.id).0).await?);
    }
    Ok(found)
}

/// The amount that an operation moved; 0 if it was refused or is not there.
fn approved(operation: &Option<OperationEntry>) -> i64 {
    match operation.as_ref().map(|operation| &operation.outcome) {
        Some(BookedOutcome::Approved(minor)) => *minor,
        Some(BookedOutcome::Declined(_)) | None => 0,
    }
}

/// Holds the books against a payment.
pub fn judge(dossier: &Dossier, facts: &PspFacts) -> Vec<Finding> {
    use PaymentStatus::{Authorizing, Declined, Failed, Unknown};
    let payment = &dossier.payment;
    let mut findings = Vec::new();
    let kinds_fit = facts.operations.iter().zip(OPERATIONS).all(|(operation, (_, kind))| {
        operation
            .as_ref()
            .is_none_or(|operation| operation.kind == kind && operation.asked.currency == payment.currency)
    });
    let wrong = match payment.status {
        Authorizing | Unknown => {
            let status = payment.status.name();
            findings.push(Finding::in_flight(PspAuthorized, of(payment.id, status)));
            under_way(payment, facts)
        }
        Declined | Failed => refused(dossier, facts),
        _ => authorized(payment, facts),
    };
    let wrong = if kinds_fit { wrong } else { Some("an operation of another kind or currency".to_owned()) };
    findings.extend(wrong.map(|text| Finding::broken(PspAuthorized, of(payment.id, text))));
    findings.extend(moved(dossier, facts).map(|text| Finding::broken(PspMoved, of(payment.id, text))));
    findings
}

/// What was asked to be released.
fn release(dossier: &Dossier) -> Option<&PspRequest> {
    dossier.settlements.iter().find(|request| request.task == Task::Void)
}

fn under_way(payment: &Payment, facts: &PspFacts) -> Option<String> {
    let operation = facts.operations[0].as_ref()?;
    (operation.asked != payment.money(payment.amount)).then(|| format!("the psp was asked for {}", operation.asked))
}

/// Declined, or never sent.
fn refused(dossier: &Dossier, facts: &PspFacts) -> Option<String> {
    let payment = &dossier.payment;
    // What reached the PSP after it had been given up is released there.
    if release(dossier).is_some() {
        return None;
    }
    if let Some(authorization) = &facts.authorization {
        let (status, held) = (payment.status.name(), Money::new(authorization.amount, authorization.currency));
        return Some(format!("{status}, and the psp holds {held}"));
    }
    let has_declined =
        matches!(&facts.operations[0], Some(operation) if matches!(operation.outcome, BookedOutcome::Declined(_)));
    (!payment.is_not_sent() && !has_declined).then(|| "declined, and the psp never declined it".to_owned())
}

fn authorized(payment: &Payment, facts: &PspFacts) -> Option<String> {
    let Some(authorization) = &facts.authorization else {
        return Some(format!("{}, and the psp holds nothing", payment.status.name()));
    };
    let Some(operation) = &facts.operations[0] else {
        return Some("authorized, and the psp was never asked".to_owned());
    };
    let money = payment.money(payment.authorized);
    let is_same = Money::new(authorization.amount, authorization.currency) == money
        && operation.asked == money
        && operation.outcome == BookedOutcome::Approved(money.minor)
        && authorization.payment == payment.id.to_string()
        && authorization.merchant == payment.merchant_id
        && Some(&authorization.reference) == payment.psp_reference.as_ref();
    (!is_same).then(|| {
        format!(
            "authorized {money} for {} as {}, at the psp {} {} for {} as {}",
            payment.merchant_id,
            payment.psp_reference.as_deref().unwrap_or("nothing"),
            authorization.amount,
            authorization.currency,
            authorization.merchant,
            authorization.reference
        )
    })
}

/// What was captured, refunded and released. Work that is pending may be done at the PSP or not.
fn moved(dossier: &Dossier, facts: &PspFacts) -> impl Iterator<Item = String> {
    let payment = &dossier.payment;
    let (captured, refunded, voided) =
        facts.authorization.as_ref().map_or((0, 0, false), |found| (found.captured, found.refunded, found.voided));
    let by_operation = approved(&facts.operations[1]);
    let is_pending = payment.status == PaymentStatus::CaptureRequested;
    let may_be = |amount| amount == payment.captured || is_pending && amount == payment.capture_pending;
    let capture = (!may_be(captured) || captured != by_operation)
        .then(|| format!("captured {}, at the psp {captured}, by its operation {by_operation}", payment.captured));

    let release = release(dossier);
    let is_let_go = matches!(payment.status, PaymentStatus::Voided | PaymentStatus::Expired)
        || payment.is_not_sent() && release.is_some();
    let release_fits = match release.map(|request| request.status) {
        Some(RequestStatus::Pending) => is_let_go || !voided,
        _ => voided == is_let_go,
    };
    let by_operation = approved(&facts.operations[2]) > 0;
    let release = (!release_fits || voided != by_operation).then(|| {
        let words = if voided { "released" } else { "not released" };
        format!("{}, {words} at the psp", payment.status.name())
    });

    let by_operations: i128 = facts.refunds.iter().map(|operation| i128::from(approved(operation))).sum();
    let refund_sum = (i128::from(refunded) != by_operations)
        .then(|| format!("refunded {}, at the psp {refunded}, by its operations {by_operations}", payment.refunded));
    let refund = dossier.refunds.iter().zip(&facts.refunds).find_map(|(refund, operation)| {
        let (minor, approved) = (refund.money.minor, approved(operation));
        let fits = match refund.status {
            RefundStatus::Requested => approved == 0 || approved == minor,
            RefundStatus::Refunded => approved == minor,
            RefundStatus::Failed => approved == 0,
        };
        (!fits).then(|| format!("{} {} of {minor}, at the psp {approved}", refund.id, refund.status.name()))
    });
    [capture, release, refund_sum, refund].into_iter().flatten()
}
