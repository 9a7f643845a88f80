//! The clients: each keeps to its plan, and repeats under the same key what got no answer.

use std::time::Duration;

use super::acknowledged::Acknowledged;
use super::cluster::Cluster;
use crate::domain::commands::Change;
use crate::domain::key::Fingerprint;
use crate::domain::outcome::{PaymentOutcome, StoredResponse};
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::{Currency, Money, PaymentId};
use crate::flows::{App, AuthorizeRequest, Call, ChangeRequest, FlowError, Priority, Response};
use crate::runtime::Chance;

/// Times that a call is repeated before it is given up.
const REPEATS: usize = 12;
const TIMEOUT: Duration = Duration::from_secs(10);

/// One client of merchant number `number` with some payments to make.
pub async fn run(cluster: Cluster, chance: Chance, number: u64) {
    for payment in 0..1 + chance.below(3) {
        tokio::time::sleep(chance.jitter(Duration::from_millis(300))).await;
        let key = format!("{number}-{payment}");
        let amount = 10 + chance.below(90) as i64;
        let capture_mode = if chance.permille(200) { CaptureMode::Automatic } else { CaptureMode::Manual };
        // The same call twice at once now and then: one of them executes.
        let twice = chance.permille(300);
        let purchase = Purchase { number, key: key.clone(), amount, capture_mode };
        let authorize = |chance: Chance| authorize(&cluster, chance, &purchase);
        let (first, second) = if twice {
            tokio::join!(biased; authorize(chance.clone()), authorize(chance.clone()))
        } else {
            (authorize(chance.clone()).await, None)
        };
        let Some(id) = first.or(second) else { continue };
        let course = chance.below(10);
        let call = |name: &'static str, change: Change| {
            let key = format!("{key}-{name}");
            let (cluster, chance) = (cluster.clone(), chance.clone());
            async move { change_payment(&cluster, chance, number, id, &key, change).await }
        };
        match course {
            0 => call("void", Change::Void).await,
            1 => {
                tokio::join!(biased; call("void", Change::Void), call("capture", Change::Capture { amount: None }));
            }
            2 => {}
            // The refund may come before the capture is done, and waits for it.
            3 => {
                call("capture", Change::Capture { amount: None }).await;
                call("at-once", Change::Refund { amount: Some(1 + amount / 3), reason: None }).await;
            }
            // A capture that has failed is made again, or given up.
            4 => {
                call("capture", Change::Capture { amount: None }).await;
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                call("again", if amount % 2 == 0 { Change::Void } else { Change::Capture { amount: None } }).await;
            }
            _ => call("capture", Change::Capture { amount: None }).await,
        }
        if course > 4 {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let half = |name| call(name, Change::Refund { amount: Some(1 + amount * 6 / 10), reason: None });
            tokio::join!(biased; half("one"), half("other"));
        }
    }
}

/// What is authorized, the same under one key.
#[derive(Clone)]
struct Purchase {
    number: u64,
    key: String,
    amount: i64,
    capture_mode: CaptureMode,
}

impl Purchase {
    async fn send(&self, app: App, call: Call) -> Result<Response, FlowError> {
        let request = AuthorizeRequest {
            merchant_id: format!("MERCHANT-{}", self.number),
            money: Money::new(self.amount, Currency::parse("KRW").unwrap()),
            capture_mode: self.capture_mode,
            merchant_reference: None,
            description: Some(self.key.clone()),
            metadata: Metadata::new(),
            key: self.key.clone(),
            fingerprint: Fingerprint::of([("key", self.key.as_str())]),
        };
        app.authorize(app.admit(request.bucket(), Priority::New)?, request, &call).await.result
    }
}

