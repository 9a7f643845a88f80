//! What several commands do to the unit of work: take keys, emit events, owe work to the PSP, store payments and dead
//! letters.

use crate::domain::capture::Capture;
use crate::domain::dead_letter::{Action, DeadLetterKind, LetterStatus, Operator, StoredDeadLetter};
use crate::domain::event::{Event, EventData, Topic, json};
use crate::domain::failure::Failure;
use crate::domain::id::{EventId, PaymentId, RefundId};
use crate::domain::idempotency::{IdempotencyRecord, KeyOutcome};
use crate::domain::key::{KeyHash, KeyedRequest};
use crate::domain::outcome::StoredResponse;
use crate::domain::payment::{Payment, Refusal, WaitingRefund};
use crate::domain::policy::Policy;
use crate::domain::refund::Refund;
use crate::domain::request::{PspRequest, RequestStatus, Task};
use crate::domain::shard_map::Bucket;
use crate::domain::time::Timestamp;
use crate::domain::timeline::TimelineKind;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::UnitOfWork;

/// Idempotency keys.
impl UnitOfWork<'_> {
    /// What the request gets if its key is taken; none if it is free.
    pub(super) fn outcome_of_taken_key<T>(&self, keyed_request: &KeyedRequest) -> Option<KeyOutcome<T>> {
        self.idempotency_records
            .get(&keyed_request.key_hash)
            .filter(|record| record.holds(self.now))
            .map(|record| record.again(keyed_request))
    }

    pub(super) fn take_key(
        &mut self,
        keyed_request: &KeyedRequest,
        merchant_id: &str,
        payment_id: PaymentId,
        recorded: Option<StoredResponse>,
    ) {
        let record = IdempotencyRecord {
            key_hash: keyed_request.key_hash,
            merchant_id: merchant_id.to_owned(),
            operation: keyed_request.operation,
            key: keyed_request.key.clone(),
            payment_id,
            fingerprint: keyed_request.fingerprint,
            finished_at: recorded.as_ref().map(|_| self.now),
            recorded,
            created_at: self.now,
            expires_at: self.now.after(self.policy.answers_kept),
            // A key whose time has passed is taken anew on the row that it has.
            version: self.idempotency_records.get(&keyed_request.key_hash).map_or(0, |past| past.version),
        };
        self.idempotency_records.put(keyed_request.key_hash, record);
    }

    /// The key's record, if it is still this payment's: after its expiry another payment may have taken the key.
    pub(super) fn record_of(&self, key_hash: KeyHash, payment_id: PaymentId) -> Option<&IdempotencyRecord> {
        self.idempotency_records.get(&key_hash).filter(|record| record.payment_id == payment_id)
    }
}

