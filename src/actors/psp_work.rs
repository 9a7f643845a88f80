//! The shared part of the settlement and the refund worker: one attempt at a request that is owed to the PSP, and its
//! record on the shard.

use futures_util::future::join_all;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};

use super::event_handler::{EventOutcome, read, trace_of};
use super::guarded_psp::{Asked, GuardedPsp};
use super::shard_writer::WriteError;
use super::shards::{Shard, Shards};
use crate::domain::commands::{Attempted, RecordPspAttempt};
use crate::domain::event::{Consumer, EventData};
use crate::domain::policy::Policy;
use crate::domain::request::{PspProgress, PspRequest, RequestStatus, Task};
use crate::domain::{EventId, TraceContext};
use crate::infra::database::DatabaseError;
use crate::infra::event_log::Delivery;
use crate::infra::psp::{Action, PspOperation};
use crate::infra::telemetry::catalogue;
use crate::infra::telemetry::logs::in_trace;
use crate::runtime::Context;

/// Attempts requests at the PSP.
#[derive(Clone)]
pub struct PspWork {
    pub psp: GuardedPsp,
    pub shards: Shards,
    pub policy: std::sync::Arc<Policy>,
    pub meter: RequestMeter,
}

/// The payment that a request is about.
pub struct Subject {
    pub merchant_id: String,
    /// The PSP's reference of the authorization.
    pub authorization: String,
}

impl PspWork {
    /// Sends one request to the PSP and commits its outcome. `None` if the PSP was not asked because its breaker is
    /// open: the request stays as it is, and the retrier takes it up.
    pub async fn attempt(
        &self,
        shard: &Shard,
        request: &PspRequest,
        subject: Subject,
        event: Option<(Consumer, EventId)>,
        trace: TraceContext,
        ctx: &Context,
    ) -> Option<Result<Attempted, WriteError>> {
        let operation = operation(request, subject);
        let mut asked = self.psp.perform_again(&operation, request.attempts, trace).await.ok()?;
        let was_looked_up = !asked.verdict.is_final() && request.needs_lookup(&self.policy);
        if was_looked_up {
            let found = self.psp.lookup(&operation.key, trace).await.ok()?;
            asked = Asked { verdict: found.verdict, took_ms: asked.took_ms.saturating_add(found.took_ms) };
        }
        let attempt = RecordPspAttempt {
            request_id: request.id,
            payment_id: request.payment_id,
            task: request.task,
            verdict: asked.verdict,
            was_looked_up,
            took_ms: asked.took_ms,
            chance: ctx.chance().u64(),
            event,
            trace,
        };
        let attempted = shard.write(attempt).await.map(|decided| decided.unwrap_or(Attempted::Stale));
        if let Ok(Attempted::Progressed(progress)) = &attempted {
            self.meter.progressed(request, progress);
        }
        Some(attempted)
    }

    /// Applies events that ask for work at the PSP, concurrently. Events whose request has ended, or belongs to the
    /// retrier by now, are done.
    pub async fn apply(&self, consumer: Consumer, deliveries: &[Delivery], ctx: &Context) -> Vec<EventOutcome> {
        let events: Vec<Result<(EventId, EventData), EventOutcome>> = deliveries.iter().map(read).collect();
        let requests = self.requests(consumer, &events).await;
        let work = deliveries.iter().zip(events).map(async |(delivery, event)| {
            let (id, data) = match event {
                Ok(event) => event,
                Err(unreadable) => return unreadable,
            };
            let place = self.shards.index_of(data.payment_id.bucket());
            let Ok(found) = &requests[place] else { return EventOutcome::Later };
            let Some(request) = found.iter().find(|request| request.id == id) else {
                return EventOutcome::never(
                    "request_unknown",
                    "no request with the event's id, or none that can be read",
                );
            };
            if request.status != RequestStatus::Pending || request.attempts > 0 {
                return EventOutcome::Done;
            }
            let Some(authorization) = data.psp_reference else {
                return EventOutcome::never("authorization_missing", "the event names no authorization at the psp");
            };
            let subject = Subject { merchant_id: data.merchant_id, authorization };
            let shard = &self.shards.all()[place];
            let trace = trace_of(delivery);
            let attempt = self.attempt(shard, request, subject, Some((consumer, id)), trace, ctx);
            let attempted = in_trace(trace, attempt).await;
            match attempted {
                None | Some(Ok(_)) => EventOutcome::Done,
                Some(Err(WriteError::Refused)) => EventOutcome::never("refused", "the shard refuses the attempt"),
                Some(Err(_)) => EventOutcome::Later,
            }
        });
        join_all(work).await
    }

    /// The requests that the events name, shard by shard, in one query each.
    async fn requests(
        &self,
        consumer: Consumer,
        events: &[Result<(EventId, EventData), EventOutcome>],
    ) -> Vec<Result<Vec<PspRequest>, DatabaseError>> {
        let lookups = self.shards.all().iter().enumerate().map(async |(place, shard)| {
            let wanted: Vec<EventId> = events
                .iter()
                .flatten()
                .filter(|(_, data)| self.shards.index_of(data.payment_id.bucket()) == place)
                .map(|(id, _)| *id)
                .collect();
            if wanted.is_empty() {
                return Ok(Vec::new());
            }
            shard.database.requests(&wanted, consumer == Consumer::Refund).await
        });
        join_all(lookups).await
    }
}

fn operation(request: &PspRequest, subject: Subject) -> PspOperation {
    let authorization = subject.authorization;
    PspOperation {
        key: request.key(),
        payment_id: request.payment_id,
        merchant_id: subject.merchant_id,
        money: request.money,
        action: match request.task {
            Task::Capture(_) => Action::Capture { authorization },
            Task::Void => Action::Void { authorization },
            Task::Refund(_) => Action::Refund { authorization },
        },
    }
}

/// What is measured of the requests.
#[derive(Clone)]
pub struct RequestMeter {
    outcomes: Counter<u64>,
    attempts: Histogram<u64>,
}

const TASKS: [&str; 3] = ["capture", "void", "refund"];
const OUTCOMES: [&str; 3] = ["done", "retried", "failed"];

impl Default for RequestMeter {
    fn default() -> Self {
        let series: Vec<_> = TASKS
            .iter()
            .flat_map(|task| OUTCOMES.map(|outcome| [label("task", task), label("outcome", outcome)]))
            .collect();
        let outcomes = catalogue::PSP_REQUESTS.to_counter_from_zero(series.iter().map(<[_; 2]>::as_slice));
        Self { outcomes, attempts: catalogue::PSP_REQUEST_ATTEMPTS.to_histogram() }
    }
}

impl RequestMeter {
    /// The shard has recorded an attempt at the request, given as it was before.
    fn progressed(&self, request: &PspRequest, progress: &PspProgress) {
        let task = label("task", request.task.name());
        let outcome = match progress {
            PspProgress::Done => "done",
            PspProgress::Failed { .. } => "failed",
            PspProgress::Again { .. } => "retried",
        };
        if !matches!(progress, PspProgress::Again { .. }) {
            self.attempts.record(u64::from(request.attempts) + 1, std::slice::from_ref(&task));
        }
        self.outcomes.add(1, &[task, label("outcome", outcome)]);
    }
}

fn label(name: &'static str, value: &'static str) -> KeyValue {
    KeyValue::new(name, value)
}
