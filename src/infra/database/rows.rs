//! Rows to domain values and back. What a row holds was written by us; a row that cannot be read is damage, and is said
//! so.

use entities::{account_balance, idempotency_key, ledger_entry, outbox_event, payment, processed_event};
use entities::{refund, refund_request, settlement_request, timeline_page};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::IntoActiveModel;

use crate::domain::event::{Consumer, Event};
use crate::domain::idempotency::IdempotencyRecord;
use crate::domain::key::{Fingerprint, KeyHash, PaymentOperation};
use crate::domain::ledger::{Account, Balance, BalanceKey, LedgerEntry};
use crate::domain::outcome::StoredResponse;
use crate::domain::payment::{CaptureMode, Metadata, Payment, PaymentStatus};
use crate::domain::refund::{Refund, RefundStatus};
use crate::domain::request::{PspRequest, RequestStatus, Task};
use crate::domain::timeline::{Timeline, TimelinePage};
use crate::domain::{Currency, EntryId, EventId, Money, PaymentId, RefundId, Timestamp, TraceContext};

/// A row does not hold what Rialto writes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the {table} row {id} has an unreadable {column}")]
pub struct Damaged {
    pub table: &'static str,
    pub id: String,
    pub column: &'static str,
}

/// Reads columns of one row, naming row and column where one is unreadable.
pub struct Reading {
    pub table: &'static str,
    pub id: i64,
}

impl Reading {
    pub fn column<T>(&self, column: &'static str, value: Option<T>) -> Result<T, Damaged> {
        value.ok_or_else(|| Damaged { table: self.table, id: self.id.to_string(), column })
    }

    pub fn currency(&self, code: &str) -> Result<Currency, Damaged> {
        self.column("currency", Currency::stored(code).ok())
    }

    pub fn count(&self, column: &'static str, value: i32) -> Result<u32, Damaged> {
        self.column(column, u32::try_from(value).ok())
    }

    pub fn trace(&self, text: &str) -> Result<TraceContext, Damaged> {
        self.column("traceparent", text.parse().ok())
    }
}

pub fn payment(row: payment::Model) -> Result<Payment, Damaged> {
    let reading = Reading { table: "payment", id: row.id };
    let metadata = match &row.metadata {
        None => Metadata::new(),
        Some(json) => reading.column("metadata", serde_json::from_str(json).ok())?,
    };
    let refunds_waiting = match &row.refunds_waiting {
        None => Vec::new(),
        Some(json) => reading.column("refunds_waiting", serde_json::from_str(json).ok())?,
    };
    Ok(Payment {
        id: PaymentId::from_stored(row.id),
        status: reading.column("status", PaymentStatus::parse(&row.status))?,
        currency: reading.currency(&row.currency)?,
        amount: row.amount,
        authorized: row.authorized,
        capture_pending: row.capture_pending,
        captured: row.captured,
        refund_pending: row.refund_pending,
        refunded: row.refunded,
        refunds_waiting,
        capture_mode: if row.capture_mode == CaptureMode::Automatic.name() {
            CaptureMode::Automatic
        } else {
            CaptureMode::Manual
        },
        metadata,
        requested_at: Timestamp(row.requested_at),
        updated_at: Timestamp(row.updated_at),
        capture_before: row.capture_before.map(Timestamp),
        due_at: row.due_at.map(Timestamp),
        attempts: reading.count("attempts", row.attempts)?,
        key_hash: KeyHash(reading.column("claim", row.claim.try_into().ok())?),
        timeline: Timeline::from_stored(row.timeline),
        captured_event: row.captured_event.map(EventId::from_stored),
        refunds: reading.count("refunds", row.refunds)?,
        version: row.version,
        merchant_id: row.merchant_id,
        description: row.description,
        psp_reference: row.psp_reference,
        reason: row.reason,
    })
}

