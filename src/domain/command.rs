//! What a shard can be asked to change. Commands are values: they can be decided, dropped and decided again.

use super::dead_letter::{Disposal, Operator, StoredDeadLetter};
use super::event::{Consumer, EventData, Topic};
use super::id::{EntryId, EventId, LetterId, PaymentId};
use super::idempotency::KeyOutcome;
use super::key::{KeyHash, KeyedRequest, PaymentOperation};
use super::ledger::{self, Unbookable};
use super::money::{AmountOverflow, Money};
use super::outcome::StoredResponse;
use super::payment::{CaptureMode, Metadata, Refusal};
use super::psp::Verdict;
use super::request::{PspProgress, Task};
use super::shard_map::Bucket;
use super::time::Timestamp;
use super::trace::TraceContext;
use super::unit_of_work::{ReadSet, UnitOfWork};

/// One change that a shard can be asked for: which rows it needs, and what is decided on them.
pub trait Command: Send + 'static {
    /// What the decision tells whoever asked.
    type Answer: Send + 'static;

    /// A short name, for logs and dead letters.
    const KIND: &'static str;

    /// What the command is about, the same each time it comes again.
    fn key(&self) -> u128;

    fn trace(&self) -> Option<TraceContext>;

    /// Whether the decision may rest on rows as this process has written them last, instead of reading them. Only for
    /// commands that either write all that they rest on, so that versions guard it, or find it ended for good. Rows
    /// that must fit each other are read: of two, another process may have changed one that is known and one that is
    /// not.
    const TRUSTS_RECENT: bool = false;

    fn needs(&self, needs: &mut ReadSet);

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer;
}

/// Take on a payment: the intent, before the PSP is asked.
#[derive(Debug, Clone)]
pub struct Authorize {
    pub payment_id: PaymentId,
    pub merchant_id: String,
    pub money: Money,
    pub capture_mode: CaptureMode,
    pub description: Option<String>,
    pub metadata: Metadata,
    pub keyed_request: KeyedRequest,
    pub trace: TraceContext,
}

/// Take in what the PSP said about an authorization.
#[derive(Debug, Clone)]
pub struct RecordPspOutcome {
    pub payment_id: PaymentId,
    /// The claim that the authorization answers.
    pub key_hash: KeyHash,
    pub verdict: Verdict,
    /// Who only looked it up: the payment's `attempts` at that time. Two questions that were asked at once count as
    /// one.
    pub looked_up_at: Option<u32>,
    /// How long the PSP took, in milliseconds.
    pub took_ms: u64,
    /// The request that the answer is recorded for.
    pub request_id: String,
    pub trace: TraceContext,
}

/// Let go of an authorization that was taken on but never sent to the PSP: the payment ends, the key is free again.
#[derive(Debug, Clone)]
pub struct AbandonAuthorization {
    pub payment_id: PaymentId,
    pub key_hash: KeyHash,
    pub trace: TraceContext,
}

/// What a merchant can ask of a payment that exists.
#[derive(Debug, Clone)]
pub enum Change {
    /// Capture `amount`, or all.
    Capture {
        amount: Option<i64>,
    },
    Void,
    /// Refund `amount`, or all that is left.
    Refund {
        amount: Option<i64>,
        reason: Option<String>,
    },
}

impl Change {
    pub fn operation(&self) -> PaymentOperation {
        match self {
            Self::Capture { .. } => PaymentOperation::Capture,
            Self::Void => PaymentOperation::Void,
            Self::Refund { .. } => PaymentOperation::Refund,
        }
    }
}

/// Change a payment for its merchant.
#[derive(Debug, Clone)]
pub struct ChangePayment {
    pub payment_id: PaymentId,
    pub merchant_id: String,
    pub change: Change,
    pub keyed_request: Option<KeyedRequest>,
    pub request_id: String,
    pub trace: TraceContext,
}

/// Take in what the PSP said to one attempt at a request.
#[derive(Debug, Clone)]
pub struct RecordPspAttempt {
    pub request_id: EventId,
    pub payment_id: PaymentId,
    pub task: Task,
    pub verdict: Verdict,
    pub took_ms: u64,
    /// Any random number: it spreads the retries.
    pub chance: u64,
    /// The event that the attempt answers; none when the retrier made it.
    pub event: Option<(Consumer, EventId)>,
    pub trace: TraceContext,
}

