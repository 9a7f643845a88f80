//! `/refunds`: look up and list.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::is_merchant_id;
use super::endpoint::{Answer, Content, Endpoint, Entry, Method, Pairs, Query, QueryParameter, READ, Request, Shape};
use super::payments::{
    CREATED_AFTER, CREATED_BEFORE, LIMIT, MERCHANT_ID, RefundView, Shown, ending_before, merchant_of, name_of,
    not_the_merchants, starting_after, statuses, window,
};
use super::problem::{Code, Problem};
use crate::domain::refund::{Refund, RefundStatus};
use crate::domain::{PaymentId, RefundId};
use crate::flows::{App, FlowError, Page, RefundsQuery};

pub const ENDPOINTS: &[Entry] = &[Entry::of::<LookUpRefund>(), Entry::of::<ListRefunds>()];

const REFUND_ID: &str = "^ref_[0-9A-HJKMNP-TV-Z]{13}$";

/// A refund with what it is of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RefundDetails)]
pub struct RefundDetailsView<'a> {
    #[schema(value_type = String)]
    payment_id: PaymentId,
    merchant_id: &'a str,
    #[serde(flatten)]
    refund: RefundView<'a>,
}

impl<'a> From<&'a Refund> for RefundDetailsView<'a> {
    fn from(refund: &'a Refund) -> Self {
        Self { payment_id: refund.payment_id, merchant_id: &refund.merchant_id, refund: refund.into() }
    }
}

impl Shown for Refund {
    type View<'a> = RefundDetailsView<'a>;
}

impl Answer for Refund {
    fn respond(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(RefundDetailsView::from(&self))
    }

    fn content() -> Option<Content> {
        Some(Content::json::<RefundDetailsView<'_>>())
    }
}

/// Whose refund it has to be.
pub struct OfMerchant(Option<String>);

impl Query for OfMerchant {
    const PARAMETERS: &'static [QueryParameter] = &[QueryParameter::optional(
        "merchantId",
        "The merchant: another one's refund is not found",
        Shape::Pattern("^[A-Za-z0-9_-]{1,32}$"),
        Code::MerchantIdInvalid,
    )];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let id = |id: &str| if is_merchant_id(id) { Ok(id.to_owned()) } else { Err(Code::MerchantIdInvalid) };
        pairs.parsed("merchantId", id).map(Self)
    }
}

pub struct LookUpRefund;

impl Endpoint for LookUpRefund {
    const OPERATION: &'static str = "lookUpRefund";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/refunds/{refundId}";
    const ABOUT: &'static str = "Shows a refund.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The refund")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = RefundId;
    type Query = OfMerchant;
    type Body = ();
    type Answer = Refund;

    async fn handle(request: Request<'_, Self>) -> Result<Refund, Problem> {
        let refund = request.app.refund(request.path).await.map_err(|error| Problem::from(&error))?;
        match request.query.0 {
            Some(merchant_id) if merchant_id != refund.merchant_id => Err(Code::RefundNotFound.into()),
            _ => Ok(refund),
        }
    }
}

impl Query for RefundsQuery {
    const PARAMETERS: &'static [QueryParameter] = &[
        MERCHANT_ID,
        QueryParameter::optional(
            "status",
            "Only refunds that have this status, or one of these, with commas between them",
            Shape::RefundStatuses,
            Code::StatusInvalid,
        ),
        CREATED_AFTER,
        CREATED_BEFORE,
        LIMIT,
        starting_after(REFUND_ID),
        ending_before(REFUND_ID),
    ];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let merchant_id = merchant_of(pairs)?;
        Ok(Self {
            merchant_id: merchant_id.to_owned(),
            statuses: statuses(pairs, RefundStatus::parse)?,
            window: window(pairs, merchant_id)?,
        })
    }
}

pub struct ListRefunds;

impl Endpoint for ListRefunds {
    const OPERATION: &'static str = "listRefunds";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/refunds";
    const ABOUT: &'static str = "Lists a merchant's refunds, newest first.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "One page")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = ();
    type Query = RefundsQuery;
    type Body = ();
    type Answer = Page<Refund, RefundId>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (app, query) = (request.app, request.query);
        if let Some(cursor) = query.window.cursor {
            check_cursor(app, name_of(&cursor), cursor.id(), &query.merchant_id).await?;
        }
        app.refunds(query).await.map_err(|error| Problem::from(&error))
    }
}

/// A cursor is the id of one of the merchant's refunds, as with payments.
async fn check_cursor(app: &App, name: &'static str, id: RefundId, merchant_id: &str) -> Result<(), Problem> {
    match app.refund(id).await {
        Ok(refund) if refund.merchant_id == merchant_id => Ok(()),
        // It is there, and of the merchant's bucket: whoever pages past it must not be stopped by it.
        Err(FlowError::Internal) => Ok(()),
        Ok(_) | Err(FlowError::RefundNotFound) => Err(not_the_merchants(name)),
        Err(error) => Err(Problem::from(&error)),
    }
}