/// The row that a payment becomes: one version above the one that was read.
pub fn payment_row(payment: &Payment) -> payment::ActiveModel {
    payment::Model {
        id: payment.id.get(),
        merchant_id: payment.merchant_id.clone(),
        status: payment.status.name().to_owned(),
        currency: payment.currency.code().to_owned(),
        amount: payment.amount,
        authorized: payment.authorized,
        capture_pending: payment.capture_pending,
        captured: payment.captured,
        refund_pending: payment.refund_pending,
        refunded: payment.refunded,
        capture_mode: payment.capture_mode.name().to_owned(),
        description: payment.description.clone(),
        metadata: (!payment.metadata.is_empty()).then(|| json_of_texts(&payment.metadata)),
        psp_reference: payment.psp_reference.as_deref().map(|text| cut(text, 64)),
        reason: payment.reason.as_deref().map(|text| cut(text, 64)),
        requested_at: payment.requested_at.0,
        updated_at: payment.updated_at.0,
        capture_before: payment.capture_before.map(|time| time.0),
        due_at: payment.due_at.map(|time| time.0),
        attempts: count(payment.attempts),
        claim: payment.key_hash.0.to_vec(),
        timeline: payment.timeline.as_stored().to_owned(),
        captured_event: payment.captured_event.map(EventId::get),
        refunds: count(payment.refunds),
        version: payment.version + 1,
        refunds_waiting: (!payment.refunds_waiting.is_empty()).then(|| json_of_texts(&payment.refunds_waiting)),
    }
    .into_active_model()
}

/// The row of entries that have moved out of a payment's row.
pub fn timeline_page_row(payment_id: PaymentId, page: &TimelinePage) -> timeline_page::ActiveModel {
    timeline_page::Model {
        payment_id: payment_id.get(),
        first: count(page.first),
        entries: page.entries.as_stored().to_owned(),
    }
    .into_active_model()
}

pub fn refund(row: refund::Model) -> Result<Refund, Damaged> {
    let reading = Reading { table: "refund", id: row.id };
    Ok(Refund {
        id: RefundId::from_stored(row.id),
        payment_id: PaymentId::from_stored(row.payment_id),
        money: Money::new(row.amount, reading.currency(&row.currency)?),
        status: reading.column("status", RefundStatus::parse(&row.status))?,
        requested_at: Timestamp(row.requested_at),
        updated_at: Timestamp(row.updated_at),
        version: row.version,
        merchant_id: row.merchant_id,
        reason: row.reason,
        psp_reference: row.psp_reference,
        failure: row.failure,
        refunded_event: row.refunded_event.map(EventId::from_stored),
    })
}

pub fn refund_row(refund: &Refund) -> refund::ActiveModel {
    refund::Model {
        id: refund.id.get(),
        payment_id: refund.payment_id.get(),
        merchant_id: refund.merchant_id.clone(),
        currency: refund.money.currency.code().to_owned(),
        amount: refund.money.minor,
        status: refund.status.name().to_owned(),
        reason: refund.reason.clone(),
        psp_reference: refund.psp_reference.as_deref().map(|text| cut(text, 64)),
        failure: refund.failure.as_deref().map(|text| cut(text, 64)),
        refunded_event: refund.refunded_event.map(EventId::get),
        requested_at: refund.requested_at.0,
        updated_at: refund.updated_at.0,
        version: refund.version + 1,
    }
    .into_active_model()
}

pub fn claim(row: idempotency_key::Model) -> Result<IdempotencyRecord, Damaged> {
    let reading = Reading { table: "idempotency_key", id: row.payment_id };
    let recorded: Option<StoredResponse> = match &row.outcome {
        None => None,
        Some(json) => Some(reading.column("outcome", serde_json::from_str(json).ok())?),
    };
    Ok(IdempotencyRecord {
        key_hash: KeyHash(reading.column("scope", row.scope.try_into().ok())?),
        operation: reading.column("operation", PaymentOperation::parse(&row.operation))?,
        payment_id: PaymentId::from_stored(row.payment_id),
        fingerprint: Fingerprint(reading.column("fingerprint", row.fingerprint.try_into().ok())?),
        recorded,
        created_at: Timestamp(row.created_at),
        finished_at: row.finished_at.map(Timestamp),
        expires_at: Timestamp(row.expires_at),
        version: row.version,
        merchant_id: row.merchant_id,
        key: row.idempotency_key,
    })
}

