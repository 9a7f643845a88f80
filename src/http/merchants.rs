//! `/merchants`: a merchant's balances and ledger entries.

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::MerchantId;
use super::endpoint::{
    Endpoint, Entry, Json, LIMIT_DEFAULT, Method, Pairs, Query, QueryParameter, READ, Request, Shape, parse_limit,
    parse_time,
};
use super::payments::{
    LIMIT, LedgerEntryView, Shown, cursor, ending_before, name_of, not_the_merchants, starting_after,
};
use super::problem::{Code, Problem};
use crate::domain::ledger::{Balance, BalanceKey, LedgerEntry};
use crate::domain::{Bucket, Currency, EntryId, PaymentId, Timestamp};
use crate::flows::{Cursor, EntriesQuery, Page, Window};

pub const ENDPOINTS: &[Entry] = &[Entry::of::<ShowBalances>(), Entry::of::<ListEntries>()];

const ENTRY_ID: &str = "^ent_[0-9A-HJKMNP-TV-Z]{13}$";
const AT: QueryParameter = QueryParameter::optional(
    "at",
    "RFC 3339: as it was then, with all that was booked up to that millisecond; now if it is not given",
    Shape::Time,
    Code::TimeInvalid,
);

/// What was booked on one account in one currency, in the currency's minor unit.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Balance)]
struct BalanceView {
    #[schema(value_type = String, example = "KRW")]
    currency: Currency,
    #[schema(example = "merchant_receivable")]
    account: &'static str,
    /// The sum of all debits.
    debits: i64,
    /// The sum of all credits.
    credits: i64,
    /// Debits without credits: below zero, if more was credited.
    balance: i64,
}

/// A merchant's balances, by currency and account. Accounts without an entry are left out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Balances)]
pub struct BalancesView {
    merchant_id: String,
    /// The time that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    balances: Vec<BalanceView>,
}

impl From<(BalanceKey, Balance)> for BalanceView {
    fn from((key, balance): (BalanceKey, Balance)) -> Self {
        let Balance { debits, credits, .. } = balance;
        // Neither is below zero, so that the difference is always in range.
        let difference = debits.saturating_sub(credits);
        Self { currency: key.currency, account: key.account.name(), debits, credits, balance: difference }
    }
}

/// The time that is asked about; none for now.
pub struct At(Option<Timestamp>);

impl Query for At {
    const PARAMETERS: &'static [QueryParameter] = &[AT];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        pairs.parsed("at", parse_time).map(Self)
    }
}

pub struct ShowBalances;

impl Endpoint for ShowBalances {
    const OPERATION: &'static str = "balances";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/merchants/{merchantId}/balances";
    const ABOUT: &'static str = "Shows a merchant's balances, now or at an earlier time. A time since which more than \
                                 50 000 entries were booked for the merchant is too far back.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "The balances")];
    const CODES: &'static [&'static [Code]] = &[READ, &[Code::BalanceTooOld]];

    type Path = MerchantId;
    type Query = At;
    type Body = ();
    type Answer = Json<BalancesView>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let (MerchantId(merchant_id), At(at)) = (request.path, request.query);
        let found = request.app.balances(&merchant_id, at).await.map_err(|error| Problem::from(&error))?;
        let mut balances: Vec<_> = found.into_iter().map(BalanceView::from).collect();
        balances.sort_by(|a, b| (a.currency.code(), a.account).cmp(&(b.currency.code(), b.account)));
        Ok(Json(BalancesView { merchant_id, at, balances }))
    }
}

/// An entry with the payment that it is about.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MerchantEntry)]
pub struct EntryView {
    #[schema(value_type = String)]
    payment_id: PaymentId,
    #[serde(flatten)]
    entry: LedgerEntryView,
}

impl From<&LedgerEntry> for EntryView {
    fn from(entry: &LedgerEntry) -> Self {
        Self { payment_id: entry.payment_id, entry: entry.into() }
    }
}

impl Shown for LedgerEntry {
    type View<'a> = EntryView;
}

/// A part of the entries, whosever they are.
pub struct EntriesPart {
    at: Option<Timestamp>,
    limit: u32,
    cursor: Option<Cursor<EntryId>>,
}

impl Query for EntriesPart {
    const PARAMETERS: &'static [QueryParameter] = &[AT, LIMIT, starting_after(ENTRY_ID), ending_before(ENTRY_ID)];

    fn read(pairs: &Pairs) -> Result<Self, Problem> {
        Ok(Self {
            at: pairs.parsed("at", parse_time)?,
            limit: pairs.parsed("limit", parse_limit)?.unwrap_or(LIMIT_DEFAULT),
            // Whose it is, is known when the path is.
            cursor: cursor(pairs, |_| true)?,
        })
    }
}

pub struct ListEntries;

impl Endpoint for ListEntries {
    const OPERATION: &'static str = "listEntries";
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/merchants/{merchantId}/entries";
    const ABOUT: &'static str = "Lists a merchant's ledger entries, newest first, now or as they were.";
    const ANSWERS: &'static [(StatusCode, &'static str)] = &[(StatusCode::OK, "One page")];
    const CODES: &'static [&'static [Code]] = &[READ];

    type Path = MerchantId;
    type Query = EntriesPart;
    type Body = ();
    type Answer = Page<LedgerEntry, EntryId>;

    async fn handle(request: Request<'_, Self>) -> Result<Self::Answer, Problem> {
        let Request { app, path: MerchantId(merchant_id), query: EntriesPart { at, limit, cursor }, .. } = request;
        if let Some(cursor) = cursor {
            let id = cursor.id();
            let is_its_bucket = id.bucket() == Bucket::of_merchant(&merchant_id);
            let is_its =
                is_its_bucket && app.has_entry(id, &merchant_id).await.map_err(|error| Problem::from(&error))?;
            if !is_its {
                return Err(not_the_merchants(name_of(&cursor)));
            }
        }
        let created_before = at.map(|at| Timestamp(at.0.saturating_add(1)));
        let window = Window { created_after: None, created_before, limit, cursor };
        app.entries(EntriesQuery { merchant_id, window }).await.map_err(|error| Problem::from(&error))
    }
}
