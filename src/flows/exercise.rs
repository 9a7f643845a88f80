//! The breaker's exercise: the event log is made unreachable while payments go on, and each of nine steps is checked.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{App, AuthorizeRequest, Call, ChangeRequest};
use crate::actors::admission::Work;
use crate::actors::breaker::{BreakerState, BreakerView};
use crate::domain::command::Change;
use crate::domain::idempotency::Fingerprint;
use crate::domain::outcome::Outcome;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::{Bucket, Currency, Money, PaymentId, Timestamp};
use crate::infra::event_log::link::Cut;

/// Payments that a step makes.
const PAYMENTS: usize = 5;
/// How long a step may take beyond the breaker's own open time: a broker's timeouts and its start.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A payment now and then, so that there is something to publish.
const PAYMENT_EVERY: Duration = Duration::from_millis(500);
/// What "at once" means for a refusal.
const AT_ONCE: Duration = Duration::from_millis(100);
const EVENT_LOG: &str = "event_log";

/// The steps, in order.
const STEPS: [&str; 9] = [
    "closed",
    "baseline",
    "event log unreachable",
    "failures",
    "open",
    "refused at once",
    "wait",
    "half-open",
    "closed again",
];

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    Waiting,
    Running,
    Passed,
    Failed,
}

/// One step and what was seen.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// From 1.
    pub number: usize,
    pub name: &'static str,
    pub status: StepStatus,
    /// What was done and seen, or why it failed.
    pub detail: String,
    pub took_ms: u64,
}

/// An exercise, under way or ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExerciseView {
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// `running`, `passed` or `failed`.
    pub status: StepStatus,
    /// `real`: the server was stopped by the configured command; `injected`: appends failed in this process.
    pub outage: Option<&'static str>,
    pub steps: Vec<Step>,
}

/// The last exercise of this process.
#[derive(Debug, Clone, Default)]
pub struct Exercises(Arc<Mutex<Option<ExerciseView>>>);

/// Why no exercise was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExerciseError {
    #[error("faults are disabled")]
    FaultsDisabled,
    #[error("an exercise is under way")]
    UnderWay,
}

impl Exercises {
    pub fn last(&self) -> Option<ExerciseView> {
        self.0.lock().clone()
    }

    fn begin(&self, now: Timestamp) -> Result<(), ExerciseError> {
        let mut last = self.0.lock();
        if last.as_ref().is_some_and(|view| view.status == StepStatus::Running) {
            return Err(ExerciseError::UnderWay);
        }
        let waiting = |(place, name): (usize, &&'static str)| {
            let (status, detail) = (StepStatus::Waiting, String::new());
            Step { number: place + 1, name, status, detail, took_ms: 0 }
        };
        let steps = STEPS.iter().enumerate().map(waiting).collect();
        *last = Some(ExerciseView { started_at: now, status: StepStatus::Running, outage: None, steps });
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut ExerciseView)) {
        if let Some(view) = self.0.lock().as_mut() {
            change(view);
        }
    }
}

impl App {
    /// Begins an exercise with payments of `merchant_id`, of one minor unit each, which are voided at the end. Its steps
    /// are [`Exercises::last`]; it takes as long as the breaker stays open, and some seconds.
    pub fn begin_exercise(&self, merchant_id: String) -> Result<ExerciseView, ExerciseError> {
        if !self.operations.faults().is_enabled() {
            return Err(ExerciseError::FaultsDisabled);
        }
        let exercises = self.operations.exercises.clone();
        exercises.begin(self.now())?;
        let begun = exercises.last().ok_or(ExerciseError::UnderWay)?;
        let exercise = Exercise { app: self.clone(), merchant_id, made: Vec::new() };
        tokio::task::spawn_local(exercise.run(exercises));
        Ok(begun)
    }
}

struct Exercise {
    app: App,
    merchant_id: String,
    made: Vec<PaymentId>,
}