pub fn claim_row(claim: &IdempotencyRecord) -> idempotency_key::ActiveModel {
    idempotency_key::Model {
        scope: claim.key_hash.0.to_vec(),
        merchant_id: claim.merchant_id.clone(),
        operation: claim.operation.name().to_owned(),
        idempotency_key: claim.key.clone(),
        payment_id: claim.payment_id.get(),
        fingerprint: claim.fingerprint.0.to_vec(),
        outcome: claim.recorded.as_ref().map(json_of_texts),
        created_at: claim.created_at.0,
        finished_at: claim.finished_at.map(|time| time.0),
        expires_at: claim.expires_at.0,
        version: claim.version + 1,
    }
    .into_active_model()
}

pub fn settlement(row: settlement_request::Model) -> Result<PspRequest, Damaged> {
    let reading = Reading { table: "settlement_request", id: row.id };
    Ok(PspRequest {
        id: EventId::from_stored(row.id),
        payment_id: PaymentId::from_stored(row.payment_id),
        task: reading.column("kind", Task::of_kind(&row.kind))?,
        money: Money::new(row.amount, reading.currency(&row.currency)?),
        status: reading.column("status", RequestStatus::parse(&row.status))?,
        attempts: reading.count("attempts", row.attempts)?,
        unsure: row.unsure,
        due_at: row.due_at.map(Timestamp),
        trace: reading.trace(&row.traceparent)?,
        created_at: Timestamp(row.created_at),
        updated_at: Timestamp(row.updated_at),
        version: row.version,
        last_error: row.last_error,
    })
}

pub fn settlement_row(request: &PspRequest) -> settlement_request::ActiveModel {
    settlement_request::Model {
        id: request.id.get(),
        payment_id: request.payment_id.get(),
        kind: request.task.kind(),
        amount: request.money.minor,
        currency: request.money.currency.code().to_owned(),
        status: request.status.name().to_owned(),
        attempts: count(request.attempts),
        unsure: request.unsure,
        due_at: request.due_at.map(|time| time.0),
        last_error: request.last_error.as_deref().map(|text| cut(text, 255)),
        traceparent: request.trace.to_string(),
        created_at: request.created_at.0,
        updated_at: request.updated_at.0,
        version: request.version + 1,
    }
    .into_active_model()
}

pub fn refund_request(row: refund_request::Model) -> Result<PspRequest, Damaged> {
    let reading = Reading { table: "refund_request", id: row.id };
    Ok(PspRequest {
        id: EventId::from_stored(row.id),
        payment_id: PaymentId::from_stored(row.payment_id),
        task: Task::Refund(RefundId::from_stored(row.refund_id)),
        money: Money::new(row.amount, reading.currency(&row.currency)?),
        status: reading.column("status", RequestStatus::parse(&row.status))?,
        attempts: reading.count("attempts", row.attempts)?,
        unsure: row.unsure,
        due_at: row.due_at.map(Timestamp),
        trace: reading.trace(&row.traceparent)?,
        created_at: Timestamp(row.created_at),
        updated_at: Timestamp(row.updated_at),
        version: row.version,
        last_error: row.last_error,
    })
}

