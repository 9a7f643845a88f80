//! Authorize a payment.

use actix_web::http::StatusCode;

use super::answer::{Called, EXECUTION, Operation, perform};
use crate::domain::key::Fingerprint;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::{Currency, Money};
use crate::flows::{AuthorizeRequest, Priority};
use crate::http::body::{Amount, IdempotencyKey, MerchantId, Text, body};
use crate::http::endpoint::{Endpoint, Method, Request};
use crate::http::problem::{Code, Problem};

body! {
    /// An authorization.
    pub struct AuthorizeBody {
        merchant_id "merchantId": MerchantId,
        /// In the currency's minor unit (ISO 4217). The policy's `payment.amount_max` may be lower than the maximum
        /// here.
        amount "amount": Amount,
        /// An active ISO 4217 code.
        currency "currency": Currency,
        /// Needed here or in the header `Idempotency-Key`; if it is in both, they agree.
        key "idempotencyKey": IdempotencyKey,
        /// Without card numbers.
        description "description": Text<500>,
        /// At most 50 texts of 500 characters, under names of 40, without card numbers.
        metadata "metadata": Metadata,
        /// `manual` if it is not given.
        capture_mode "captureMode": CaptureMode,
    }
}

impl From<AuthorizeBody> for AuthorizeRequest {
    fn from(body: AuthorizeBody) -> Self {
        let fingerprint = body.fingerprint();
        Self {
            merchant_id: body.merchant_id.0,
            money: Money::new(body.amount.0, body.currency),
            capture_mode: body.capture_mode,
            description: body.description.0,
            metadata: body.metadata,
            key: body.key.0,
            fingerprint,
        }
    }
}

impl AuthorizeBody {
    /// Of what the request means, not of how it was spelled.
    fn fingerprint(&self) -> Fingerprint {
        let amount = self.amount.0.to_string();
        let always = [
            ("merchantId", self.merchant_id.0.as_str()),
            ("amount", amount.as_str()),
            ("currency", self.currency.code()),
            ("captureMode", self.capture_mode.name()),
        ];
        let described = self.description.0.as_deref().map(|text| ("description", text));
        let noted =
            self.metadata.iter().flat_map(|(key, value)| [("metadata", key.as_str()), ("value", value.as_str())]);
        Fingerprint::of(always.into_iter().chain(described).chain(noted))
    }
}

pub struct AuthorizePayment;

impl Endpoint for AuthorizePayment {
    const OPERATION: &'static str = "authorize";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/payments/authorize";
    const ABOUT: &'static str = "Authorizes a payment at the payment provider. Needs an idempotency key.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[
        (StatusCode::OK, "The payment is authorized"),
        (StatusCode::ACCEPTED, "The provider's answer is not known; the payment is UNKNOWN and will be resolved"),
    ];
    const CODES: &'static [&'static [Code]] =
        &[EXECUTION, &[Code::MetadataTooLarge, Code::PaymentDeclined, Code::PspUnavailable, Code::PspNotReached]];
    const PRIORITY: Option<Priority> = Some(Priority::New);

    type Path = ();
    type Query = ();
    type Body = AuthorizeBody;
    type Answer = Called;

    async fn handle(request: Request<'_, Self>) -> Result<Called, Problem> {
        let order = AuthorizeRequest::from(request.body);
        let permit = request.app.admit(order.bucket(), Priority::New).map_err(|error| Problem::from(&error))?;
        let (http, app) = (request.http, request.app);
        let operation = Operation { path: Self::PATH, payment: None };
        perform(http, app, "authorize", operation, |app, call| async move { app.authorize(permit, order, &call).await })
            .await
    }
}
