//! A merchant's client under bad conditions: it follows its plan, repeats a call without an answer under the same key,
//! and records what it asked and what it was told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::history::{Authorized, Story, Tally};
use super::model::{Acknowledged, Ask, Entry};

/// How long one sending waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(8);
/// How long a call is repeated before it is given up as unknown.
const GIVE_UP_AFTER: Duration = Duration::from_secs(25);
const REPEAT_AFTER: Duration = Duration::from_millis(150);

/// What all clients share.
#[derive(Clone)]
pub struct TestClient {
    pub http: reqwest::Client,
    /// Where nodes are to be found.
    pub urls: Arc<Mutex<Vec<String>>>,
    pub origin: Instant,
    pub ends_at: Instant,
    pub stories: Arc<Mutex<Vec<Story>>>,
    pub tally: Arc<Mutex<Tally>>,
}

/// An answer to one sending.
struct Answer {
    status: u16,
    body: Value,
}

impl TestClient {
    pub fn http() -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder().timeout(TIMEOUT).build()
    }

    /// Microseconds since the run began.
    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// One client.
pub struct Client {
    shared: TestClient,
    merchant: String,
    plan: StdRng,
    /// For choices outside the plan: which node, and when to try again.
    chance: Mutex<StdRng>,
    made: u64,
}

impl Client {
    /// Client number `number` of the run `seed`.
    pub fn new(shared: TestClient, seed: u64, number: u64) -> Self {
        let plan = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let chance = Mutex::new(StdRng::seed_from_u64(!seed ^ number));
        Self { shared, merchant: format!("MERCHANT-{}", number + 1), plan, chance, made: 0 }
    }

    pub async fn run(mut self) {
        while Instant::now() < self.shared.ends_at {
            let story = self.payment().await;
            self.shared.stories.lock().push(story);
        }
    }

    /// One payment's plan: authorize, then some of: capture, void, both at once, refunds at once, reads between.
    async fn payment(&mut self) -> Story {
        self.made += 1;
        let amount = self.plan.random_range(1..=10_000_i64);
        let is_automatic = self.plan.random_bool(0.2);
        let key = format!("{}-{}", self.merchant, self.made);
        let capture = if self.plan.random_bool(0.3) { self.plan.random_range(1..=amount) } else { amount };
        // Sometimes together more than the amount, so that one of them must be refused.
        let refunds: Vec<i64> =
            (0..self.plan.random_range(0..4)).map(|_| self.plan.random_range(1..=capture.max(2) * 2 / 3 + 1)).collect();
        let course = self.plan.random_range(0..10);

        let (authorized, absurd) = self.authorize(&key, amount, is_automatic).await;
        let mut story = Story {
            merchant: self.merchant.clone(),
            key: key.clone(),
            amount,
            authorized,
            is_automatic,
            calls: Vec::new(),
            absurd,
        };
        let Authorized::Yes { payment_id } = story.authorized.clone() else { return story };
        let asks: Vec<Vec<Ask>> = match course {
            _ if is_automatic => vec![vec![Ask::Read], vec![Ask::Void]],
            0 => vec![vec![Ask::Void], vec![Ask::Capture { amount: capture }]],
            1 => vec![vec![Ask::Read]],
            2 => vec![vec![Ask::Void, Ask::Capture { amount: capture }], vec![Ask::Read]],
            3 => vec![vec![Ask::Capture { amount: amount + 1 }, Ask::Capture { amount: capture }]],
            _ => vec![vec![Ask::Capture { amount: capture }, Ask::Read]],
        };
        let mut number = 0;
        for together in asks {
            number += 1;
            self.together(&mut story, &payment_id, number, together).await;
        }
        if !refunds.is_empty() && course >= 2 {
            self.settled(&payment_id, &mut story).await;
            let refunds: Vec<Ask> = refunds.into_iter().map(|amount| Ask::Refund { amount }).collect();
            self.together(&mut story, &payment_id, number + 1, refunds).await;
            self.together(&mut story, &payment_id, number + 2, vec![Ask::Read]).await;
        }
        story
    }

