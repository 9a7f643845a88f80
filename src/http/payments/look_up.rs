//! Show a payment.

use actix_web::http::StatusCode;

use crate::domain::PaymentId;
use crate::flows::{Expand, ExpandCursor, PaymentDetails};
use crate::http::endpoint::{Endpoint, Method, Pairs, Query, QueryParameter, READ, Request, Shape, parse_limit};
use crate::http::problem::{Code, FieldError, Problem};

impl Query for Expand {
    const PARAMETERS: &'static [QueryParameter] = &[
        QueryParameter::optional(
            "expand",
            "Any of refunds, ledger and events, with commas between them",
            Shape::Pattern("^(refunds|ledger|events)(,(refunds|ledger|events))*$"),
            Code::ExpandInvalid,
        ),
        QueryParameter::limit("How much of each list is shown: 1 to 100; 100 if not given"),
        QueryParameter::optional(
            "startingAfter",
            "The last one of the list's page before: the page behind it. With one list only",
            Shape::Pattern("^(ref|ent|evt)_[0-9A-HJKMNP-TV-Z]{13}$"),
            Code::CursorInvalid,
        ),
    ];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let mut expand = Self { limit: pairs.parsed("limit", parse_limit)?, ..Self::default() };
        for name in pairs.value("expand").into_iter().flat_map(|names| names.split(',')) {
            match name {
                "refunds" => expand.refunds = true,
                "ledger" => expand.ledger = true,
                "events" => expand.events = true,
                _ => return Err(Code::ExpandInvalid.into()),
            }
        }
        if let Some(after) = pairs.value("startingAfter") {
            let error = FieldError::of_parameter("startingAfter", Code::CursorInvalid);
            let why = "`startingAfter` is the id of a refund, a ledger entry or an event, and `expand` names the list \
                       that has it and no other.";
            expand.after = Some(cursor(&expand, after).ok_or_else(|| Problem::of_field(error.detail(why)))?);
        }
        Ok(expand)
    }
}

/// A cursor goes on with one list, by the id of one of its kind.
fn cursor(expand: &Expand, text: &str) -> Option<ExpandCursor> {
    match (expand.refunds, expand.ledger, expand.events) {
        (true, false, false) => text.parse().ok().map(ExpandCursor::Refund),
        (false, true, false) => text.parse().ok().map(ExpandCursor::Entry),
        (false, false, true) => text.parse().ok().map(ExpandCursor::Event),
        _ => None,
    }
}

pub struct LookUpPayment;

impl Endpoint for LookUpPayment {
    const OPERATION: &'static str = "lookUp";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/payments/{paymentId}";
    const ABOUT: &'static str = "Shows a payment.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The payment")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = PaymentId;
    type Query = Expand;
    type Body = ();
    type Answer = PaymentDetails;

    async fn handle(request: Request<'_, Self>) -> Result<PaymentDetails, Problem> {
        let found = request.app.look_up(request.path, request.query).await;
        found.map_err(|error| Problem::from(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bucket, IdGenerator, RefundId, Timestamp};

    #[test]
    fn expansions_are_named() {
        assert_eq!(Expand::of("").unwrap(), Expand::default());
        let all = Expand { refunds: true, ledger: true, events: true, ..Expand::default() };
        assert_eq!(Expand::of("expand=refunds,ledger,events").unwrap(), all);
        assert_eq!(Expand::of("expand=refunds,secrets").unwrap_err().code, Code::ExpandInvalid);
        assert_eq!(Expand::of("expend=refunds").unwrap_err().code, Code::UnknownParameter);
    }

    #[test]
    fn a_cursor_goes_on_with_one_list_of_its_kind() {
        let id: RefundId = IdGenerator::new(0).next(Timestamp(1_800_000_000_000), Bucket::wrapping(1));
        let expanded = Expand::of(&format!("expand=refunds&limit=7&startingAfter={id}")).unwrap();
        assert_eq!((expanded.limit, expanded.after), (Some(7), Some(ExpandCursor::Refund(id))));
        for (query, code) in [
            (format!("expand=events&startingAfter={id}"), Code::CursorInvalid),
            (format!("expand=refunds,events&startingAfter={id}"), Code::CursorInvalid),
            (format!("startingAfter={id}"), Code::CursorInvalid),
            ("expand=refunds&limit=101".to_owned(), Code::LimitInvalid),
        ] {
            assert_eq!(Expand::of(&query).unwrap_err().code, code, "{query}");
        }
    }
}
