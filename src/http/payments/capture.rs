//! Capture a payment.

use actix_web::http::StatusCode;

use super::answer::{Called, EXECUTION};
use super::change::{CHANGE, change, change_request};
use crate::domain::PaymentId;
use crate::domain::commands::Change;
use crate::flows::ChangeRequest;
use crate::http::body::{Amount, IdempotencyKey, MerchantId, body};
use crate::http::endpoint::{Endpoint, Method, Place, Request};
use crate::http::problem::{Code, Problem};

body! {
    /// A capture.
    pub struct CaptureBody {
        merchant_id "merchantId": MerchantId,
        /// In the currency's minor unit; all of the authorization if it is not given. The rest is released.
        amount "amount": Option<Amount>,
        /// Here or in the header `Idempotency-Key`; if it is in both, they agree.
        key "idempotencyKey": Option<IdempotencyKey>,
    }
}

impl CaptureBody {
    pub fn into_request(self, id: PaymentId) -> Result<ChangeRequest, Problem> {
        let capture = Change::Capture { amount: self.amount.map(|amount| amount.0) };
        Ok(change_request(id, self.merchant_id, self.key, capture))
    }
}

pub struct CapturePayment;

impl Endpoint for CapturePayment {
    const OPERATION: &'static str = "capture";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/payments/capture/{paymentId}";
    const ALSO: Option<Place> = Some(Place { operation: "capturePayment", path: "/payments/{paymentId}/capture" });
    const ABOUT: &'static str = "Asks for the capture of an authorized payment, or of a part; the rest is released. \
                                 One that failed can be asked for again.";
    const ANSWERS: &'static [(StatusCode, &'static str)] =
        &[(StatusCode::OK, "The capture is requested; the payment becomes CAPTURED")];
    const CODES: &'static [&'static [Code]] = &[EXECUTION, CHANGE, &[Code::CaptureExceedsAuthorized]];
    const TAKES_WORK: bool = true;

    type Path = PaymentId;
    type Query = ();
    type Body = CaptureBody;
    type Answer = Called;

    async fn handle(request: Request<'_, Self>) -> Result<Called, Problem> {
        change(request, "capture", CaptureBody::into_request).await
    }
}
