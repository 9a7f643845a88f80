//! What capture, void and refund share.

use super::answer::{Called, Operation, perform};
use crate::domain::PaymentId;
use crate::domain::commands::Change;
use crate::domain::key::Fingerprint;
use crate::flows::{ChangeRequest, Priority};
use crate::http::body::{IdempotencyKey, MerchantId};
use crate::http::endpoint::{Endpoint, Request};
use crate::http::problem::{Code, Problem};

/// What a change of a payment meets, whatever it is.
pub const CHANGE: &[Code] = &[Code::PaymentStateConflict];

/// A change as the flows take it.
pub fn change_request(
    payment_id: PaymentId,
    merchant_id: MerchantId,
    key: Option<IdempotencyKey>,
    change: Change,
) -> ChangeRequest {
    let fingerprint = fingerprint(&change);
    ChangeRequest { payment_id, merchant_id: merchant_id.0, change, key: key.map(|key| key.0), fingerprint }
}

fn fingerprint(change: &Change) -> Fingerprint {
    let (amount, reason) = match change {
        Change::Capture { amount } => (*amount, None),
        Change::Void => (None, None),
        Change::Refund { amount, reason } => (*amount, reason.as_deref()),
    };
    let amount = amount.map(|amount| amount.to_string());
    let given = [("amount", amount.as_deref()), ("reason", reason)];
    Fingerprint::of(given.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// Asks for a change, on the limit of this name.
pub async fn change<E: Endpoint<Path = PaymentId>>(
    request: Request<'_, E>,
    limit: &'static str,
    read: impl FnOnce(E::Body, PaymentId) -> Result<ChangeRequest, Problem>,
) -> Result<Called, Problem> {
    let Request { http, app, path, body, .. } = request;
    let change = read(body, path)?;
    let permit = app.admit(change.bucket(), Priority::Ongoing).map_err(|error| Problem::from(&error))?;
    let operation = Operation { path: E::PATH, payment: Some(path) };
    perform(http, app, limit, operation, |app, call| async move { app.change(permit, change, &call).await }).await
}