async fn authorize(cluster: &Cluster, chance: Chance, purchase: &Purchase) -> Option<PaymentId> {
    let answer = repeat(cluster, &chance, async |app: App, call: Call| purchase.send(app, call).await).await?;
    if matches!(answer.recorded.outcome, PaymentOutcome::Done { .. } | PaymentOutcome::Declined { .. }) {
        let (cluster, purchase, known) = (cluster.clone(), purchase.clone(), answer.recorded.clone());
        tokio::task::spawn_local(async move { ask_again(&cluster, &chance, &purchase, &known).await });
    }
    match answer.recorded.outcome {
        PaymentOutcome::Done { payment, .. } => {
            cluster.tell(Acknowledged::Authorized { id: payment.payment_id });
            Some(payment.payment_id)
        }
        PaymentOutcome::Declined { payment, .. } => {
            cluster.tell(Acknowledged::Declined { id: payment.payment_id });
            None
        }
        PaymentOutcome::NotSent { payment } => {
            cluster.tell(Acknowledged::NotSent { id: payment.payment_id });
            None
        }
        _ => None,
    }
}

/// Repeats a key whose answer is known: the same answer is given, or none while the shard has its troubles. That the
/// PSP is left alone is no reason.
async fn ask_again(cluster: &Cluster, chance: &Chance, purchase: &Purchase, known: &StoredResponse) {
    for _ in 0..chance.below(4) {
        tokio::time::sleep(chance.jitter(Duration::from_secs(3))).await;
        match once(cluster, &async |app: App, call: Call| purchase.send(app, call).await).await {
            Some(Ok(again)) if again.recorded != *known => {
                cluster.tell(Acknowledged::Absurd(format!("{} is answered anew: {again:?}", purchase.key)));
            }
            Some(Err(FlowError::PspUnavailable { .. })) => {
                cluster.tell(Acknowledged::Absurd(format!("{} has an answer, and a breaker hides it", purchase.key)));
            }
            _ => {}
        }
    }
}

async fn change_payment(cluster: &Cluster, chance: Chance, number: u64, id: PaymentId, key: &str, change: Change) {
    let answer = repeat(cluster, &chance, async |app: App, call: Call| {
        let request = ChangeRequest {
            payment_id: id,
            merchant_id: format!("MERCHANT-{number}"),
            change: change.clone(),
            key: Some(key.to_owned()),
            fingerprint: Fingerprint::of([("key", key)]),
        };
        app.change(app.admit(request.bucket(), Priority::Ongoing)?, request, &call).await.result
    });
    let Some(Response { recorded, .. }) = answer.await else { return };
    let PaymentOutcome::Done { refund_id, .. } = recorded.outcome else { return };
    match (change, refund_id) {
        (Change::Capture { .. }, _) => cluster.tell(Acknowledged::CaptureRequested { id }),
        (Change::Void, _) => cluster.tell(Acknowledged::Voided { id }),
        (Change::Refund { .. }, Some(refund_id)) => cluster.tell(Acknowledged::RefundRequested { refund_id }),
        (Change::Refund { .. }, None) => {}
    }
}

/// Makes a call until it is answered, over the deaths of the process that it is made to.
async fn repeat(
    cluster: &Cluster,
    chance: &Chance,
    make: impl AsyncFn(App, Call) -> Result<Response, FlowError>,
) -> Option<Response> {
    for _ in 0..REPEATS {
        if let Some(Ok(answer)) = once(cluster, &make).await {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(50) + chance.jitter(Duration::from_millis(400))).await;
    }
    None
}

/// Makes a call once. None if the process dies, or takes too long.
async fn once(
    cluster: &Cluster,
    make: &impl AsyncFn(App, Call) -> Result<Response, FlowError>,
) -> Option<Result<Response, FlowError>> {
    let (app, death) = cluster.process().await;
    let call = Call { request_id: app.new_request_id(), trace: app.open_trace(None) };
    let answer = tokio::select! {
        biased;
        answer = make(app, call) => Some(answer),
        () = death => None,
        () = tokio::time::sleep(TIMEOUT) => None,
    };
    cluster.note(format!("{answer:?}"));
    answer
}
