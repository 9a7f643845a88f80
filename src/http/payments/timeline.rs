//! Tell what happened to a payment.

use actix_web::http::StatusCode;

use crate::domain::PaymentId;
use crate::flows::{PAGE_DEFAULT, TimelinePart};
use crate::http::endpoint::{
    Endpoint, Method, Pairs, Query, QueryParameter, READ, Request, Shape, parse_limit, parse_number,
};
use crate::http::problem::{Code, Problem};

/// Which part of a timeline.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// Behind which place.
    after: Option<u32>,
    limit: u32,
}

impl Query for Part {
    const PARAMETERS: &'static [QueryParameter] = &[
        QueryParameter::limit("1 to 100; 100 if not given. Ledger entries do not count"),
        QueryParameter::optional(
            "startingAfter",
            "What the page before gave as next",
            Shape::Pattern("^[0-9]{1,9}$"),
            Code::CursorInvalid,
        ),
    ];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        let after = pairs.parsed("startingAfter", |text| parse_number(text).ok_or(Code::CursorInvalid))?;
        Ok(Self { after, limit: pairs.parsed("limit", parse_limit)?.unwrap_or(PAGE_DEFAULT) })
    }
}

pub struct ShowTimeline;

impl Endpoint for ShowTimeline {
    const OPERATION: &'static str = "timeline";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/payments/{paymentId}/timeline";
    const ABOUT: &'static str = "Tells every decision, call to the provider, retry and event in the order of writing, \
                                 and each ledger entry behind its event.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "What happened")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = PaymentId;
    type Query = Part;
    type Body = ();
    type Answer = TimelinePart;

    async fn handle(request: Request<'_, Self>) -> Result<TimelinePart, Problem> {
        let Part { after, limit } = request.query;
        let found = request.app.timeline(request.path, after, limit).await;
        found.map_err(|error| Problem::from(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_behind_a_place() {
        assert_eq!(Part::of("").unwrap(), Part { after: None, limit: 100 });
        assert_eq!(Part::of("limit=3&startingAfter=41").unwrap(), Part { after: Some(41), limit: 3 });
        assert_eq!(Part::of("startingAfter=-1").unwrap_err().code, Code::CursorInvalid);
    }
}
