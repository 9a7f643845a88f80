//! What one thread sends: the scenarios, step by step, each answer counted.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::body::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::args::Scenario;
use super::client::{Answer, Body, Client, Failure};
use super::duplicates::Reply;
use super::tally::{Step, Tally};

/// Identical requests of a group that are sent at once.
pub const GROUP: usize = 8;
const MERCHANTS: u32 = 1000;
const AMOUNTS_KRW: std::ops::RangeInclusive<i64> = 1_000..=1_000_000;
/// One flow in so many polls for CAPTURED from the start, to see how long it takes; the others look once they want to
/// refund. All of them polling would be most of the load.
const MEASURED_FLOWS: u64 = 8;
/// A poll waits a quarter of what the wait has taken so far, within these bounds: a measured wait is at most a quarter
/// too long, and a slow node is not asked more often.
const POLL_MIN: Duration = Duration::from_millis(5);
const POLL_MAX: Duration = Duration::from_millis(500);

/// Requests finished so far over all threads, for the progress bar.
#[derive(Debug, Default)]
pub struct LoadProgress {
    /// Expected answers.
    pub succeeded: AtomicU64,
    /// Everything else.
    pub unexpected: AtomicU64,
}

/// What a thread is told to send.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What a start is.
    pub scenario: Scenario,
    /// Between CAPTURED and the refund.
    pub think: Duration,
    /// How long CAPTURED and REFUNDED are waited for.
    pub settle_timeout: Duration,
    /// Seed of merchants and amounts.
    pub seed: u64,
    /// Stands in front of every idempotency key; no two runs or threads share one.
    pub key_prefix: String,
}

/// The part of a payment that a flow reads.
#[derive(Debug, Deserialize)]
struct Payment<'a> {
    #[serde(rename = "paymentId")]
    payment_id: &'a str,
    status: &'a str,
    #[serde(default)]
    ledger: Vec<IgnoredAny>,
}

/// What a poll waits for.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Captured,
    Refunded,
    /// In the ledger: the capture's entry and the refund's.
    Booked,
}

impl Wanted {
    fn query(self) -> &'static str {
        match self {
            Self::Captured | Self::Refunded => "",
            Self::Booked => "?expand=ledger",
        }
    }

    fn is_there(self, payment: &Payment<'_>) -> bool {
        match self {
            Self::Captured => payment.status == "CAPTURED",
            Self::Refunded => payment.status == "REFUNDED",
            Self::Booked => payment.ledger.len() == 2,
        }
    }
}

/// The part of a problem (RFC 9457) that is counted.
#[derive(Debug, Deserialize)]
struct Problem<'a> {
    code: &'a str,
}

/// Sends the scenario's requests for one thread and counts what comes back.
#[derive(Debug)]
pub struct Sender {
    plan: Plan,
    client: Client,
    progress: Arc<LoadProgress>,
    chance: RefCell<StdRng>,
    keys_given: Cell<u64>,
    tally: RefCell<Tally>,
    last_refund: RefCell<Option<(String, Instant)>>,
    has_ended: Cell<bool>,
}

impl Sender {
    /// A sender that has sent nothing yet and counts into `tally`.
    pub fn new(plan: Plan, client: Client, progress: Arc<LoadProgress>, tally: Tally) -> Self {
        Self {
            chance: RefCell::new(StdRng::seed_from_u64(plan.seed)),
            plan,
            client,
            progress,
            keys_given: Cell::new(0),
            tally: RefCell::new(tally),
            last_refund: RefCell::default(),
            has_ended: Cell::new(false),
        }
    }

    /// What was counted so far.
    pub fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    /// The run ends at `at`, before its time: nothing more is to be started.
    pub fn end_early(&self, at: Instant) {
        self.has_ended.set(true);
        self.tally.borrow_mut().end_early(at);
    }

    /// Whether the run has ended before its time.
    pub fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    /// Sends one start of the scenario, which was due at `due`, to its end.
    pub async fn start(&self, due: Instant) {
        match self.plan.scenario {
            Scenario::Authorize => self.authorize_only(self.draw_merchant(), due).await,
            Scenario::HotMerchant => self.authorize_only(1, due).await,
            Scenario::FullFlow => self.flow(due).await,
            Scenario::Duplicates => self.group(due).await,
        }
    }

