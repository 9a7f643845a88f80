//! The clients: each keeps to its plan, and repeats under the same key what got no answer.

use std::time::Duration;

use super::world::World;
use crate::actors::breaker::Forced;
use crate::domain::command::Change;
use crate::domain::idempotency::Fingerprint;
use crate::domain::outcome::Outcome;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::{Currency, Money, PaymentId, RefundId};
use crate::flows::{Answer, App, AuthorizeRequest, Call, ChangeRequest, FlowError, Work};
use crate::runtime::Chance;

/// What a client was told for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Authorized {
        id: PaymentId,
    },
    Declined {
        id: PaymentId,
    },
    CaptureRequested {
        id: PaymentId,
    },
    Voided {
        id: PaymentId,
    },
    RefundRequested {
        refund_id: RefundId,
    },
    /// A call that had its answer was refused by a breaker.
    Hidden {
        key: String,
    },
}

/// Times that a call is repeated before it is given up.
const REPEATS: usize = 12;
const TIMEOUT: Duration = Duration::from_secs(10);

/// One client of merchant number `number` with some payments to make.
pub async fn client(world: World, chance: Chance, number: u64) {
    for payment in 0..1 + chance.below(3) {
        tokio::time::sleep(chance.jitter(Duration::from_millis(300))).await;
        let key = format!("{number}-{payment}");
        let amount = 10 + chance.below(90) as i64;
        let capture_mode = if chance.permille(200) { CaptureMode::Automatic } else { CaptureMode::Manual };
        // The same call twice at once now and then: one of them executes.
        let twice = chance.permille(300);
        let authorize = |chance: Chance| authorize(&world, chance, number, &key, amount, capture_mode);
        let (first, second) = if twice {
            tokio::join!(biased; authorize(chance.clone()), authorize(chance.clone()))
        } else {
            (authorize(chance.clone()).await, None)
        };
        let Some(id) = first.or(second) else { continue };
        if chance.permille(300) {
            look_behind_the_breaker(&world, chance.clone(), number, &key, amount, capture_mode).await;
        }
        let course = chance.below(10);
        let call = |name: &'static str, change: Change| {
            let key = format!("{key}-{name}");
            let (world, chance) = (world.clone(), chance.clone());
            async move { change_payment(&world, chance, number, id, &key, change).await }
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

fn order(number: u64, key: &str, amount: i64, capture_mode: CaptureMode) -> AuthorizeRequest {
    AuthorizeRequest {
        merchant_id: format!("MERCHANT-{number}"),
        money: Money::new(amount, Currency::parse("KRW").unwrap()),
        capture_mode,
        description: Some(key.to_owned()),
        metadata: Metadata::new(),
        key: key.to_owned(),
        fingerprint: Fingerprint::of([("key", key)]),
    }
}

/// Repeats a call that has its answer while an operator holds the PSP's breaker open.
async fn look_behind_the_breaker(
    world: &World,
    chance: Chance,
    number: u64,
    key: &str,
    amount: i64,
    capture_mode: CaptureMode,
) {
    let answer = repeat(world, &chance, async |app: App, call: Call| {
        let _ = app.operations().force_breaker("psp", Some(Forced::Open)).await;
        let request = order(number, key, amount, capture_mode);
        let answer = app.authorize(app.admit(request.bucket(), Work::Begins)?, request, &call).await.result;
        let _ = app.operations().force_breaker("psp", None).await;
        if matches!(answer, Err(FlowError::PspUnavailable { .. })) {
            world.tell(Told::Hidden { key: key.to_owned() });
        }
        answer
    });
    answer.await;
}

async fn authorize(
    world: &World,
    chance: Chance,
    number: u64,
    key: &str,
    amount: i64,
    capture_mode: CaptureMode,
) -> Option<PaymentId> {
    let answer = repeat(world, &chance, async |app: App, call: Call| {
        let request = order(number, key, amount, capture_mode);
        app.authorize(app.admit(request.bucket(), Work::Begins)?, request, &call).await.result
    });
    match answer.await?.recorded.outcome {
        Outcome::Done { payment, .. } => {
            world.tell(Told::Authorized { id: payment.payment_id });
            Some(payment.payment_id)
        }
        Outcome::Declined { payment, .. } | Outcome::NotSent { payment } => {
            world.tell(Told::Declined { id: payment.payment_id });
            None
        }
        _ => None,
    }
}

async fn change_payment(world: &World, chance: Chance, number: u64, id: PaymentId, key: &str, change: Change) {
    let answer = repeat(world, &chance, async |app: App, call: Call| {
        let request = ChangeRequest {
            payment_id: id,
            merchant_id: format!("MERCHANT-{number}"),
            change: change.clone(),
            key: Some(key.to_owned()),
            fingerprint: Fingerprint::of([("key", key)]),
        };
        app.change(app.admit(request.bucket(), Work::GoesOn)?, request, &call).await.result
    });
    let Some(Answer { recorded, .. }) = answer.await else { return };
    let Outcome::Done { refund_id, .. } = recorded.outcome else { return };
    match (change, refund_id) {
        (Change::Capture { .. }, _) => world.tell(Told::CaptureRequested { id }),
        (Change::Void, _) => world.tell(Told::Voided { id }),
        (Change::Refund { .. }, Some(refund_id)) => world.tell(Told::RefundRequested { refund_id }),
        (Change::Refund { .. }, None) => {}
    }
}

/// Makes a call until it is answered, over the deaths of the process that it is made to.
async fn repeat(
    world: &World,
    chance: &Chance,
    make: impl AsyncFn(App, Call) -> Result<Answer, FlowError>,
) -> Option<Answer> {
    for _ in 0..REPEATS {
        let (app, mut dies) = world.process().await;
        let call = Call { request_id: app.new_request_id(), trace: app.open_trace(None) };
        let answer = tokio::select! {
            biased;
            answer = make(app, call) => Some(answer),
            _ = dies.changed() => None,
            () = tokio::time::sleep(TIMEOUT) => None,
        };
        world.note(format!("{answer:?}"));
        if let Some(Ok(answer)) = answer {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(50) + chance.jitter(Duration::from_millis(400))).await;
    }
    None
}
