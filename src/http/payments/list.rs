//! List a merchant's payments.

use actix_web::http::StatusCode;

use super::window::{
    CREATED_AFTER, CREATED_BEFORE, LIMIT, MERCHANT_ID, ending_before, merchant_of, name_of, not_the_merchants,
    starting_after, statuses, window,
};
use crate::domain::PaymentId;
use crate::domain::outcome::PaymentSnapshot;
use crate::domain::payment::PaymentStatus;
use crate::flows::{App, Expand, FlowError, ListQuery, Page};
use crate::http::body::{REFERENCE, is_reference};
use crate::http::endpoint::{Endpoint, Method, Pairs, Query, QueryParameter, READ, Request, Shape};
use crate::http::problem::{Code, Problem};

impl Query for ListQuery {
    const PARAMETERS: &'static [QueryParameter] = &[
        MERCHANT_ID,
        QueryParameter::optional(
            "status",
            "Only payments that have this status, or one of these, with commas between them",
            Shape::PaymentStatuses,
            Code::StatusInvalid,
        ),
        QueryParameter::optional(
            "merchantReference",
            "Only payments that have this reference",
            Shape::Pattern(REFERENCE),
            Code::MerchantReferenceInvalid,
        ),
        CREATED_AFTER,
        CREATED_BEFORE,
        LIMIT,
        starting_after("^pay_[0-9A-HJKMNP-TV-Z]{13}$"),
        ending_before("^pay_[0-9A-HJKMNP-TV-Z]{13}$"),
    ];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let merchant_id = merchant_of(pairs)?;
        let reference = pairs.value("merchantReference");
        if reference.is_some_and(|reference| !is_reference(reference)) {
            return Err(Code::MerchantReferenceInvalid.into());
        }
        Ok(Self {
            merchant_id: merchant_id.to_owned(),
            statuses: statuses(pairs, PaymentStatus::parse)?,
            merchant_reference: reference.map(str::to_owned),
            window: window(pairs, merchant_id)?,
        })
    }
}

pub struct ListPayments;

impl Endpoint for ListPayments {
    const OPERATION: &'static str = "list";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/payments";
    const ABOUT: &'static str = "Lists a merchant's payments, newest first.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "One page")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = ();
    type Query = ListQuery;
    type Body = ();
    type Answer = Page<PaymentSnapshot, PaymentId>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (app, query) = (request.app, request.query);
        if let Some(cursor) = query.window.cursor {
            check_cursor(app, name_of(&cursor), cursor.id(), &query.merchant_id).await?;
        }
        app.list(query).await.map_err(|error| Problem::from(&error))
    }
}

/// A cursor is the id of one of the merchant's payments: a forged one would list from anywhere and never be noticed.
async fn check_cursor(app: &App, name: &'static str, id: PaymentId, merchant_id: &str) -> Result<(), Problem> {
    match app.look_up(id, Expand::default()).await {
        Ok(found) if found.payment.merchant_id == merchant_id => Ok(()),
        // It is there, and of the merchant's bucket: whoever pages past it must not be stopped by it.
        Err(FlowError::Internal) => Ok(()),
        Ok(_) | Err(FlowError::PaymentNotFound) => Err(not_the_merchants(name)),
        Err(error) => Err(Problem::from(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bucket, IdGenerator, Timestamp};
    use crate::flows::Cursor;

    fn id(merchant: &str) -> PaymentId {
        IdGenerator::new(0).next(Timestamp(1_800_000_000_000), Bucket::of_merchant(merchant))
    }

    #[test]
    fn a_list_is_read_whole() {
        let id = id("MERCHANT-1");
        let query = format!(
            "merchantId=MERCHANT-1&status=CAPTURED,VOIDED&limit=5&startingAfter={id}&createdAfter=2026-11-23T00:00:00Z"
        );
        let list = ListQuery::of(&query).unwrap();
        assert_eq!((list.window.limit, list.statuses), (5, vec![PaymentStatus::Captured, PaymentStatus::Voided]));
        assert_eq!(list.window.cursor, Some(Cursor::StartingAfter(id)));
        assert!(list.window.created_after.is_some() && list.window.created_before.is_none());
    }

    #[test]
    fn a_wrong_parameter_has_its_code() {
        let foreign = id("MERCHANT-2");
        let own = id("MERCHANT-1");
        for (query, code) in [
            ("", Code::MerchantIdInvalid),
            ("merchantId=", Code::MerchantIdInvalid),
            ("merchantId=M%20", Code::MerchantIdInvalid),
            ("merchantId=MERCHANT-1&limit=0", Code::LimitInvalid),
            ("merchantId=MERCHANT-1&limit=1000", Code::LimitInvalid),
            ("merchantId=MERCHANT-1&limit=x", Code::LimitInvalid),
            ("merchantId=MERCHANT-1&status=captured", Code::StatusInvalid),
            ("merchantId=MERCHANT-1&status=CAPTURED,", Code::StatusInvalid),
            ("merchantId=MERCHANT-1&merchantReference=", Code::MerchantReferenceInvalid),
            ("merchantId=MERCHANT-1&merchantReference=a%20b", Code::MerchantReferenceInvalid),
            ("merchantId=MERCHANT-1&createdAfter=yesterday", Code::TimeInvalid),
            ("merchantId=MERCHANT-1&startingAfter=pay_1", Code::CursorInvalid),
            (&format!("merchantId=MERCHANT-1&startingAfter={foreign}"), Code::CursorInvalid),
            (&format!("merchantId=MERCHANT-1&startingAfter={own}&endingBefore={own}"), Code::CursorInvalid),
            ("merchantId=MERCHANT-1&merchant=2", Code::UnknownParameter),
            ("merchantId=MERCHANT-1&merchantId=MERCHANT-2", Code::UnknownParameter),
        ] {
            assert_eq!(ListQuery::of(query).unwrap_err().code, code, "{query}");
        }
    }
}