    /// Reads until the capture is done or 1.5 s are over, so that most refunds need not wait for it.
    async fn settled(&self, payment_id: &str, story: &mut Story) {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let entry = self.call(payment_id, "", &Ask::Read, &mut story.absurd).await;
            let is_settled = matches!(&entry.told, Acknowledged::Seen { status, .. } if status != "CAPTURE_REQUESTED");
            story.calls.push(entry);
            if is_settled {
                return;
            }
        }
    }

    /// Calls that are in flight at the same time.
    async fn together(&self, story: &mut Story, payment_id: &str, number: usize, asks: Vec<Ask>) {
        let key = story.key.clone();
        let calls = asks.iter().enumerate().map(async |(place, ask)| {
            let mut absurd = Vec::new();
            let entry = self.call(payment_id, &format!("{key}-{number}-{place}"), ask, &mut absurd).await;
            (entry, absurd)
        });
        for (entry, absurd) in join_all(calls).await {
            story.calls.push(entry);
            story.absurd.extend(absurd);
        }
    }

    async fn authorize(&self, key: &str, amount: i64, is_automatic: bool) -> (Authorized, Vec<String>) {
        let body = json!({
            "merchantId": self.merchant,
            "amount": amount,
            "currency": "KRW",
            "idempotencyKey": key,
            "description": key,
            "captureMode": if is_automatic { "automatic" } else { "manual" },
        });
        let begun = Instant::now();
        while begun.elapsed() < GIVE_UP_AFTER {
            let answer = self.send("/payments/authorize", Some(&body)).await;
            let payment = |answer: &Answer| {
                let payment = if answer.status < 300 { &answer.body } else { &answer.body["payment"] };
                payment["paymentId"].as_str().map(str::to_owned)
            };
            match answer.as_ref().map(|answer| (answer.status, payment(answer))) {
                Some((200, Some(payment_id))) => {
                    return (self.counted("authorized", Authorized::Yes { payment_id }), vec![]);
                }
                Some((202, Some(payment_id))) => {
                    return (self.counted("pending", Authorized::Pending { payment_id }), vec![]);
                }
                Some((402, Some(payment_id))) => {
                    return (self.counted("declined", Authorized::Declined { payment_id }), vec![]);
                }
                Some((409 | 429 | 500 | 503, _)) | None => self.pause().await,
                Some((status, _)) => return (Authorized::Unknown, vec![format!("authorize {key}: {status}")]),
            }
        }
        (self.counted("authorize unknown", Authorized::Unknown), vec![])
    }

    /// One call on a payment, repeated under its key until there is an answer.
    async fn call(&self, payment_id: &str, key: &str, ask: &Ask, absurd: &mut Vec<String>) -> Entry {
        let (path, mut body) = match ask {
            Ask::Read => (format!("/payments/{payment_id}"), Value::Null),
            Ask::Capture { amount } => (format!("/payments/capture/{payment_id}"), json!({ "amount": amount })),
            Ask::Void => (format!("/payments/void/{payment_id}"), json!({})),
            Ask::Refund { amount } => {
                (format!("/payments/refund/{payment_id}"), json!({ "amount": amount, "reason": key }))
            }
        };
        let is_read = *ask == Ask::Read;
        if !is_read {
            body["merchantId"] = json!(self.merchant);
            body["idempotencyKey"] = json!(key);
        }
        let first = self.shared.now();
        let started = Instant::now();
        let entry = |told, begun, ended| Entry { ask: ask.clone(), told, begun, ended };
        while started.elapsed() < GIVE_UP_AFTER {
            let begun = if is_read { self.shared.now() } else { first };
            let answer = self.send(&path, (!is_read).then_some(&body)).await;
            let ended = self.shared.now();
            let Some(Answer { status, body }) = answer else {
                if is_read {
                    // A read that did not finish proves nothing.
                    return self.counted("read unknown", entry(Acknowledged::Unknown, first, u64::MAX));
                }
                self.pause().await;
                continue;
            };
            let number = |member: &str| body["amounts"][member].as_i64().unwrap_or(-1);
            let text = |member: &str| body[member].as_str().map(str::to_owned);
            match (status, text("code").as_deref()) {
                (200, _) if is_read => {
                    let (captured, refunded) = (number("captured"), number("refunded"));
                    let told = Acknowledged::Seen { status: text("status").unwrap_or_default(), captured, refunded };
                    return self.counted("read", entry(told, begun, ended));
                }
                (200, _) => {
                    return self
                        .counted("done", entry(Acknowledged::Done { refund_id: text("refundId") }, begun, ended));
                }
                (409, Some("payment_state_conflict"))
                | (422, Some("capture_exceeds_authorized" | "refund_exceeds_captured")) => {
                    return self.counted("refused", entry(Acknowledged::Refused, begun, ended));
                }
                (409, Some("idempotency_in_progress")) | (429 | 500 | 503, _) => self.pause().await,
                (status, code) => {
                    absurd.push(format!("{path} {key}: {status} {}", code.unwrap_or_default()));
                    return entry(Acknowledged::Unknown, begun, u64::MAX);
                }
            }
        }
        self.counted("unknown", entry(Acknowledged::Unknown, first, u64::MAX))
    }

    fn counted<T>(&self, what: &'static str, told: T) -> T {
        self.shared.tally.lock().count(what);
        told
    }

    async fn pause(&self) {
        self.shared.tally.lock().count("repeated");
        let more = self.chance.lock().random_range(0..150);
        tokio::time::sleep(REPEAT_AFTER + Duration::from_millis(more)).await;
    }

    /// Sends a call to some node, once; none if there is no whole answer.
    async fn send(&self, path: &str, body: Option<&Value>) -> Option<Answer> {
        let url = {
            let urls = self.shared.urls.lock();
            if urls.is_empty() { None } else { Some(urls[self.chance.lock().random_range(0..urls.len())].clone()) }
        }?;
        let url = format!("{url}{path}");
        let request = match body {
            Some(body) => self.shared.http.post(url).json(body),
            None => self.shared.http.get(url),
        };
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some(Answer { status, body: answer.json().await.ok()? })
    }
}