/// What an attempt at a request came to, for whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempted {
    /// It was taken in.
    Progressed(PspProgress),
    /// The request has ended before, or there is none: nothing changed.
    Stale,
}

/// Why an event could not be booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostingError {
    #[error(transparent)]
    Unbookable(#[from] Unbookable),
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
}

/// Book an event in the ledger.
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
pub struct PostingAnew(pub PostLedgerEntry);

/// End an authorization whose time has passed.
#[derive(Debug, Clone)]
pub struct ExpireAuthorization {
    pub payment_id: PaymentId,
    pub trace: TraceContext,
}

/// Keep a dead letter and publish it.
#[derive(Debug, Clone)]
pub struct StoreDeadLetter {
    pub letter: StoredDeadLetter,
    /// The payment that it is about; of a record whose key is no payment, any id of the shard.
    pub about: PaymentId,
    pub trace: TraceContext,
}

/// Try again what a dead letter is about.
#[derive(Debug, Clone)]
pub struct Redrive {
    pub letter_id: LetterId,
    /// Only say what would be done.
    pub is_trial: bool,
    /// None for the schedule.
    pub operator: Option<Operator>,
    pub trace: TraceContext,
}

/// Close a dead letter whose event was applied after all.
#[derive(Debug, Clone)]
pub struct CloseDeadLetter {
    pub letter_id: LetterId,
    pub trace: TraceContext,
}

/// Put a dead letter away.
#[derive(Debug, Clone)]
pub struct Discard {
    pub letter_id: LetterId,
    pub reason: String,
    /// Only say what would be done.
    pub is_trial: bool,
    pub operator: Operator,
    pub trace: TraceContext,
}

/// Write into the trail what an operator did that changed no row.
#[derive(Debug, Clone)]
pub struct RecordOperatorAction {
    /// One of the shard's own: no other shard makes an action with its id.
    pub bucket: Bucket,
    pub kind: &'static str,
    pub target: String,
    pub detail: String,
    pub operator: Operator,
    pub trace: TraceContext,
}

/// Mark events as published, by their places in the outbox.
#[derive(Debug, Clone)]
pub struct MarkPublished {
    pub seqs: Vec<i64>,
}

/// Commit nothing: whoever asks wants to know that the shard's writer answers.
#[derive(Debug, Clone, Copy)]
pub struct Ping;

impl Command for Authorize {
    type Answer = KeyOutcome<()>;
    const KIND: &'static str = "authorize";

    fn key(&self) -> u128 {
        u128::from_be_bytes(self.keyed_request.key_hash.0)
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.claims.insert(self.keyed_request.key_hash);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.authorize(self)
    }
}

impl Command for RecordPspOutcome {
    type Answer = Result<StoredResponse, Refusal>;
    const KIND: &'static str = "conclude";
    const TRUSTS_RECENT: bool = true;

    fn key(&self) -> u128 {
        identity(self.payment_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.payments.insert(self.payment_id);
        needs.claims.insert(self.key_hash);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.conclude(self)
    }
}

impl Command for AbandonAuthorization {
    type Answer = Result<(), Refusal>;
    const KIND: &'static str = "release";
    const TRUSTS_RECENT: bool = true;

    fn key(&self) -> u128 {
        identity(self.payment_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.payments.insert(self.payment_id);
        needs.claims.insert(self.key_hash);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.release(self)
    }
}

impl Command for ChangePayment {
    type Answer = KeyOutcome<StoredResponse>;
    const KIND: &'static str = "change";

    fn key(&self) -> u128 {
        identity(self.payment_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.payments.insert(self.payment_id);
        needs.claims.extend(self.keyed_request.iter().map(|keyed_request| keyed_request.key_hash));
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.change(self)
    }
}

impl Command for RecordPspAttempt {
    type Answer = Result<Attempted, Refusal>;
    const KIND: &'static str = "attempt";

    fn key(&self) -> u128 {
        identity(self.request_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.payments.insert(self.payment_id);
        match self.task {
            Task::Capture(_) | Task::Void => needs.settlements.insert(self.request_id),
            Task::Refund(refund_id) => {
                needs.refunds.insert(refund_id);
                needs.refund_requests.insert(self.request_id)
            }
        };
        needs.processed.extend(self.event);
        // What the PSP approves is nobody's dead letter.
        if !matches!(self.verdict, Verdict::Approved { .. }) {
            needs.letters.insert(LetterId::of(self.request_id));
        }
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.attempt(self)
    }
}

impl Command for PostLedgerEntry {
    type Answer = Result<bool, PostingError>;
    const KIND: &'static str = "post";
    const TRUSTS_RECENT: bool = true;