impl Exercise {
    async fn run(mut self, exercises: Exercises) {
        let mut status = StepStatus::Passed;
        for (place, name) in STEPS.into_iter().enumerate() {
            exercises.change(|view| view.steps[place].status = StepStatus::Running);
            let begun = Instant::now();
            let ended = self.step(place, &exercises).await;
            let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let is_failed = ended.is_err();
            status = if is_failed { StepStatus::Failed } else { StepStatus::Passed };
            let detail = ended.unwrap_or_else(|why| why);
            tracing::info!(exercise.step = name, exercise.passed = !is_failed, detail, "breaker exercise");
            exercises.change(|view| {
                let step = &mut view.steps[place];
                (step.status, step.detail, step.took_ms) = (status, detail, took_ms);
            });
            if is_failed {
                break;
            }
        }
        if status == StepStatus::Failed
            && let Err(error) = self.app.operations.link.mend().await
        {
            tracing::error!(%error, "the link to the event log is not mended");
        }
        self.tidy_up().await;
        exercises.change(|view| view.status = status);
    }

    /// What a step did and saw, or why it failed.
    async fn step(&mut self, place: usize, exercises: &Exercises) -> Result<String, String> {
        match place {
            0 => match self.breaker().await?.state {
                BreakerState::Closed => Ok("the breaker of the event log is closed".to_owned()),
                other => Err(format!("the breaker is {other:?} to begin with")),
            },
            1 => self.baseline().await,
            2 => match self.app.operations.link.cut().await.map_err(|error| error.to_string())? {
                Cut::Real { command } => {
                    exercises.change(|view| view.outage = Some("real"));
                    Ok(format!("the server was really stopped, by: {command}"))
                }
                Cut::Injected => {
                    exercises.change(|view| view.outage = Some("injected"));
                    Ok("fault injection: every append fails in this process; no command is configured that would \
                        stop the server"
                        .to_owned())
                }
            },
            3 => self.failures().await,
            4 => {
                let open = self.until(PATIENCE, |view| view.state == BreakerState::Open).await?;
                let why = open.transitions.last().map(|last| last.why.clone()).unwrap_or_default();
                Ok(format!("it opened: {why}"))
            }
            5 => self.refused().await,
            6 => self.wait().await,
            7 => {
                let opened = self.breaker().await?.opened_at;
                let is_since = |view: &BreakerView| {
                    let mut changes = view.transitions.iter().filter(|change| Some(change.at) >= opened);
                    changes.any(|change| change.to == BreakerState::HalfOpen)
                };
                self.until(PATIENCE, is_since).await?;
                Ok("it let trial calls through".to_owned())
            }
            _ => self.closed_again().await,
        }
    }

    async fn baseline(&mut self) -> Result<String, String> {
        let begun = Instant::now();
        self.pay(PAYMENTS).await?;
        self.published().await?;
        Ok(format!("{PAYMENTS} payments authorized and published in {} ms", begun.elapsed().as_millis()))
    }

    async fn failures(&mut self) -> Result<String, String> {
        self.pay(PAYMENTS).await?;
        // It may be open before it is looked at.
        let failing = self.until(PATIENCE, |view| view.failures > 0 || view.state == BreakerState::Open).await?;
        Ok(format!("{PAYMENTS} payments were authorized all the same; {} appends failed so far", failing.failures))
    }

    async fn refused(&mut self) -> Result<String, String> {
        let before = self.breaker().await?.refused_total;
        let begun = Instant::now();
        let refused = self.app.operations.peek_breaker(EVENT_LOG).await;
        let took = begun.elapsed();
        if refused != Some(false) || took > AT_ONCE {
            return Err(format!("a call was not refused at once: {took:?}"));
        }
        let begun = Instant::now();
        self.pay(PAYMENTS).await?;
        let paid = begun.elapsed();
        let after = self.until(PATIENCE, |view| view.refused_total > before).await?;
        Ok(format!(
            "a call was refused in {} us, {} in all; {PAYMENTS} payments were authorized in {} ms and wait in the outbox",
            took.as_micros(),
            after.refused_total,
            paid.as_millis()
        ))
    }

