//! Authorize a payment.

use actix_web::http::StatusCode;

use super::answer::{Called, EXECUTION, Operation, perform};
use crate::domain::key::Fingerprint;
use crate::domain::payment::{CaptureMode, Metadata};
use crate::domain::reference::MerchantReference;
use crate::domain::{Currency, Money};
use crate::flows::{AuthorizeRequest, Priority};
use crate::http::body::{Amount, IdempotencyKey, MerchantId, Optional, Reference, Text, body};
use crate::http::endpoint::{Endpoint, Method, Place, Request};
use crate::http::problem::{Code, FieldError, Problem};

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
        /// The merchant's own name for the payment, by which it can be found: 1 to 64 printable ASCII characters
        /// without spaces, and no card number.
        merchant_reference "merchantReference": Reference,
        /// Whether the call is refused if another payment of the merchant has the reference and was not declined.
        unique_reference "uniqueReference": Optional<Option<bool>>,
        /// Without card numbers.
        description "description": Text<500>,
        /// At most 50 texts of 500 characters, under names of 40, without card numbers.
        metadata "metadata": Metadata,
        /// `manual` if it is not given.
        capture_mode "captureMode": CaptureMode,
    }
}

impl AuthorizeBody {
    /// # Errors
    /// A reference that is to be unique, and none.
    pub fn into_request(self) -> Result<AuthorizeRequest, Problem> {
        let body = self;
        let fingerprint = body.fingerprint();
        let is_unique = body.is_unique();
        if is_unique && body.merchant_reference.0.is_none() {
            let error = FieldError::at("/merchantReference".to_owned(), Code::FieldMissing);
            return Err(Problem::of_field(error));
        }
        Ok(AuthorizeRequest {
            merchant_id: body.merchant_id.0,
            money: Money::new(body.amount.0, body.currency),
            capture_mode: body.capture_mode,
            merchant_reference: body.merchant_reference.0.map(|text| MerchantReference { text, is_unique }),
            description: body.description.0,
            metadata: body.metadata,
            key: body.key.0,
            fingerprint,
        })
    }

    fn is_unique(&self) -> bool {
        self.unique_reference.0.flatten() == Some(true)
    }

    /// Of what the request means, not of how it was spelled.
    fn fingerprint(&self) -> Fingerprint {
        let amount = self.amount.0.to_string();
        let always = [
            ("merchantId", self.merchant_id.0.as_str()),
            ("amount", amount.as_str()),
            ("currency", self.currency.code()),
            ("captureMode", self.capture_mode.name()),
        ];
        let named = self.merchant_reference.0.as_deref().map(|text| ("merchantReference", text));
        let alone = self.is_unique().then_some(("uniqueReference", "true"));
        let described = self.description.0.as_deref().map(|text| ("description", text));
        let noted =
            self.metadata.iter().flat_map(|(key, value)| [("metadata", key.as_str()), ("value", value.as_str())]);
        Fingerprint::of(always.into_iter().chain(named).chain(alone).chain(described).chain(noted))
    }
}

/// What an authorization alone can be refused for.
const REFUSED: &[Code] = &[
    Code::FieldMissing,
    Code::MetadataTooLarge,
    Code::MerchantReferenceUsed,
    Code::PaymentDeclined,
    Code::PspUnavailable,
    Code::PspNotReached,
];

pub struct AuthorizePayment;

impl Endpoint for AuthorizePayment {
    const OPERATION: &'static str = "authorize";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/payments/authorize";
    const ALSO: Option<Place> = Some(Place { operation: "createPayment", path: "/payments" });
    const ABOUT: &'static str = "Authorizes a payment at the payment provider. Needs an idempotency key.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[
        (StatusCode::OK, "The payment is authorized"),
        (StatusCode::ACCEPTED, "The provider's answer is not known; the payment is UNKNOWN and will be resolved"),
    ];
    const CODES: &'static [&'static [Code]] = &[EXECUTION, REFUSED];
    const TAKES_WORK: bool = true;

    type Path = ();
    type Query = ();
    type Body = AuthorizeBody;
    type Answer = Called;

    async fn handle(request: Request<'_, Self>) -> Result<Called, Problem> {
        let order = request.body.into_request()?;
        let permit = request.app.admit(order.bucket(), Priority::New).map_err(|error| Problem::from(&error))?;
        let (http, app) = (request.http, request.app);
        let operation = Operation { path: Self::PATH, payment: None };
        perform(http, app, "authorize", operation, |app, call| async move { app.authorize(permit, order, &call).await })
            .await
    }
}
