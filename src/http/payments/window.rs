//! The parameters that all lists of a merchant have.

use crate::domain::Bucket;
use crate::domain::id::{Id, Kind};
use crate::flows::{Cursor, Window};
use crate::http::body::is_merchant_id;
use crate::http::endpoint::{LIMIT_DEFAULT, Pairs, QueryParameter, Shape, parse_limit, parse_time};
use crate::http::problem::{Code, Problem};

pub const MERCHANT_ID: QueryParameter = QueryParameter::required(
    "merchantId",
    "The merchant",
    Shape::Pattern("^[A-Za-z0-9_-]{1,32}$"),
    Code::MerchantIdInvalid,
);
pub const CREATED_AFTER: QueryParameter =
    QueryParameter::optional("createdAfter", "RFC 3339, exclusive", Shape::Time, Code::TimeInvalid);
pub const CREATED_BEFORE: QueryParameter =
    QueryParameter::optional("createdBefore", "RFC 3339, exclusive", Shape::Time, Code::TimeInvalid);
pub const LIMIT: QueryParameter = QueryParameter::limit("1 to 100; 20 if not given");

/// The cursor to older ones, an id of this form.
pub const fn starting_after(pattern: &'static str) -> QueryParameter {
    let about = "The last one of the page before: the page of older ones. Not with endingBefore";
    QueryParameter::optional("startingAfter", about, Shape::Pattern(pattern), Code::CursorInvalid)
}

/// The cursor to newer ones, an id of this form.
pub const fn ending_before(pattern: &'static str) -> QueryParameter {
    let about = "The first one of the page before: the page of newer ones. Not with startingAfter";
    QueryParameter::optional("endingBefore", about, Shape::Pattern(pattern), Code::CursorInvalid)
}

pub fn merchant_of(pairs: &Pairs) -> Result<&str, Problem> {
    pairs.value("merchantId").filter(|id| is_merchant_id(id)).ok_or_else(|| Code::MerchantIdInvalid.into())
}

/// The statuses that are named; none, if there is no such parameter.
pub fn statuses<S>(pairs: &Pairs, parse: impl Fn(&str) -> Option<S>) -> Result<Vec<S>, Problem> {
    let names = pairs.value("status").into_iter().flat_map(|names| names.split(','));
    names.map(|name| parse(name).ok_or_else(|| Code::StatusInvalid.into())).collect()
}

/// Limit, cursor and bounds of time.
pub fn window<K: Kind>(pairs: &Pairs, merchant_id: &str) -> Result<Window<Id<K>>, Problem> {
    let cursor = match (pairs.value("startingAfter"), pairs.value("endingBefore")) {
        (None, None) => None,
        (Some(id), None) => Some(Cursor::StartingAfter(cursor_id(id, merchant_id)?)),
        (None, Some(id)) => Some(Cursor::EndingBefore(cursor_id(id, merchant_id)?)),
        (Some(_), Some(_)) => return Err(Code::CursorInvalid.into()),
    };
    Ok(Window {
        created_after: pairs.value("createdAfter").map(parse_time).transpose()?,
        created_before: pairs.value("createdBefore").map(parse_time).transpose()?,
        limit: pairs.value("limit").map_or(Ok(LIMIT_DEFAULT), parse_limit)?,
        cursor,
    })
}

/// An id of our form, of one that can be the merchant's; whether it is, the database knows.
fn cursor_id<K: Kind>(text: &str, merchant_id: &str) -> Result<Id<K>, Problem> {
    let id: Id<K> = text.parse().map_err(|_| Code::CursorInvalid)?;
    if id.bucket() == Bucket::of_merchant(merchant_id) { Ok(id) } else { Err(Code::CursorInvalid.into()) }
}
