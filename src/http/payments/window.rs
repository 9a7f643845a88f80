//! The parameters that all lists of a merchant have.

use crate::domain::Bucket;
use crate::domain::id::{Id, Kind};
use crate::flows::{Cursor, Window};
use crate::http::body::is_merchant_id;
use crate::http::endpoint::{LIMIT_DEFAULT, Pairs, QueryParameter, Shape, parse_end, parse_limit, parse_time, wrong};
use crate::http::problem::{Code, FieldError, Problem};

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
    let all = |names: &str| names.split(',').map(|name| parse(name).ok_or(Code::StatusInvalid)).collect();
    Ok(pairs.parsed("status", all)?.unwrap_or_default())
}

/// Limit, cursor and bounds of time.
pub fn window<K: Kind>(pairs: &Pairs, merchant_id: &str) -> Result<Window<Id<K>>, Problem> {
    Ok(Window {
        created_after: pairs.parsed("createdAfter", parse_time)?,
        created_before: pairs.parsed("createdBefore", parse_end)?,
        limit: pairs.parsed("limit", parse_limit)?.unwrap_or(LIMIT_DEFAULT),
        cursor: cursor(pairs, |id: Id<K>| id.bucket() == Bucket::of_merchant(merchant_id))?,
    })
}

/// Where a page begins: an id of our form, of one that can be the merchant's; whether it is, the database knows.
pub fn cursor<K: Kind>(
    pairs: &Pairs,
    can_be_the_merchants: impl Fn(Id<K>) -> bool,
) -> Result<Option<Cursor<Id<K>>>, Problem> {
    let id = |name: &'static str| {
        pairs.parsed(name, |text| {
            let id: Id<K> = text.parse().map_err(|_| wrong(name, Code::CursorInvalid))?;
            if can_be_the_merchants(id) { Ok(id) } else { Err(not_the_merchants(name)) }
        })
    };
    match (id("startingAfter")?, id("endingBefore")?) {
        (None, None) => Ok(None),
        (Some(id), None) => Ok(Some(Cursor::StartingAfter(id))),
        (None, Some(id)) => Ok(Some(Cursor::EndingBefore(id))),
        (Some(_), Some(_)) => {
            let error = FieldError::of_parameter("endingBefore", Code::CursorInvalid);
            Err(Problem::of_field(error.detail("`startingAfter` and `endingBefore` exclude each other.")))
        }
    }
}

/// The parameter that a cursor came in.
pub fn name_of<T>(cursor: &Cursor<T>) -> &'static str {
    match cursor {
        Cursor::StartingAfter(_) => "startingAfter",
        Cursor::EndingBefore(_) => "endingBefore",
    }
}

/// One answer, whether what the cursor names is another merchant's or nobody's.
pub fn not_the_merchants(name: &'static str) -> Problem {
    let error = FieldError::of_parameter(name, Code::CursorInvalid);
    Problem::of_field(error.detail(format!("`{name}` is the id of none of what the list shows of the merchant.")))
}