/// Payments, their events, and what is owed to the PSP for them.
impl UnitOfWork<'_> {
    /// Notes, on the payment and for the metrics, that it has entered its status.
    pub(super) fn enter(&mut self, payment: &mut Payment, trace: &TraceContext) {
        payment.timeline.note(self.now, TimelineKind::Decision, payment.status.name(), trace);
        self.entered.push(payment.status);
    }

    /// Puts an event into the outbox and notes it on the payment's timeline.
    pub(super) fn emit(
        &mut self,
        payment: &mut Payment,
        topic: Topic,
        amount: i64,
        refund_id: Option<RefundId>,
        trace: &TraceContext,
    ) -> EventId {
        let data = EventData::of(payment, amount, refund_id);
        self.put_event(payment, topic, &data, trace)
    }

    /// As [`Self::emit`], of a failure.
    pub(super) fn emit_failure(
        &mut self,
        payment: &mut Payment,
        amount: i64,
        refund_id: Option<RefundId>,
        failure: &Failure,
        trace: &TraceContext,
    ) {
        let data = EventData::of_failure(payment, amount, refund_id, failure);
        self.put_event(payment, Topic::Failed, &data, trace);
    }

    fn put_event(&mut self, payment: &mut Payment, topic: Topic, data: &EventData, trace: &TraceContext) -> EventId {
        let id: EventId = self.ids.next_above(self.now, payment.id.bucket(), payment.timeline.last_event());
        payment.timeline.note_event(self.now, topic.name(), id, trace);
        self.events.push(Event {
            id,
            payment_id: payment.id,
            topic: topic.name(),
            occurred_at: self.now,
            trace: *trace,
            payload: json(data),
        });
        id
    }

    /// Writes down work that is now owed to the PSP.
    pub(super) fn owe(&mut self, id: EventId, payment: &Payment, task: Task, amount: i64, trace: &TraceContext) {
        let request = PspRequest {
            id,
            payment_id: payment.id,
            task,
            money: payment.money(amount),
            status: RequestStatus::Pending,
            attempts: 0,
            unsure: false,
            due_at: Some(self.now.after(self.policy.request_grace)),
            last_error: None,
            trace: *trace,
            created_at: self.now,
            updated_at: self.now,
            version: 0,
        };
        match task {
            Task::Capture(_) | Task::Void => self.settlements.put(id, request),
            Task::Refund(_) => self.refund_requests.put(id, request),
        }
    }

    /// Has the PSP capture `amount`, or all that was authorized.
    pub(super) fn request_capture(
        &mut self,
        payment: &mut Payment,
        amount: Option<i64>,
        trace: &TraceContext,
    ) -> Result<(), Refusal> {
        let amount = payment.request_capture(amount, self.now)?;
        payment.capture = Some(Capture { id: self.ids.next(self.now, payment.id.bucket()), amount });
        self.enter(payment, trace);
        let event_id = self.emit(payment, Topic::CaptureRequested, amount, None, trace);
        self.owe(event_id, payment, Task::Capture(payment.capture_number()), amount, trace);
        Ok(())
    }

    /// Tells of an authorization that is voided or has expired, and has the PSP release it.
    pub(super) fn release_authorization(&mut self, payment: &mut Payment, trace: &TraceContext) {
        self.enter(payment, trace);
        let amount = payment.authorized;
        let event_id = self.emit(payment, Topic::Voided, amount, None, trace);
        self.owe(event_id, payment, Task::Void, amount, trace);
    }

    /// Has the PSP give back what was captured.
    pub(super) fn begin_refund(&mut self, payment: &mut Payment, waiting: WaitingRefund) -> Result<(), Refusal> {
        payment.request_refund(Some(waiting.amount), self.now)?;
        let trace = waiting.trace;
        self.enter(payment, &trace);
        let event_id = self.emit(payment, Topic::RefundRequested, waiting.amount, Some(waiting.id), &trace);
        self.owe(event_id, payment, Task::Refund(waiting.id), waiting.amount, &trace);
        let refund = Refund { updated_at: self.now, ..waiting.begun(payment) };
        self.refunds.put(refund.id, refund);
        Ok(())
    }

    pub(super) fn store_payment(&mut self, mut payment: Payment) {
        // The money's own rule, once more where it is written; the database checks it a third time.
        assert!(payment.is_sound(), "unsound amounts on {}", payment.id);
        if payment.timeline.is_long() {
            // A capture of before its event was kept is in the part that moves.
            payment.captured_event =
                payment.captured_event.or_else(|| payment.timeline.first_event(Topic::Captured.name()));
            let pages = payment.timeline.take_pages();
            self.timeline_pages.extend(pages.into_iter().map(|page| (payment.id, page)));
        }
        self.payments.put(payment.id, payment);
    }
}

/// Dead letters, and the trail of operators.
impl UnitOfWork<'_> {
    /// Keeps a letter, and publishes it unless it stands open for the same cause already. `about` is the payment, or
    /// any id of the shard.
    pub(super) fn store_letter(&mut self, mut letter: StoredDeadLetter, about: PaymentId, trace: TraceContext) {
        let before = self.letters.get(&letter.letter.id);
        let is_known = before.is_some_and(|before| {
            before.status == LetterStatus::Open && before.letter.error_type == letter.letter.error_type
        });
        if let Some(before) = before {
            letter.letter.first_failed_at = before.letter.first_failed_at;
            letter.letter.retry_count = letter.letter.retry_count.saturating_add(before.letter.retry_count);
            (letter.redrives, letter.version) = (before.redrives, before.version);
            if before.status == LetterStatus::Discarded {
                (letter.status, letter.note) = (LetterStatus::Discarded, before.note.clone());
            }
        }
        let is_open = letter.status == LetterStatus::Open;
        letter.due_at = if is_open { self.due_again(&letter) } else { None };
        if is_open && !is_known {
            self.events.push(Event {
                id: self.ids.next(self.now, about.bucket()),
                payment_id: about,
                topic: letter.letter.topic.name(),
                occurred_at: self.now,
                trace,
                payload: json(&letter.letter),
            });
        }
        self.letters.put(letter.letter.id, letter);
    }

    /// When an open letter is redriven by itself: events, up to so many times. Requests are tried on by the retrier as
    /// long as there is hope.
    fn due_again(&self, letter: &StoredDeadLetter) -> Option<Timestamp> {
        let Policy { redrive_every, redrives_max, .. } = *self.policy;
        let is_event = matches!(letter.matter, DeadLetterKind::Event { .. });
        (is_event && letter.redrives < redrives_max).then(|| self.now.after(redrive_every))
    }

    /// Writes what an operator did into the trail.
    pub(super) fn record_action(
        &mut self,
        operator: &Operator,
        kind: &'static str,
        bucket: Bucket,
        target: &str,
        detail: &str,
    ) {
        let Operator { name, request_id } = operator.clone();
        let id = self.ids.next(self.now, bucket);
        let (target, detail) = (target.to_owned(), detail.to_owned());
        self.actions.push(Action { id, at: self.now, operator: name, kind, target, detail, request_id });
    }
}