    async fn wait(&mut self) -> Result<String, String> {
        self.app.operations.link.mend().await.map_err(|error| error.to_string())?;
        let rest = Duration::from_millis(self.breaker().await?.retry_after_ms.unwrap_or_default());
        self.until(rest + PATIENCE, |view| view.state != BreakerState::Open).await?;
        Ok(format!("the event log is reachable again; the breaker waited {} ms of its open time", rest.as_millis()))
    }

    async fn closed_again(&mut self) -> Result<String, String> {
        self.until(PATIENCE, |view| view.state == BreakerState::Closed).await?;
        self.published().await?;
        Ok(format!("it is closed, and the events of all {} payments are published", self.made.len()))
    }

    async fn breaker(&self) -> Result<BreakerView, String> {
        let views = self.app.operations.breakers().await.map_err(|error| error.to_string())?;
        let found = views.into_iter().find(|view| view.name == EVENT_LOG);
        found.ok_or_else(|| "there is no breaker of the event log".to_owned())
    }

    /// Waits until the breaker looks so, with a payment now and then.
    async fn until(
        &mut self,
        patience: Duration,
        condition: impl Fn(&BreakerView) -> bool,
    ) -> Result<BreakerView, String> {
        let begun = Instant::now();
        let mut paid = Instant::now();
        loop {
            let view = self.breaker().await?;
            if condition(&view) {
                return Ok(view);
            }
            if begun.elapsed() > patience {
                return Err(format!("not within {patience:?}; the breaker is {:?}", view.state));
            }
            if paid.elapsed() > PAYMENT_EVERY {
                self.pay(1).await?;
                paid = Instant::now();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Authorizes payments; the exercise is that these succeed whatever the event log does.
    async fn pay(&mut self, count: usize) -> Result<(), String> {
        let currency = Currency::parse("KRW").map_err(|error| error.to_string())?;
        for _ in 0..count {
            let call = self.call();
            let request = AuthorizeRequest {
                merchant_id: self.merchant_id.clone(),
                money: Money::new(1, currency),
                capture_mode: CaptureMode::Manual,
                description: Some("breaker exercise".to_owned()),
                metadata: Metadata::new(),
                key: call.request_id.clone(),
                fingerprint: Fingerprint::of([("exercise", call.request_id.as_str())]),
            };
            let admitted = self.app.admit(request.bucket(), Work::Begins).map_err(|error| error.to_string())?;
            let performed = self.app.authorize(admitted, request, &call).await;
            let answer = performed.result.map_err(|error| error.to_string())?;
            match answer.recorded.outcome {
                Outcome::Done { payment, .. } => self.made.push(payment.payment_id),
                other => return Err(format!("a payment was not authorized: {other:?}")),
            }
        }
        Ok(())
    }

    /// Waits until the outbox of the merchant's shard is empty.
    async fn published(&self) -> Result<(), String> {
        let shard = self.app.shards.of(Bucket::of_merchant(&self.merchant_id));
        let begun = Instant::now();
        loop {
            let backlog = shard.database.outbox_backlog().await.map_err(|error| error.to_string())?;
            if backlog.pending == 0 {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{} events are not published within {PATIENCE:?}", backlog.pending));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn tidy_up(&self) {
        for payment_id in &self.made {
            let request = ChangeRequest {
                payment_id: *payment_id,
                merchant_id: self.merchant_id.clone(),
                change: Change::Void,
                key: None,
                fingerprint: Fingerprint::of([]),
            };
            let voided = match self.app.admit(request.bucket(), Work::GoesOn) {
                Ok(admitted) => self.app.change(admitted, request, &self.call()).await.result,
                Err(overloaded) => Err(overloaded),
            };
            if let Err(error) = voided {
                tracing::warn!(payment.id = %payment_id, %error, "a payment of the exercise is not voided");
            }
        }
    }

    fn call(&self) -> Call {
        Call { request_id: self.app.new_request_id(), trace: self.app.open_trace(None) }
    }
}