    /// After the last flow: waits until its refund is REFUNDED and booked, which says how far the workers and the
    /// ledger lag behind.
    pub async fn drain(&self) {
        let Some((payment_id, accepted)) = self.last_refund.take() else { return };
        let refunded = self.reach(&payment_id, accepted, Wanted::Refunded).await;
        let booked = self.reach(&payment_id, accepted, Wanted::Booked).await;
        let mut tally = self.tally.borrow_mut();
        match (refunded, booked) {
            (Some(refunded), Some(booked)) => {
                tally.refund_drain = Some(refunded - accepted);
                tally.ledger_drain = Some(booked - accepted);
            }
            (None, _) => tally.record_unexpected(Step::Refund, "not REFUNDED in time"),
            (_, None) => tally.record_unexpected(Step::Refund, "not booked in time"),
        }
    }

    fn draw_merchant(&self) -> u32 {
        self.chance.borrow_mut().random_range(1..=MERCHANTS)
    }

    fn authorization(&self, merchant: u32) -> Bytes {
        let amount = self.chance.borrow_mut().random_range(AMOUNTS_KRW);
        let key = self.keys_given.replace(self.keys_given.get() + 1);
        let prefix = &self.plan.key_prefix;
        Bytes::from(format!(
            concat!(
                r#"{{"merchantId":"MERCHANT-{merchant}","amount":{amount},"currency":"KRW","#,
                r#""idempotencyKey":"{prefix}-{key}"}}"#,
            ),
            merchant = merchant,
            amount = amount,
            prefix = prefix,
            key = key,
        ))
    }

    async fn authorize_only(&self, merchant: u32, due: Instant) {
        let answer = self.client.authorize(self.authorization(merchant), Body::Dropped).await;
        self.count(Step::Authorize, due, answer);
    }

    async fn flow(&self, due: Instant) {
        let started = {
            let mut tally = self.tally.borrow_mut();
            tally.flows_started += 1;
            tally.flows_started
        };
        if self.try_flow(due, started % MEASURED_FLOWS == 1).await.is_some() {
            self.tally.borrow_mut().flows_finished += 1;
        }
    }

