//! Query strings. What is not known is refused, so that a misspelled filter never lists everything.

use actix_web::web::Query;

use crate::domain::dead_letter::LetterStatus;
use crate::domain::event::DeadLetterTopic;
use crate::domain::payment::PaymentStatus;
use crate::domain::{Bucket, PaymentId, Timestamp};
use crate::flows::{Cursor, Expand, ExpandCursor, LetterFilter, ListQuery, PAGE_DEFAULT};

use super::body::is_merchant_id;
use super::problem::{Code, Problem};

const LIMIT_DEFAULT: u32 = 20;
const LIMIT_MAX: u32 = 100;

/// The parameters of a query, each once and each known.
fn parameters(query: &str, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query).map_err(|_| Code::UnknownParameter)?.into_inner();
    for (place, (name, _)) in pairs.iter().enumerate() {
        let is_repeated = pairs[..place].iter().any(|(earlier, _)| earlier == name);
        if is_repeated || !known.contains(&name.as_str()) {
            let name: String = name.chars().take(64).collect();
            return Err(Problem::from(Code::UnknownParameter).detail(format!("Not known, or given twice: {name}.")));
        }
    }
    Ok(pairs)
}

/// No parameter at all.
pub fn none(query: &str) -> Result<(), Problem> {
    parameters(query, &[]).map(drop)
}

/// Which dead letters a listing shows, and how many.
pub fn dead_letters(query: &str) -> Result<(LetterFilter, usize), Problem> {
    let mut filter = LetterFilter::default();
    let mut limit = LIMIT_DEFAULT;
    for (name, value) in parameters(query, &["limit", "topic", "status", "errorType", "sourceTopic", "startingAfter"])?
    {
        match name.as_str() {
            "limit" => limit = parse_limit(&value)?,
            "topic" => filter.topic = Some(dead_letter_topic(&value)?),
            "status" => filter.status = Some(LetterStatus::parse(&value).ok_or(Code::StatusInvalid)?),
            "errorType" => filter.error_type = Some(value),
            "sourceTopic" => filter.source_topic = Some(value),
            _ => filter.below = Some(value.parse().map_err(|_| Code::CursorInvalid)?),
        }
    }
    Ok((filter, limit as usize))
}

pub fn dead_letter_topic(name: &str) -> Result<DeadLetterTopic, Problem> {
    DeadLetterTopic::ALL.into_iter().find(|topic| topic.name() == name).ok_or_else(|| Code::TopicInvalid.into())
}

/// `limit` alone.
pub fn limit(query: &str) -> Result<u32, Problem> {
    match parameters(query, &["limit"])?.first() {
        Some((_, text)) => parse_limit(text),
        None => Ok(LIMIT_DEFAULT),
    }
}

/// `expand=refunds,ledger,events`, any of them, and how much of them.
pub fn expand(query: &str) -> Result<Expand, Problem> {
    let (mut expand, mut after) = (Expand::default(), None);
    for (name, value) in parameters(query, &["expand", "limit", "startingAfter"])? {
        match name.as_str() {
            "limit" => expand.limit = Some(parse_limit(&value)?),
            "startingAfter" => after = Some(value),
            _ => {
                for name in value.split(',') {
                    match name {
                        "refunds" => expand.refunds = true,
                        "ledger" => expand.ledger = true,
                        "events" => expand.events = true,
                        _ => return Err(Code::ExpandInvalid.into()),
                    }
                }
            }
        }
    }
    if let Some(after) = after {
        expand.after = Some(expand_cursor(&expand, &after).ok_or(Code::CursorInvalid)?);
    }
    Ok(expand)
}

/// A cursor goes on with one list, by the id of one of its kind.
fn expand_cursor(expand: &Expand, text: &str) -> Option<ExpandCursor> {
    match (expand.refunds, expand.ledger, expand.events) {
        (true, false, false) => text.parse().ok().map(ExpandCursor::Refund),
        (false, true, false) => text.parse().ok().map(ExpandCursor::Entry),
        (false, false, true) => text.parse().ok().map(ExpandCursor::Event),
        _ => None,
    }
}

/// Which part of a timeline: behind which place, and how much.
pub fn timeline(query: &str) -> Result<(Option<u32>, u32), Problem> {
    let (mut after, mut limit) = (None, PAGE_DEFAULT);
    for (name, value) in parameters(query, &["limit", "startingAfter"])? {
        match name.as_str() {
            "limit" => limit = parse_limit(&value)?,
            _ => after = Some(value.parse().map_err(|_| Code::CursorInvalid)?),
        }
    }
    Ok((after, limit))
}