    fn key(&self) -> u128 {
        identity(self.event_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.processed.insert((Consumer::Ledger, self.event_id));
        // The balances do not depend on the entry's id or time.
        if let Ok(entry) = ledger::entry(EntryId::from_stored(0), self.event_id, self.topic, &self.data, Timestamp(0)) {
            needs.balances.extend(<[_; 2]>::from(entry.balances()));
        }
        // What bears the event out.
        needs.payments.insert(self.data.payment_id);
        needs.refunds.extend(self.data.refund_id);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.post(self)
    }
}

impl Command for PostingAnew {
    type Answer = Result<bool, PostingError>;
    const KIND: &'static str = "post_anew";

    fn key(&self) -> u128 {
        self.0.key()
    }

    fn trace(&self) -> Option<TraceContext> {
        self.0.trace()
    }

    fn needs(&self, needs: &mut ReadSet) {
        self.0.needs(needs);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.post(&self.0)
    }
}

impl Command for ExpireAuthorization {
    type Answer = Result<(), Refusal>;
    const KIND: &'static str = "expire";
    const TRUSTS_RECENT: bool = true;

    fn key(&self) -> u128 {
        identity(self.payment_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.payments.insert(self.payment_id);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.expire(self)
    }
}

impl Command for StoreDeadLetter {
    type Answer = ();
    const KIND: &'static str = "bury";

    fn key(&self) -> u128 {
        identity(self.letter.letter.id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.letters.insert(self.letter.letter.id);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) {
        book.bury(self.letter.clone(), self.about, self.trace);
    }
}

impl Command for Redrive {
    type Answer = Option<Disposal>;
    const KIND: &'static str = "redrive";

    fn key(&self) -> u128 {
        identity(self.letter_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.letters.insert(self.letter_id);
        let request = EventId::from_stored(self.letter_id.get());
        needs.settlements.insert(request);
        needs.refund_requests.insert(request);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.redrive(self.letter_id, self.is_trial, self.operator.as_ref())
    }
}

impl Command for CloseDeadLetter {
    type Answer = ();
    const KIND: &'static str = "applied";

    fn key(&self) -> u128 {
        identity(self.letter_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.letters.insert(self.letter_id);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) {
        book.applied(self.letter_id);
    }
}

impl Command for Discard {
    type Answer = Option<Disposal>;
    const KIND: &'static str = "discard";

    fn key(&self) -> u128 {
        identity(self.letter_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, needs: &mut ReadSet) {
        needs.letters.insert(self.letter_id);
    }

    fn decide(&self, book: &mut UnitOfWork<'_>) -> Self::Answer {
        book.discard(self.letter_id, &self.reason, self.is_trial, &self.operator)
    }
}

impl Command for RecordOperatorAction {
    type Answer = ();
    const KIND: &'static str = "note";

    fn key(&self) -> u128 {
        self.trace.trace_id
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn needs(&self, _needs: &mut ReadSet) {}

    fn decide(&self, book: &mut UnitOfWork<'_>) {
        let Self { bucket, kind, target, detail, operator, .. } = self;
        book.note(Some(operator), kind, *bucket, target, detail);
    }
}

/// How a number becomes a command's identity.
fn identity(stored: i64) -> u128 {
    u128::from(stored.unsigned_abs())
}

impl Command for MarkPublished {
    type Answer = ();
    const KIND: &'static str = "published";

    fn key(&self) -> u128 {
        identity(self.seqs.first().copied().unwrap_or_default())
    }

    fn trace(&self) -> Option<TraceContext> {
        None
    }

    fn needs(&self, _needs: &mut ReadSet) {}

    fn decide(&self, book: &mut UnitOfWork<'_>) {
        book.published.extend_from_slice(&self.seqs);
    }
}

impl Command for Ping {
    type Answer = ();
    const KIND: &'static str = "ping";

    fn key(&self) -> u128 {
        0
    }

    fn trace(&self) -> Option<TraceContext> {
        None
    }

    fn needs(&self, _needs: &mut ReadSet) {}

    fn decide(&self, _book: &mut UnitOfWork<'_>) {}
}
