//! Refund a payment.

use actix_web::http::StatusCode;

use super::answer::{Called, EXECUTION};
use super::change::{CHANGE, change, change_request};
use crate::domain::PaymentId;
use crate::domain::commands::Change;
use crate::flows::{ChangeRequest, Priority};
use crate::http::body::{Amount, IdempotencyKey, MerchantId, Text, body};
use crate::http::endpoint::{AnyQuery, Endpoint, Method, Place, Request};
use crate::http::problem::{Code, FieldError, Problem};

body! {
    /// A refund.
    pub struct RefundBody {
        merchant_id "merchantId": MerchantId,
        /// In the currency's minor unit; all that is left if it is not given. With an amount a key is needed.
        amount "amount": Option<Amount>,
        /// Here or in the header `Idempotency-Key`; if it is in both, they agree.
        key "idempotencyKey": Option<IdempotencyKey>,
        /// Without card numbers.
        reason "reason": Text<255>,
    }
}

impl RefundBody {
    /// # Errors
    /// An amount without a key: a second refund of an amount would be a second refund; of all that is left, it finds
    /// nothing.
    pub fn into_request(self, id: PaymentId) -> Result<ChangeRequest, Problem> {
        if self.amount.is_some() && self.key.is_none() {
            let (pointer, code) = ("/idempotencyKey".to_owned(), Code::IdempotencyKeyMissing);
            return Err(Problem::of_field(FieldError { pointer, code }));
        }
        let refund = Change::Refund { amount: self.amount.map(|amount| amount.0), reason: self.reason.0 };
        Ok(change_request(id, self.merchant_id, self.key, refund))
    }
}

pub struct RefundPayment;

impl Endpoint for RefundPayment {
    const OPERATION: &'static str = "refund";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/payments/refund/{paymentId}";
    const ALSO: Option<Place> = Some(Place { operation: "createRefund", path: "/payments/{paymentId}/refunds" });
    const ABOUT: &'static str = "Asks for a refund of what was captured, or of a part, which needs an idempotency \
                                 key. While the capture is under way the refund waits for it, and fails with it.";
    const ANSWERS: &'static [(StatusCode, &'static str)] =
        &[(StatusCode::OK, "The refund is requested; the payment becomes REFUNDED or PARTIALLY_REFUNDED")];
    const CODES: &'static [&'static [Code]] =
        &[EXECUTION, CHANGE, &[Code::IdempotencyKeyMissing, Code::RefundExceedsCaptured, Code::RefundLimitReached]];
    const PRIORITY: Option<Priority> = Some(Priority::Ongoing);

    type Path = PaymentId;
    type Query = AnyQuery;
    type Body = RefundBody;
    type Answer = Called;

    async fn handle(request: Request<'_, Self>) -> Result<Called, Problem> {
        change(request, "refund", RefundBody::into_request).await
    }
}