pub fn list(query: &str) -> Result<ListQuery, Problem> {
    const KNOWN: &[&str] =
        &["merchantId", "status", "createdAfter", "createdBefore", "limit", "startingAfter", "endingBefore"];
    let pairs = parameters(query, KNOWN)?;
    let value = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let merchant_id = value("merchantId").filter(|id| is_merchant_id(id)).ok_or(Code::MerchantIdInvalid)?;
    let status = match value("status") {
        Some(name) => Some(PaymentStatus::parse(name).ok_or(Code::StatusInvalid)?),
        None => None,
    };
    let cursor = match (value("startingAfter"), value("endingBefore")) {
        (None, None) => None,
        (Some(id), None) => Some(Cursor::StartingAfter(cursor_id(id, merchant_id)?)),
        (None, Some(id)) => Some(Cursor::EndingBefore(cursor_id(id, merchant_id)?)),
        (Some(_), Some(_)) => return Err(Code::CursorInvalid.into()),
    };
    Ok(ListQuery {
        merchant_id: merchant_id.to_owned(),
        status,
        created_after: time(value("createdAfter"))?,
        created_before: time(value("createdBefore"))?,
        limit: value("limit").map_or(Ok(LIMIT_DEFAULT), parse_limit)?,
        cursor,
    })
}

fn parse_limit(text: &str) -> Result<u32, Problem> {
    text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(|| Code::LimitInvalid.into())
}

fn time(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| Timestamp::parse(text).ok_or_else(|| Code::TimeInvalid.into())).transpose()
}

/// An id of our form, of a payment that can be the merchant's; whether it is, the database knows.
fn cursor_id(text: &str, merchant_id: &str) -> Result<PaymentId, Problem> {
    let id: PaymentId = text.parse().map_err(|_| Code::CursorInvalid)?;
    if id.bucket() == Bucket::of_merchant(merchant_id) { Ok(id) } else { Err(Code::CursorInvalid.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::IdGenerator;

    fn id(merchant: &str) -> PaymentId {
        IdGenerator::new(0).next(Timestamp(1_800_000_000_000), Bucket::of_merchant(merchant))
    }

    #[test]
    fn a_list_is_read_whole() {
        let id = id("MERCHANT-1");
        let query = format!(
            "merchantId=MERCHANT-1&status=CAPTURED&limit=5&startingAfter={id}&createdAfter=2026-11-23T00:00:00Z"
        );
        let list = list(&query).unwrap();
        assert_eq!((list.limit, list.status), (5, Some(PaymentStatus::Captured)));
        assert_eq!(list.cursor, Some(Cursor::StartingAfter(id)));
        assert!(list.created_after.is_some() && list.created_before.is_none());
    }

    #[test]
    fn what_is_wrong_has_its_code() {
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
            assert_eq!(list(query).unwrap_err().code, code, "{query}");
        }
    }

    #[test]
    fn expansions_are_named() {
        assert_eq!(expand("").unwrap(), Expand::default());
        let all = Expand { refunds: true, ledger: true, events: true, ..Expand::default() };
        assert_eq!(expand("expand=refunds,ledger,events").unwrap(), all);
        assert_eq!(expand("expand=refunds,secrets").unwrap_err().code, Code::ExpandInvalid);
        assert_eq!(expand("expend=refunds").unwrap_err().code, Code::UnknownParameter);
    }

    #[test]
    fn one_expansion_goes_on_behind_one_of_its_kind() {
        let id: crate::domain::RefundId = IdGenerator::new(0).next(Timestamp(1_800_000_000_000), Bucket::wrapping(1));
        let expanded = expand(&format!("expand=refunds&limit=7&startingAfter={id}")).unwrap();
        assert_eq!((expanded.limit, expanded.after), (Some(7), Some(ExpandCursor::Refund(id))));
        for (query, code) in [
            (format!("expand=events&startingAfter={id}"), Code::CursorInvalid),
            (format!("expand=refunds,events&startingAfter={id}"), Code::CursorInvalid),
            (format!("startingAfter={id}"), Code::CursorInvalid),
            ("expand=refunds&limit=101".to_owned(), Code::LimitInvalid),
        ] {
            assert_eq!(expand(&query).unwrap_err().code, code, "{query}");
        }
        assert_eq!(timeline("").unwrap(), (None, 100));
        assert_eq!(timeline("limit=3&startingAfter=41").unwrap(), (Some(41), 3));
        assert_eq!(timeline("startingAfter=-1").unwrap_err().code, Code::CursorInvalid);
    }
}
