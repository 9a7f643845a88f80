//! The decisions: each takes a command, looks at the rows of the book, and either writes the whole change into it or
//! says why not. Nothing else in Rialto changes a payment.

use super::command::{
    AbandonAuthorization, Attempted, Authorize, Change, ChangePayment, ExpireAuthorization, RecordPspAttempt,
    RecordPspOutcome,
};
use super::dead_letter::{DeadLetter, DeadLetterKind, Source, StoredDeadLetter};
use super::event::{DeadLetterTopic, Event, EventData, Topic, json};
use super::id::{EventId, LetterId, PaymentId, RefundId};
use super::idempotency::{IdempotencyRecord, KeyOutcome};
use super::key::{KeyHash, KeyedRequest};
use super::outcome::{PaymentOutcome, PaymentSnapshot, StoredResponse};
use super::payment::{CaptureMode, Payment, PaymentStatus, Refusal, WaitingRefund};
use super::policy::Policy;
use super::psp::Verdict;
use super::refund::Refund;
use super::request::{PspProgress, PspRequest, RequestStatus, Task};
use super::time::Timestamp;
use super::timeline::{Timeline, TimelineKind};
use super::trace::TraceContext;
use super::unit_of_work::UnitOfWork;

/// Why a refund failed that waited for its capture.
const CAPTURE_FAILED: &str = "capture_failed";

/// Whether a refusal stays true, whatever becomes of the payment by itself and by other calls.
fn stays(payment: &Payment, order: &ChangePayment, refusal: &Refusal) -> bool {
    let may_become = |next: PaymentStatus| move |status: PaymentStatus| status.may_become(next);
    match (refusal, &order.change) {
        (Refusal::PaymentNotFound | Refusal::AmountOverflow, _) => false,
        (Refusal::CaptureExceedsAuthorized { .. } | Refusal::RefundLimitReached { .. }, _) => true,
        (Refusal::StateConflict { status }, Change::Capture { .. }) => {
            !status.may_reach(may_become(PaymentStatus::CaptureRequested))
        }
        (Refusal::StateConflict { status }, Change::Void) => !status.may_reach(may_become(PaymentStatus::Voided)),
        (Refusal::StateConflict { status }, Change::Refund { .. }) => !status.may_reach(PaymentStatus::may_be_refunded),
        // Refunds under way may fail, and another capture may be of more.
        (Refusal::RefundExceedsCaptured { .. }, Change::Refund { amount: Some(amount), .. }) => {
            let most = match payment.status {
                PaymentStatus::CaptureRequested => payment.authorized,
                _ => payment.captured.saturating_sub(payment.refunded),
            };
            *amount > most
        }
        (Refusal::RefundExceedsCaptured { .. }, _) => false,
    }
}

impl Authorize {
    /// The payment that the order takes on.
    pub fn payment(&self, policy: &Policy, now: Timestamp) -> Payment {
        let mut timeline = Timeline::default();
        // The id's own time, so that a list by time and a list by id are one; but ids never go back, and stay ahead of
        // a clock that does: then it is the clock's.
        let requested_at = self.payment_id.time().min(now);
        timeline.note(requested_at, TimelineKind::Requested, format!("authorize {}", self.money), &self.trace);
        Payment {
            id: self.payment_id,
            merchant_id: self.merchant_id.clone(),
            status: PaymentStatus::Authorizing,
            currency: self.money.currency,
            amount: self.money.minor,
            authorized: 0,
            capture_pending: 0,
            captured: 0,
            refund_pending: 0,
            refunded: 0,
            refunds_waiting: Vec::new(),
            capture_mode: self.capture_mode,
            description: self.description.clone(),
            metadata: self.metadata.clone(),
            psp_reference: None,
            reason: None,
            requested_at,
            updated_at: now,
            capture_before: None,
            due_at: Some(now.after(policy.resolve_after)),
            attempts: 0,
            claim: self.keyed_request.key_hash,
            timeline,
            captured_event: None,
            refunds: 0,
            version: 0,
        }
    }
}

