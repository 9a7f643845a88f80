//! List a merchant's payments.

use actix_web::http::StatusCode;

use crate::domain::payment::PaymentStatus;
use crate::domain::{Bucket, PaymentId};
use crate::flows::{App, Cursor, Expand, FlowError, ListQuery, Page};
use crate::http::body::is_merchant_id;
use crate::http::endpoint::{
    Endpoint, LIMIT_DEFAULT, Method, Pairs, Query, QueryParameter, READ, Request, Shape, parse_end, parse_limit,
    parse_time, wrong,
};
use crate::http::problem::{Code, FieldError, Problem};

const PAYMENT_ID: Shape = Shape::Pattern("^pay_[0-9A-HJKMNP-TV-Z]{13}$");

impl Query for ListQuery {
    const PARAMETERS: &'static [QueryParameter] = &[
        QueryParameter::required(
            "merchantId",
            "The merchant",
            Shape::Pattern("^[A-Za-z0-9_-]{1,32}$"),
            Code::MerchantIdInvalid,
        ),
        QueryParameter::optional(
            "status",
            "Only payments that have this status",
            Shape::PaymentStatus,
            Code::StatusInvalid,
        ),
        QueryParameter::optional("createdAfter", "RFC 3339, exclusive", Shape::Time, Code::TimeInvalid),
        QueryParameter::optional("createdBefore", "RFC 3339, exclusive", Shape::Time, Code::TimeInvalid),
        QueryParameter::limit("1 to 100; 20 if not given"),
        QueryParameter::optional(
            "startingAfter",
            "The last payment of the page before: the page of older ones. Not with endingBefore",
            PAYMENT_ID,
            Code::CursorInvalid,
        ),
        QueryParameter::optional(
            "endingBefore",
            "The first payment of the page before: the page of newer ones. Not with startingAfter",
            PAYMENT_ID,
            Code::CursorInvalid,
        ),
    ];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let merchant_id = pairs.value("merchantId").filter(|id| is_merchant_id(id)).ok_or(Code::MerchantIdInvalid)?;
        let status = pairs.parsed("status", |name| PaymentStatus::parse(name).ok_or(Code::StatusInvalid))?;
        let cursor_id = |name| pairs.parsed(name, |id| cursor_id(name, id, merchant_id));
        let cursor = match (cursor_id("startingAfter")?, cursor_id("endingBefore")?) {
            (None, None) => None,
            (Some(id), None) => Some(Cursor::StartingAfter(id)),
            (None, Some(id)) => Some(Cursor::EndingBefore(id)),
            (Some(_), Some(_)) => {
                let error = FieldError::of_parameter("endingBefore", Code::CursorInvalid);
                return Err(Problem::of_field(error.detail("`startingAfter` and `endingBefore` exclude each other.")));
            }
        };
        Ok(Self {
            merchant_id: merchant_id.to_owned(),
            status,
            created_after: pairs.parsed("createdAfter", parse_time)?,
            created_before: pairs.parsed("createdBefore", parse_end)?,
            limit: pairs.parsed("limit", parse_limit)?.unwrap_or(LIMIT_DEFAULT),
            cursor,
        })
    }
}

/// An id of our form, of a payment that can be the merchant's; whether it is, the database knows.
fn cursor_id(name: &'static str, text: &str, merchant_id: &str) -> Result<PaymentId, Problem> {
    let id: PaymentId = text.parse().map_err(|_| wrong(name, Code::CursorInvalid))?;
    if id.bucket() == Bucket::of_merchant(merchant_id) { Ok(id) } else { Err(not_the_merchants(name)) }
}

/// One answer, whether the payment is another's or nobody's.
fn not_the_merchants(name: &'static str) -> Problem {
    let error = FieldError::of_parameter(name, Code::CursorInvalid);
    Problem::of_field(error.detail(format!("`{name}` is the id of none of the merchant's payments.")))
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
    type Answer = Page;

    async fn handle(request: Request<'_, Self>) -> Result<Page, Problem> {
        let (app, query) = (request.app, request.query);
        match query.cursor {
            Some(Cursor::StartingAfter(id)) => check_cursor(app, "startingAfter", id, &query.merchant_id).await?,
            Some(Cursor::EndingBefore(id)) => check_cursor(app, "endingBefore", id, &query.merchant_id).await?,
            None => {}
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
    use crate::domain::{IdGenerator, Timestamp};

    fn id(merchant: &str) -> PaymentId {
        IdGenerator::new(0).next(Timestamp(1_800_000_000_000), Bucket::of_merchant(merchant))
    }

    #[test]
    fn a_list_is_read_whole() {
        let id = id("MERCHANT-1");
        let query = format!(
            "merchantId=MERCHANT-1&status=CAPTURED&limit=5&startingAfter={id}&createdAfter=2026-11-23T00:00:00Z"
        );
        let list = ListQuery::of(&query).unwrap();
        assert_eq!((list.limit, list.status), (5, Some(PaymentStatus::Captured)));
        assert_eq!(list.cursor, Some(Cursor::StartingAfter(id)));
        assert!(list.created_after.is_some() && list.created_before.is_none());
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
