//! Take in what the PSP said to one attempt at a request that is owed to it.

use crate::domain::command::{Command, key_of};
use crate::domain::dead_letter::{DeadLetter, DeadLetterKind, Source, StoredDeadLetter};
use crate::domain::event::{Consumer, DeadLetterTopic, Topic};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::id::{EventId, LetterId, PaymentId, RefundId};
use crate::domain::payment::{Payment, PaymentStatus, Refusal, WaitingRefund};
use crate::domain::psp::Verdict;
use crate::domain::refund::{Refund, RefundEnded};
use crate::domain::request::{PspProgress, PspRequest, RequestStatus, Task};
use crate::domain::timeline::TimelineKind;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Take in an attempt at a request: the request, the payment, the refund and the events move together.
#[derive(Debug, Clone)]
pub struct RecordPspAttempt {
    pub request_id: EventId,
    pub payment_id: PaymentId,
    pub task: Task,
    pub verdict: Verdict,
    /// Whether the verdict is that of a look-up, after a try without one.
    pub was_looked_up: bool,
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

impl Command for RecordPspAttempt {
    type Answer = Result<Attempted, Refusal>;
    const KIND: &'static str = "attempt";

    fn key(&self) -> u128 {
        key_of(self.request_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.payments.insert(self.payment_id);
        match self.task {
            Task::Capture(_) | Task::Void => read_set.settlements.insert(self.request_id),
            Task::Refund(refund_id) => {
                read_set.refunds.insert(refund_id);
                read_set.refund_requests.insert(self.request_id)
            }
        };
        read_set.processed.extend(self.event);
        // What the PSP approves is nobody's dead letter.
        if !matches!(self.verdict, Verdict::Approved { .. }) {
            read_set.letters.insert(LetterId::of(self.request_id));
        }
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Result<Attempted, Refusal> {
        if self.event.is_some_and(|event| unit.processed.get(&event).is_some()) {
            return Ok(Attempted::Stale);
        }
        let requests = match self.task {
            Task::Capture(_) | Task::Void => &unit.settlements,
            Task::Refund(_) => &unit.refund_requests,
        };
        let request = requests.get(&self.request_id).filter(|request| request.status == RequestStatus::Pending);
        let (Some(request), Some(payment)) = (request, unit.payments.get(&self.payment_id)) else {
            return Ok(Attempted::Stale);
        };
        let (mut request, mut payment) = (request.clone(), payment.clone());
        let (now, trace, verdict) = (unit.now, &self.trace, &self.verdict);
        let call = if self.was_looked_up { "lookup" } else { self.task.name() };
        payment.timeline.note_call(now, call, verdict, self.took_ms, trace);
        let progress = request.take(verdict, unit.policy, self.chance, now);
        match &progress {
            PspProgress::Done => self.complete(&mut payment, &request, unit)?,
            PspProgress::Failed { failure } => {
                self.fail(&mut payment, &request, failure, unit)?;
                store_letter_about(&request, "retries_exhausted_or_declined", failure.reason(), unit);
            }
            PspProgress::Again { exhausted } => {
                let again = format!("{} try {} failed", self.task.name(), request.attempts);
                payment.timeline.note(now, TimelineKind::Retry, again, trace);
                if *exhausted {
                    let why = "out of tries with an effect in doubt; it is tried on";
                    store_letter_about(&request, "outcome_unknown", why, unit);
                }
            }
        }
        if let Some(event) = self.event {
            unit.processed.put(event, now);
        }
        match self.task {
            Task::Capture(_) | Task::Void => unit.settlements.put(request.id, request),
            Task::Refund(_) => unit.refund_requests.put(request.id, request),
        }
        unit.store_payment(payment);
        Ok(Attempted::Progressed(progress))
    }
}

impl RecordPspAttempt {
    /// The PSP has done what the request asks.
    fn complete(&self, payment: &mut Payment, request: &PspRequest, unit: &mut UnitOfWork<'_>) -> Result<(), Refusal> {
        let (now, amount) = (unit.now, request.money.minor);
        let (topic, refund_id) = match request.task {
            Task::Capture(_) => {
                payment.capture_done(now)?;
                (Topic::Captured, None)
            }
            // The payment was voided or had expired when the release was asked for.
            Task::Void => return Ok(()),
            Task::Refund(refund_id) => {
                payment.refund_done(amount, now)?;
                let reference = match &self.verdict {
                    Verdict::Approved { reference, .. } => reference.clone(),
                    _ => String::new(),
                };
                end_refund(refund_id, unit, |refund| refund.done(reference, now))?;
                (Topic::Refunded, Some(refund_id))
            }
        };
        unit.enter(payment, &self.trace);
        let event_id = unit.emit(payment, topic, amount, refund_id, &self.trace);
        match refund_id {
            None => payment.captured_event = Some(event_id),
            Some(refund_id) => {
                if let Some(refund) = unit.refunds.get(&refund_id).cloned() {
                    unit.refunds.put(refund_id, Refund { refunded_event: Some(event_id), ..refund });
                }
            }
        }
        for waiting in std::mem::take(&mut payment.refunds_waiting) {
            unit.waiting_refunds.insert(waiting.id, None);
            unit.begin_refund(payment, waiting)?;
        }
        Ok(())
    }

    /// The PSP will never do what the request asks.
    fn fail(
        &self,
        payment: &mut Payment,
        request: &PspRequest,
        failure: &Failure,
        unit: &mut UnitOfWork<'_>,
    ) -> Result<(), Refusal> {
        let (now, amount) = (unit.now, request.money.minor);
        let mut waiting = Vec::new();
        let refund_id = match request.task {
            Task::Capture(_) => {
                waiting = std::mem::take(&mut payment.refunds_waiting);
                payment.capture_failed(failure.clone(), now)?;
                None
            }
            Task::Void => return Ok(()),
            Task::Refund(refund_id) => {
                payment.refund_failed(amount, now)?;
                end_refund(refund_id, unit, |refund| refund.failed(failure.clone(), now))?;
                Some(refund_id)
            }
        };
        unit.enter(payment, &self.trace);
        unit.emit_failure(payment, amount, refund_id, failure, &self.trace);
        waiting.into_iter().try_for_each(|refund| fail_waiting(payment, refund, unit))
    }
}

/// Tells of a refund that waited for a capture which has failed: it was asked for, and has failed with it.
fn fail_waiting(payment: &mut Payment, waiting: WaitingRefund, unit: &mut UnitOfWork<'_>) -> Result<(), Refusal> {
    let (now, trace) = (unit.now, waiting.trace);
    let failure = Failure::from(FailureCode::CaptureFailed);
    let event_id = unit.emit(payment, Topic::RefundRequested, waiting.amount, Some(waiting.id), &trace);
    unit.owe(event_id, payment, Task::Refund(waiting.id), waiting.amount, &trace);
    if let Some(owed) = unit.refund_requests.get(&event_id).cloned() {
        let last_error = Some(failure.reason().to_owned());
        let never = PspRequest { status: RequestStatus::Failed, due_at: None, last_error, ..owed };
        unit.refund_requests.put(event_id, never);
    }
    unit.emit_failure(payment, waiting.amount, Some(waiting.id), &failure, &trace);
    unit.waiting_refunds.insert(waiting.id, None);
    let mut refund = waiting.begun(payment);
    refund.failed(failure, now).map_err(|_| Refusal::StateConflict { status: payment.status })?;
    unit.refunds.put(refund.id, refund);
    Ok(())
}

fn end_refund(
    id: RefundId,
    unit: &mut UnitOfWork<'_>,
    end: impl FnOnce(&mut Refund) -> Result<(), RefundEnded>,
) -> Result<(), Refusal> {
    let mut refund = unit.refunds.get(&id).ok_or(Refusal::PaymentNotFound)?.clone();
    end(&mut refund).map_err(|_| Refusal::StateConflict { status: PaymentStatus::Refunded })?;
    unit.refunds.put(id, refund);
    Ok(())
}

fn store_letter_about(request: &PspRequest, error_type: &str, error_message: &str, unit: &mut UnitOfWork<'_>) {
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
        last_failed_at: unit.now,
        trace_id: Some(request.trace.trace_id_hex()),
    };
    let stored = StoredDeadLetter::new(letter, DeadLetterKind::Request);
    unit.store_letter(stored, request.payment_id, request.trace);
}
