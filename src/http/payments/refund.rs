//! Refund a payment.

use actix_web::http::StatusCode;

use super::answer::{Called, EXECUTION};
use super::change::{CHANGE, change, change_request};
use crate::domain::PaymentId;
use crate::domain::commands::Change;
use crate::flows::ChangeRequest;
use crate::http::body::{Amount, IdempotencyKey, MerchantId, Text, body};
use crate::http::endpoint::{Endpoint, Method, Place, Request};
use crate::http::problem::{Code, Problem};

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
    // A second refund of an amount would be a second refund; of all that is left, it finds nothing.
    wrong if !matches!(amount, Some(None)) && matches!(key, Some(None))
        => "idempotencyKey": Code::IdempotencyKeyMissing;
}

impl RefundBody {
    pub fn into_request(self, id: PaymentId) -> Result<ChangeRequest, Problem> {
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
        &[EXECUTION, CHANGE, &[Code::RefundExceedsCaptured, Code::RefundLimitReached]];
    const TAKES_WORK: bool = true;

    type Path = PaymentId;
    type Query = ();
    type Body = RefundBody;
    type Answer = Called;

    async fn handle(request: Request<'_, Self>) -> Result<Called, Problem> {
        change(request, "refund", RefundBody::into_request).await
    }
}