/// The row of a request for the refund `refund_id`.
pub fn refund_request_row(request: &PspRequest, refund_id: RefundId) -> refund_request::ActiveModel {
    refund_request::Model {
        id: request.id.get(),
        refund_id: refund_id.get(),
        payment_id: request.payment_id.get(),
        amount: request.money.minor,
        currency: request.money.currency.code().to_owned(),
        status: request.status.name().to_owned(),
        attempts: count(request.attempts),
        unsure: request.unsure,
        due_at: request.due_at.map(|time| time.0),
        last_error: request.last_error.as_deref().map(|text| cut(text, 255)),
        traceparent: request.trace.to_string(),
        created_at: request.created_at.0,
        updated_at: request.updated_at.0,
        version: request.version + 1,
    }
    .into_active_model()
}

pub fn balance(row: account_balance::Model) -> Result<(BalanceKey, Balance), Damaged> {
    let unreadable = |column| Damaged { table: "account_balance", id: row.merchant_id.clone(), column };
    let key = BalanceKey {
        merchant_id: row.merchant_id.clone(),
        account: Account::parse(&row.account).ok_or_else(|| unreadable("account"))?,
        currency: Currency::stored(&row.currency).map_err(|_| unreadable("currency"))?,
    };
    Ok((key, Balance { debits: row.debits, credits: row.credits, version: row.version }))
}

pub fn balance_row(key: &BalanceKey, balance: &Balance) -> account_balance::ActiveModel {
    account_balance::Model {
        merchant_id: key.merchant_id.clone(),
        account: key.account.name().to_owned(),
        currency: key.currency.code().to_owned(),
        debits: balance.debits,
        credits: balance.credits,
        version: balance.version + 1,
    }
    .into_active_model()
}

pub fn ledger_entry(row: ledger_entry::Model) -> Result<LedgerEntry, Damaged> {
    let reading = Reading { table: "ledger_entry", id: row.id };
    Ok(LedgerEntry {
        id: EntryId::from_stored(row.id),
        event_id: EventId::from_stored(row.event_id),
        payment_id: PaymentId::from_stored(row.payment_id),
        refund_id: row.refund_id.map(RefundId::from_stored),
        debit: reading.column("debit_account", Account::parse(&row.debit_account))?,
        credit: reading.column("credit_account", Account::parse(&row.credit_account))?,
        money: Money::new(row.amount, reading.currency(&row.currency)?),
        created_at: Timestamp(row.created_at),
        merchant_id: row.merchant_id,
    })
}

pub fn ledger_entry_row(entry: &LedgerEntry) -> ledger_entry::ActiveModel {
    ledger_entry::Model {
        id: entry.id.get(),
        event_id: entry.event_id.get(),
        payment_id: entry.payment_id.get(),
        refund_id: entry.refund_id.map(RefundId::get),
        merchant_id: entry.merchant_id.clone(),
        debit_account: entry.debit.name().to_owned(),
        credit_account: entry.credit.name().to_owned(),
        amount: entry.money.minor,
        currency: entry.money.currency.code().to_owned(),
        created_at: entry.created_at.0,
    }
    .into_active_model()
}

/// The outbox row of an event; the database gives it its place in the order.
pub fn event_row(event: &Event) -> outbox_event::ActiveModel {
    outbox_event::ActiveModel {
        seq: NotSet,
        event_id: Set(event.id.get()),
        payment_id: Set(event.payment_id.get()),
        topic: Set(event.topic.to_owned()),
        payload: Set(event.payload.clone()),
        traceparent: Set(event.trace.to_string()),
        occurred_at: Set(event.occurred_at.0),
        published_at: Set(None),
    }
}

pub fn processed_row(consumer: Consumer, event_id: EventId, at: Timestamp) -> processed_event::ActiveModel {
    processed_event::Model { consumer: consumer.name().to_owned(), event_id: event_id.get(), processed_at: at.0 }
        .into_active_model()
}

/// Text that others gave us, cut to its column's width in characters.
pub fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

pub fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn json_of_texts(value: &impl serde::Serialize) -> String {
    // invariant: plain data with text keys always have a JSON form.
    serde_json::to_string(value).expect("plain data have a JSON form")
}
