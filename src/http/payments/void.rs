//! Void a payment.

use actix_web::http::StatusCode;

use super::answer::{Called, EXECUTION};
use super::change::{CHANGE, change, change_request};
use crate::domain::PaymentId;
use crate::domain::commands::Change;
use crate::flows::ChangeRequest;
use crate::http::body::{IdempotencyKey, MerchantId, body};
use crate::http::endpoint::{Endpoint, Method, Place, Request};
use crate::http::problem::{Code, Problem};

body! {
    /// A void.
    pub struct VoidBody {
        merchant_id "merchantId": MerchantId,
        /// Here or in the header `Idempotency-Key`; if it is in both, they agree.
        key "idempotencyKey": Option<IdempotencyKey>,
    }
}

impl VoidBody {
    pub fn into_request(self, id: PaymentId) -> Result<ChangeRequest, Problem> {
        Ok(change_request(id, self.merchant_id, self.key, Change::Void))
    }
}

pub struct VoidPayment;

impl Endpoint for VoidPayment {
    const OPERATION: &'static str = "void";
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/payments/void/{paymentId}";
    const ALSO: Option<Place> = Some(Place { operation: "voidPayment", path: "/payments/{paymentId}/void" });
    const ABOUT: &'static str = "Gives up an authorization, also one whose capture has failed.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The payment is voided")];
    const CODES: &'static [&'static [Code]] = &[EXECUTION, CHANGE];
    const TAKES_WORK: bool = true;

    type Path = PaymentId;
    type Query = ();
    type Body = VoidBody;
    type Answer = Called;

    /// On the limit of captures: both end an authorization.
    async fn handle(request: Request<'_, Self>) -> Result<Called, Problem> {
        change(request, "capture", VoidBody::into_request).await
    }
}