    /// `None` as soon as a step fails, which is counted by then.
    async fn try_flow(&self, due: Instant, is_measured: bool) -> Option<()> {
        let merchant = self.draw_merchant();
        let answer = self.client.authorize(self.authorization(merchant), Body::Kept).await;
        let answer = self.count(Step::Authorize, due, answer)?;
        let Some(payment) = read_payment(&answer) else {
            self.tally.borrow_mut().record_unexpected(Step::Authorize, "200 without a payment");
            return None;
        };
        let body = Bytes::from(format!(r#"{{"merchantId":"MERCHANT-{merchant}"}}"#));

        let capture_sent = Instant::now();
        let answer = self.client.act("capture", payment.payment_id, body.clone()).await;
        self.count(Step::Capture, capture_sent, answer)?;
        let pause = || tokio::time::sleep(self.plan.think);
        if !is_measured {
            pause().await;
        }
        let Some(captured) = self.reach(payment.payment_id, Instant::now(), Wanted::Captured).await else {
            self.tally.borrow_mut().record_unexpected(Step::Capture, "not CAPTURED in time");
            return None;
        };
        if is_measured {
            self.tally.borrow_mut().capture_to_captured.record(captured - capture_sent);
            pause().await;
        }
        let refund_due = Instant::now();
        let answer = self.client.act("refund", payment.payment_id, body).await;
        self.count(Step::Refund, refund_due, answer)?;
        self.last_refund.replace(Some((payment.payment_id.to_owned(), Instant::now())));
        Some(())
    }

    /// Polls until the payment is as wanted; when that was seen, or `None` when it took too long.
    async fn reach(&self, payment_id: &str, since: Instant, wanted: Wanted) -> Option<Instant> {
        while since.elapsed() < self.plan.settle_timeout {
            tokio::time::sleep((since.elapsed() / 4).clamp(POLL_MIN, POLL_MAX)).await;
            let sent = Instant::now();
            let answer = self.client.look_up(payment_id, wanted.query()).await;
            let answer = self.count(Step::Poll, sent, answer);
            if answer.as_ref().and_then(read_payment).is_some_and(|found| wanted.is_there(&found)) {
                return Some(Instant::now());
            }
        }
        None
    }

    async fn group(&self, due: Instant) {
        let body = self.authorization(self.draw_merchant());
        let first = join_all((0..GROUP).map(|_| self.duplicate(body.clone(), due))).await;
        let due_again = Instant::now();
        let again = join_all((0..GROUP).map(|_| self.duplicate(body.clone(), due_again))).await;
        self.tally.borrow_mut().duplicates.count(&first, &again);
    }

    async fn duplicate(&self, body: Bytes, due: Instant) -> Reply {
        let answer = self.client.authorize(body, Body::Kept).await;
        let reply = match &answer {
            Ok(answer) => read_reply(answer),
            Err(_) => Reply::Unexpected,
        };
        let outcome = if reply == Reply::Unexpected { Err(describe(&answer)) } else { Ok(()) };
        self.record(Step::Authorize, due, outcome);
        reply
    }

    /// Counts one request: only a 200 is a success. Gives the answer back if it is one.
    fn count(&self, step: Step, due: Instant, answer: Result<Answer, Failure>) -> Option<Answer> {
        let outcome = match &answer {
            Ok(Answer { status: 200, .. }) => Ok(()),
            other => Err(describe(other)),
        };
        let succeeded = outcome.is_ok();
        self.record(step, due, outcome);
        answer.ok().filter(|_| succeeded)
    }

    fn record(&self, step: Step, due: Instant, outcome: Result<(), String>) {
        let counter = if outcome.is_ok() { &self.progress.succeeded } else { &self.progress.unexpected };
        counter.fetch_add(1, Ordering::Relaxed);
        self.tally.borrow_mut().record(step, due, Instant::now(), outcome);
    }
}

fn read_payment(answer: &Answer) -> Option<Payment<'_>> {
    serde_json::from_slice(&answer.body).ok()
}

fn read_code(answer: &Answer) -> Option<&str> {
    serde_json::from_slice::<Problem<'_>>(&answer.body).ok().map(|problem| problem.code)
}

fn read_reply(answer: &Answer) -> Reply {
    match (answer.status, read_payment(answer)) {
        (200, Some(payment)) if answer.replayed => Reply::Replayed(payment.payment_id.to_owned()),
        (200, Some(payment)) => Reply::Fresh(payment.payment_id.to_owned()),
        (409, _) if read_code(answer) == Some("idempotency_in_progress") => Reply::InProgress,
        _ => Reply::Unexpected,
    }
}

/// The label under which an unexpected answer is counted: its status and code, or how it failed.
fn describe(answer: &Result<Answer, Failure>) -> String {
    match answer {
        Ok(answer) => match read_code(answer) {
            Some(code) => format!("{} {}", answer.status, code.chars().take(64).collect::<String>()),
            None if answer.status == 200 => "200 without a payment".to_owned(),
            None => answer.status.to_string(),
        },
        Err(failure) => failure.label().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, replayed: bool, body: &'static str) -> Answer {
        Answer { status, replayed, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn replies_are_classified_by_status_header_and_code() {
        let payment = r#"{"paymentId":"pay_1","status":"AUTHORIZED","amounts":{"authorized":5}}"#;
        assert_eq!(read_reply(&answer(200, false, payment)), Reply::Fresh("pay_1".to_owned()));
        assert_eq!(read_reply(&answer(200, true, payment)), Reply::Replayed("pay_1".to_owned()));
        assert_eq!(read_reply(&answer(409, false, r#"{"code":"idempotency_in_progress"}"#)), Reply::InProgress);
        assert_eq!(read_reply(&answer(409, false, r#"{"code":"payment_state_conflict"}"#)), Reply::Unexpected);
        assert_eq!(read_reply(&answer(202, false, payment)), Reply::Unexpected);
        assert_eq!(read_reply(&answer(200, false, "{}")), Reply::Unexpected);
    }

    #[test]
    fn unexpected_answer_has_a_label() {
        assert_eq!(describe(&Ok(answer(503, false, r#"{"code":"overloaded"}"#))), "503 overloaded");
        assert_eq!(describe(&Ok(answer(502, false, "<html>"))), "502");
        assert_eq!(describe(&Err(Failure::Timeout)), "timeout");
    }
}
