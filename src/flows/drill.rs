//! The breaker's exercise: the event log is made unreachable while payments go on, and each of nine steps is checked.

use std::time::Duration;

use tokio::time::Instant;

use super::drill_record::{DrillError, DrillView, Drills, STEPS, StepStatus};
use super::{App, AuthorizeRequest, Call, ChangeRequest};
use crate::actors::admission::Priority;
use crate::actors::breaker::{BreakerState, BreakerView};
use crate::domain::commands::Change;
use crate::domain::key::Fingerprint;
use crate::domain::outcome::PaymentOutcome;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::{Bucket, Currency, Money, PaymentId};
use crate::infra::event_log::fault_switch::Outage;

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

impl App {
    /// Begins an exercise with payments of `merchant_id`, of one minor unit each, which are voided at the end. Its
    /// steps are [`Drills::last`]; it takes as long as the breaker stays open, and some seconds.
    pub fn begin_exercise(&self, merchant_id: String) -> Result<DrillView, DrillError> {
        if !self.operations.faults().is_enabled() {
            return Err(DrillError::FaultsDisabled);
        }
        let drills = self.operations.drills.clone();
        drills.begin(self.now())?;
        let begun = drills.last().ok_or(DrillError::UnderWay)?;
        let exercise = Drill { app: self.clone(), merchant_id, made: Vec::new() };
        tokio::task::spawn_local(exercise.run(drills));
        Ok(begun)
    }
}

struct Drill {
    app: App,
    merchant_id: String,
    made: Vec<PaymentId>,
}

impl Drill {
    async fn run(mut self, drills: Drills) {
        let mut status = StepStatus::Passed;
        for (place, name) in STEPS.into_iter().enumerate() {
            drills.change(|view| view.steps[place].status = StepStatus::Running);
            let begun = Instant::now();
            let ended = self.step(place, &drills).await;
            let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let is_failed = ended.is_err();
            status = if is_failed { StepStatus::Failed } else { StepStatus::Passed };
            let detail = ended.unwrap_or_else(|why| why);
            tracing::info!(exercise.step = name, exercise.passed = !is_failed, detail, "breaker exercise");
            drills.change(|view| {
                let step = &mut view.steps[place];
                (step.status, step.detail, step.took_ms) = (status, detail, took_ms);
            });
            if is_failed {
                break;
            }
        }
        if status == StepStatus::Failed
            && let Err(error) = self.app.operations.fault_switch.mend().await
        {
            tracing::error!(%error, "the link to the event log is not mended");
        }
        self.tidy_up().await;
        drills.change(|view| view.status = status);
    }

    /// What a step did and saw, or why it failed.
    async fn step(&mut self, place: usize, drills: &Drills) -> Result<String, String> {
        match place {
            0 => match self.breaker().await?.state {
                BreakerState::Closed => Ok("the breaker of the event log is closed".to_owned()),
                other => Err(format!("the breaker is {other:?} to begin with")),
            },
            1 => self.baseline().await,
            2 => match self.app.operations.fault_switch.cut().await.map_err(|error| error.to_string())? {
                Outage::Real { command } => {
                    drills.change(|view| view.outage = Some("real"));
                    Ok(format!("the server was really stopped, by: {command}"))
                }
                Outage::Injected => {
                    drills.change(|view| view.outage = Some("injected"));
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
            "a call was refused in {} us, {} in all; {PAYMENTS} payments were authorized in {} ms and wait in the \
             outbox",
            took.as_micros(),
            after.refused_total,
            paid.as_millis()
        ))
    }

    async fn wait(&mut self) -> Result<String, String> {
        self.app.operations.fault_switch.mend().await.map_err(|error| error.to_string())?;
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
                merchant_reference: None,
                description: Some("breaker exercise".to_owned()),
                metadata: Metadata::new(),
                key: call.request_id.clone(),
                fingerprint: Fingerprint::of([("exercise", call.request_id.as_str())]),
            };
            let permit = self.app.admit(request.bucket(), Priority::New).map_err(|error| error.to_string())?;
            let performed = self.app.authorize(permit, request, &call).await;
            let answer = performed.result.map_err(|error| error.to_string())?;
            match answer.recorded.outcome {
                PaymentOutcome::Done { payment, .. } => self.made.push(payment.payment_id),
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
            let voided = match self.app.admit(request.bucket(), Priority::Ongoing) {
                Ok(permit) => self.app.change(permit, request, &self.call()).await.result,
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