impl UnitOfWork<'_> {
    /// Claims the key and writes the intent. Until this is durable, nobody may ask the PSP.
    pub fn authorize(&mut self, order: &Authorize) -> KeyOutcome<()> {
        if let Some(claimed) = self.claimed(&order.keyed_request) {
            return claimed;
        }
        let payment = order.payment(self.policy, self.now);
        #[cfg(test)]
        if super::planted::is_planted(super::planted::Bug::NonAtomicClaim) {
            self.store(payment);
            return KeyOutcome::Fresh(());
        }
        self.claim(&order.keyed_request, &order.merchant_id, order.payment_id, None);
        self.entered.push(payment.status);
        self.store(payment);
        KeyOutcome::Fresh(())
    }

    /// Writes what the PSP said, the answer and the events. The first conclusion wins: one that comes later is told how
    /// the payment stands.
    pub fn conclude(&mut self, conclusion: &RecordPspOutcome) -> Result<StoredResponse, Refusal> {
        let RecordPspOutcome { payment_id, verdict, trace, .. } = conclusion;
        let mut payment = self.payments.get(payment_id).ok_or(Refusal::PaymentNotFound)?.clone();
        let before = payment.status;
        let now = self.now;
        if !matches!(before, PaymentStatus::Authorizing | PaymentStatus::Unknown) {
            self.release_late(&mut payment, conclusion);
            return Ok(self.finish(conclusion, PaymentOutcome::of_authorization(&payment)));
        }
        // The resolver died or gave up waiting, and has asked again before this answer was written: only time makes
        // "the PSP does not know it" mean "it was never sent".
        let is_stale = conclusion.looked_up_at.is_some_and(|attempts| attempts != payment.attempts);
        if is_stale && matches!(verdict, Verdict::Absent | Verdict::Unknown { .. }) {
            return Ok(self.finish(conclusion, PaymentOutcome::of_authorization(&payment)));
        }
        payment.timeline.note_call(now, "authorize", verdict, conclusion.took_ms, trace);
        payment.conclude_authorization(verdict, self.policy, now)?;
        if payment.status != before {
            self.enter(&mut payment, trace);
        }
        match payment.status {
            PaymentStatus::Authorized => {
                let amount = payment.authorized;
                self.tell(&mut payment, Topic::Authorized, amount, None, trace);
                if payment.capture_mode == CaptureMode::Automatic {
                    self.request_capture(&mut payment, None, trace)?;
                }
            }
            PaymentStatus::Declined => {
                let amount = payment.amount;
                self.tell(&mut payment, Topic::Failed, amount, None, trace);
            }
            _ => {}
        }
        let outcome = PaymentOutcome::of_authorization(&payment);
        self.store(payment);
        Ok(self.finish(conclusion, outcome))
    }

    /// Has the PSP release what reached it after it had been given up: its key may have been used again.
    fn release_late(&mut self, payment: &mut Payment, conclusion: &RecordPspOutcome) {
        let Verdict::Approved { reference, .. } = &conclusion.verdict else { return };
        if !payment.is_not_sent() || payment.psp_reference.is_some() {
            return;
        }
        let (now, trace) = (self.now, &conclusion.trace);
        payment.psp_reference = Some(reference.clone());
        payment.updated_at = now;
        payment.timeline.note_call(now, "authorize", &conclusion.verdict, conclusion.took_ms, trace);
        let id = self.ids.next(now, payment.id.bucket());
        self.owe(id, payment, Task::Void, payment.amount, trace);
        self.store(payment.clone());
    }

    /// Takes back an authorization of which nothing was sent and nobody was told: as if it had not been, with its key
    /// free.
    pub fn release(&mut self, release: &AbandonAuthorization) -> Result<(), Refusal> {
        let payment = self.payments.get(&release.payment_id).ok_or(Refusal::PaymentNotFound)?;
        if payment.status != PaymentStatus::Authorizing {
            return Err(Refusal::StateConflict { status: payment.status });
        }
        if self.claim_of(release.key_hash, release.payment_id).is_some_and(|claim| claim.recorded.is_none()) {
            self.claims.remove(&release.key_hash);
        }
        self.payments.remove(&release.payment_id);
        Ok(())
    }

    /// Captures, voids or refunds for the merchant. What the rules refuse for good is an outcome too: it is recorded
    /// under the key. A refusal that may pass by itself is not, so that the same call may succeed later.
    pub fn change(&mut self, order: &ChangePayment) -> KeyOutcome<StoredResponse> {
        if let Some(claimed) = order.keyed_request.as_ref().and_then(|keyed_request| self.claimed(keyed_request)) {
            return claimed;
        }
        let (outcome, stays) = match self.changed(order) {
            Ok(outcome) => (outcome, true),
            Err(refusal) => {
                let stays = self.payments.get(&order.payment_id).is_some_and(|payment| stays(payment, order, &refusal));
                (PaymentOutcome::Refused { refusal }, stays)
            }
        };
        let mut recorded = StoredResponse { outcome, request_id: order.request_id.clone(), kept_until: None };
        if let Some(keyed_request) = order.keyed_request.as_ref().filter(|_| stays) {
            recorded.kept_until = Some(self.now.after(self.policy.answers_kept));
            self.claim(keyed_request, &order.merchant_id, order.payment_id, Some(recorded.clone()));
        }
        KeyOutcome::Fresh(recorded)
    }

    fn changed(&mut self, order: &ChangePayment) -> Result<PaymentOutcome, Refusal> {
        let payment = self.payments.get(&order.payment_id).filter(|payment| payment.merchant_id == order.merchant_id);
        let mut payment = payment.ok_or(Refusal::PaymentNotFound)?.clone();
        let trace = &order.trace;
        let refund_id = match &order.change {
            Change::Capture { amount } => {
                self.request_capture(&mut payment, *amount, trace)?;
                None
            }
            Change::Void => {
                payment.void(self.now)?;
                self.let_go(&mut payment, trace);
                None
            }
            Change::Refund { amount, reason } => Some(self.request_refund(&mut payment, *amount, reason, trace)?),
        };
        let outcome = PaymentOutcome::Done { payment: PaymentSnapshot::from(&payment), refund_id };
        self.store(payment);
        Ok(outcome)
    }

    fn request_capture(
        &mut self,
        payment: &mut Payment,
        amount: Option<i64>,
        trace: &TraceContext,
    ) -> Result<(), Refusal> {
        let amount = payment.request_capture(amount, self.now)?;
        self.enter(payment, trace);
        let event_id = self.tell(payment, Topic::CaptureRequested, amount, None, trace);
        self.owe(event_id, payment, Task::Capture(payment.capture_number()), amount, trace);
        Ok(())
    }

    /// Tells of an authorization that is voided or has expired, and has the PSP release it.
    fn let_go(&mut self, payment: &mut Payment, trace: &TraceContext) {
        self.enter(payment, trace);
        let amount = payment.authorized;
        let event_id = self.tell(payment, Topic::Voided, amount, None, trace);
        self.owe(event_id, payment, Task::Void, amount, trace);
    }

    fn request_refund(
        &mut self,
        payment: &mut Payment,
        amount: Option<i64>,
        reason: &Option<String>,
        trace: &TraceContext,
    ) -> Result<RefundId, Refusal> {
        if !payment.status.may_be_refunded() {
            return Err(Refusal::StateConflict { status: payment.status });
        }
        let limit = self.policy.refunds_max;
        if payment.refunds >= limit {
            return Err(Refusal::RefundLimitReached { limit });
        }
        let amount = payment.amount_to_refund(amount)?;
        payment.refunds = payment.refunds.saturating_add(1);
        let id: RefundId = self.ids.next(self.now, payment.id.bucket());
        let refund = WaitingRefund { id, amount, reason: reason.clone(), requested_at: self.now, trace: *trace };
        if payment.status == PaymentStatus::CaptureRequested {
            payment.wait_to_refund(refund)?;
            let waits = format!("refund of {} waits for the capture", payment.money(amount));
            payment.timeline.note(self.now, TimelineKind::Decision, waits, trace);
        } else {
            self.begin_refund(payment, refund)?;
        }
        Ok(id)
    }

    /// Has the PSP give back what was captured.
    fn begin_refund(&mut self, payment: &mut Payment, asked: WaitingRefund) -> Result<(), Refusal> {
        payment.request_refund(Some(asked.amount), self.now)?;
        let trace = asked.trace;
        self.enter(payment, &trace);
        let event_id = self.tell(payment, Topic::RefundRequested, asked.amount, Some(asked.id), &trace);
        self.owe(event_id, payment, Task::Refund(asked.id), asked.amount, &trace);
        let refund = Refund { updated_at: self.now, ..asked.begun(payment) };
        self.refunds.put(refund.id, refund);
        Ok(())
    }

    /// Tells of a refund that waited for a capture which has failed: it was asked for, and has failed with it.
    fn fail_waiting(&mut self, payment: &mut Payment, asked: WaitingRefund) -> Result<(), Refusal> {
        let (now, trace) = (self.now, asked.trace);
        let event_id = self.tell(payment, Topic::RefundRequested, asked.amount, Some(asked.id), &trace);
        self.owe(event_id, payment, Task::Refund(asked.id), asked.amount, &trace);
        if let Some(owed) = self.refund_requests.get(&event_id).cloned() {
            let last_error = Some(CAPTURE_FAILED.to_owned());
            let never = PspRequest { status: RequestStatus::Failed, due_at: None, last_error, ..owed };
            self.refund_requests.put(event_id, never);
        }
        self.tell(payment, Topic::Failed, asked.amount, Some(asked.id), &trace);
        let mut refund = asked.begun(payment);
        refund.failed(CAPTURE_FAILED, now).map_err(|_| Refusal::StateConflict { status: payment.status })?;
        self.refunds.put(refund.id, refund);
        Ok(())
    }

    /// Takes in an attempt at a request: the request, the payment, the refund and the events move together.
    pub fn attempt(&mut self, attempt: &RecordPspAttempt) -> Result<Attempted, Refusal> {
        if attempt.event.is_some_and(|event| self.processed.get(&event).is_some()) {
            return Ok(Attempted::Stale);
        }
        let shelf = match attempt.task {
            Task::Capture(_) | Task::Void => &self.settlements,
            Task::Refund(_) => &self.refund_requests,
        };
        let request = shelf.get(&attempt.request_id).filter(|request| request.status == RequestStatus::Pending);
        let (Some(request), Some(payment)) = (request, self.payments.get(&attempt.payment_id)) else {
            return Ok(Attempted::Stale);
        };
        let (mut request, mut payment) = (request.clone(), payment.clone());
        let (now, trace, verdict) = (self.now, &attempt.trace, &attempt.verdict);
        payment.timeline.note_call(now, attempt.task.name(), verdict, attempt.took_ms, trace);
        let progress = request.take(verdict, self.policy, attempt.chance, now);
        match &progress {
            PspProgress::Done => self.request_done(&mut payment, &request, verdict, trace)?,
            PspProgress::Failed { reason } => {
                self.request_failed(&mut payment, &request, reason, trace)?;
                self.bury_request(&request, "retries_exhausted_or_declined", reason);
            }
            PspProgress::Again { exhausted } => {
                let again = format!("{} try {} failed", attempt.task.name(), request.attempts);
                payment.timeline.note(now, TimelineKind::Retry, again, trace);
                if *exhausted {
                    self.bury_request(
                        &request,
                        "outcome_unknown",
                        "out of tries with an effect in doubt; it is tried on",
                    );
                }
            }
        }
        if let Some(event) = attempt.event {
            self.processed.put(event, now);
        }
        match attempt.task {
            Task::Capture(_) | Task::Void => self.settlements.put(request.id, request),
            Task::Refund(_) => self.refund_requests.put(request.id, request),
        }
        self.store(payment);
        Ok(Attempted::Progressed(progress))
    }

    fn request_done(
        &mut self,
        payment: &mut Payment,
        request: &PspRequest,
        verdict: &Verdict,
        trace: &TraceContext,
    ) -> Result<(), Refusal> {
        let (now, amount) = (self.now, request.money.minor);
        let (topic, refund_id) = match request.task {
            Task::Capture(_) => {
                payment.capture_done(now)?;
                (Topic::Captured, None)
            }
            // The payment was voided or had expired when the release was asked for.
            Task::Void => return Ok(()),
            Task::Refund(refund_id) => {
                payment.refund_done(amount, now)?;
                let reference = match verdict {
                    Verdict::Approved { reference, .. } => reference.clone(),
                    _ => String::new(),
                };
                self.end_refund(refund_id, |refund| refund.done(reference, now))?;
                (Topic::Refunded, Some(refund_id))
            }
        };
        self.enter(payment, trace);
        let event_id = self.tell(payment, topic, amount, refund_id, trace);
        match refund_id {
            None => payment.captured_event = Some(event_id),
            Some(refund_id) => {
                if let Some(refund) = self.refunds.get(&refund_id).cloned() {
                    self.refunds.put(refund_id, Refund { refunded_event: Some(event_id), ..refund });
                }
            }
        }
        for asked in std::mem::take(&mut payment.refunds_waiting) {
            self.begin_refund(payment, asked)?;
        }
        Ok(())
    }

    fn request_failed(
        &mut self,
        payment: &mut Payment,
        request: &PspRequest,
        reason: &str,
        trace: &TraceContext,
    ) -> Result<(), Refusal> {
        let (now, amount) = (self.now, request.money.minor);
        let mut waiting = Vec::new();
        let refund_id = match request.task {
            Task::Capture(_) => {
                waiting = std::mem::take(&mut payment.refunds_waiting);
                payment.capture_failed(reason, now)?;
                None
            }
            Task::Void => return Ok(()),
            Task::Refund(refund_id) => {
                payment.refund_failed(amount, now)?;
                self.end_refund(refund_id, |refund| refund.failed(reason, now))?;
                Some(refund_id)
            }
        };
        self.enter(payment, trace);
        self.tell(payment, Topic::Failed, amount, refund_id, trace);
        waiting.into_iter().try_for_each(|asked| self.fail_waiting(payment, asked))
    }

    fn end_refund(
        &mut self,
        id: RefundId,
        end: impl FnOnce(&mut Refund) -> Result<(), super::refund::RefundEnded>,
    ) -> Result<(), Refusal> {
        let mut refund = self.refunds.get(&id).ok_or(Refusal::PaymentNotFound)?.clone();
        end(&mut refund).map_err(|_| Refusal::StateConflict { status: PaymentStatus::Refunded })?;
        self.refunds.put(id, refund);
        Ok(())
    }

    pub fn expire(&mut self, expiry: &ExpireAuthorization) -> Result<(), Refusal> {
        let mut payment = self.payments.get(&expiry.payment_id).ok_or(Refusal::PaymentNotFound)?.clone();
        payment.expire(self.now)?;
        self.let_go(&mut payment, &expiry.trace);
        self.store(payment);
        Ok(())
    }

    fn bury_request(&mut self, request: &PspRequest, error_type: &str, error_message: &str) {
        let (topic, source) = match request.task {
            Task::Capture(_) => (DeadLetterTopic::Settlement, Topic::CaptureRequested),
            Task::Void => (DeadLetterTopic::Settlement, Topic::Voided),
            Task::Refund(_) => (DeadLetterTopic::Refund, Topic::RefundRequested),
        };
        let payload = serde_json::json!({
            "requestId": request.id,
            "paymentId": request.payment_id,
            "task": request.task.name(),
            "amount": request.money.minor,
            "currency": request.money.currency,
            "lastError": request.last_error,
        });
        let letter = DeadLetter {
            id: LetterId::of(request.id),
            topic,
            source: Source {
                topic: source.name().to_owned(),
                partition: None,
                offset: None,
                key: request.payment_id.to_string(),
            },
            payload: payload.to_string(),
            error_type: error_type.to_owned(),
            error_message: error_message.to_owned(),
            retry_count: request.attempts,
            first_failed_at: request.created_at,
            last_failed_at: self.now,
            trace_id: Some(request.trace.trace_id_hex()),
        };
        self.bury(StoredDeadLetter::new(letter, DeadLetterKind::Request), request.payment_id, request.trace);
    }

    fn claimed<T>(&self, keyed_request: &KeyedRequest) -> Option<KeyOutcome<T>> {
        self.claims
            .get(&keyed_request.key_hash)
            .filter(|claim| claim.holds(self.now))
            .map(|claim| claim.again(keyed_request))
    }

    fn claim(
        &mut self,
        keyed_request: &KeyedRequest,
        merchant_id: &str,
        payment_id: PaymentId,
        recorded: Option<StoredResponse>,
    ) {
        let claim = IdempotencyRecord {
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
            version: self.claims.get(&keyed_request.key_hash).map_or(0, |past| past.version),
        };
        self.claims.put(keyed_request.key_hash, claim);
    }

    /// Records the answer under the authorization's key, unless it has one. Returns the answer that counts. Where
    /// nothing was sent the key is free again: recorded, that answer would stay true of this payment and be wrong of
    /// the next try.
    fn finish(&mut self, conclusion: &RecordPspOutcome, outcome: PaymentOutcome) -> StoredResponse {
        let mut recorded = StoredResponse { outcome, request_id: conclusion.request_id.clone(), kept_until: None };
        let Some(claim) = self.claim_of(conclusion.key_hash, conclusion.payment_id) else { return recorded };
        let kept_until = Some(claim.expires_at);
        if let Some(earlier) = &claim.recorded {
            return StoredResponse { kept_until, ..earlier.clone() };
        }
        if matches!(recorded.outcome, PaymentOutcome::NotSent { .. }) {
            self.claims.remove(&conclusion.key_hash);
            return recorded;
        }
        recorded.kept_until = kept_until;
        let claim =
            IdempotencyRecord { recorded: Some(recorded.clone()), finished_at: Some(self.now), ..claim.clone() };
        self.claims.put(conclusion.key_hash, claim);
        recorded
    }

    /// The claim, if it is still this payment's: after its expiry another payment may have taken the key.
    fn claim_of(&self, key_hash: KeyHash, payment_id: PaymentId) -> Option<&IdempotencyRecord> {
        self.claims.get(&key_hash).filter(|claim| claim.payment_id == payment_id)
    }

    /// Notes, on the payment and in the book, that it has entered its status.
    fn enter(&mut self, payment: &mut Payment, trace: &TraceContext) {
        payment.timeline.note(self.now, TimelineKind::Decision, payment.status.name(), trace);
        self.entered.push(payment.status);
    }

    /// Puts an event into the outbox and notes it on the payment's timeline.
    fn tell(
        &mut self,
        payment: &mut Payment,
        topic: Topic,
        amount: i64,
        refund_id: Option<RefundId>,
        trace: &TraceContext,
    ) -> EventId {
        let id: EventId = self.ids.next_above(self.now, payment.id.bucket(), payment.timeline.last_event());
        payment.timeline.note_event(self.now, topic.name(), id, trace);
        self.events.push(Event {
            id,
            payment_id: payment.id,
            topic: topic.name(),
            occurred_at: self.now,
            trace: *trace,
            payload: json(&EventData::of(payment, amount, refund_id)),
        });
        id
    }

    /// Writes down work that is now owed to the PSP.
    fn owe(&mut self, id: EventId, payment: &Payment, task: Task, amount: i64, trace: &TraceContext) {
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

    fn store(&mut self, mut payment: Payment) {
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
