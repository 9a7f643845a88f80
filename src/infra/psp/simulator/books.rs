//! The simulated PSP's books: reserved, captured and refunded money, and the requests.

use std::path::Path;

use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::SqlitePool;
use serde::{Deserialize, Serialize};

use crate::domain::currency::UnsupportedCurrency;
use crate::domain::{Currency, Money};
use crate::infra::psp::PspAnswer;
use crate::infra::sqlite::{self, OpenError};

pub(super) const FORMAT: i64 = 1;

/// Amounts are in the currency's minor unit. Both keys rise with time, so that rows are added at the end.
pub(super) const TABLES: &str = "
CREATE TABLE authorization (
    reference TEXT PRIMARY KEY,
    payment TEXT NOT NULL,
    merchant TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    captured INTEGER NOT NULL CHECK (captured BETWEEN 0 AND amount),
    refunded INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND captured),
    voided INTEGER NOT NULL CHECK (voided = 0 OR captured = 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE operation (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    authorization_reference TEXT,
    reference TEXT NOT NULL,
    currency TEXT NOT NULL,
    asked INTEGER NOT NULL,
    approved INTEGER,
    reason TEXT,
    times_asked INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    CHECK ((approved IS NULL) <> (reason IS NULL))
) STRICT, WITHOUT ROWID";

/// Asks whether anything was ever asked of the PSP.
pub(super) const IS_USED: &str = "SELECT EXISTS (SELECT 1 FROM operation)";

pub(super) const AUTHORIZATION_COLUMNS: &str =
    "reference, payment, merchant, currency, amount, captured, refunded, voided";
pub(super) const OPERATION_COLUMNS: &str =
    "key, kind, authorization_reference, reference, currency, asked, approved, reason, times_asked, at_ms";
/// What is in [`AUTHORIZATION_COLUMNS`].
pub(super) type AuthorizationRow = (String, String, String, String, i64, i64, i64, bool);
/// What is in [`OPERATION_COLUMNS`].
pub(super) type OperationRow =
    (String, String, Option<String>, String, String, i64, Option<i64>, Option<String>, i64, i64);

/// Connections for reading; audits use one.
const CONNECTIONS: u32 = 2;

/// Money reserved for a payment, and its present state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    pub reference: String,
    /// The payment's id, as text.
    pub payment: String,
    pub merchant: String,
    pub currency: Currency,
    /// Minor units, as are the next two.
    pub amount: i64,
    pub captured: i64,
    pub refunded: i64,
    pub voided: bool,
}

/// One operation that reached the PSP, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationEntry {
    pub key: String,
    /// `authorize`, `capture`, `void` or `refund`.
    pub kind: String,
    /// The authorization that it named; none for `authorize`.
    pub authorization: Option<String>,
    pub reference: String,
    /// What it asked for.
    pub asked: Money,
    pub outcome: BookedOutcome,
    /// How often it arrived: 1, and one more for each repetition that was answered from the books.
    pub times_asked: i64,
    /// When it first arrived, in milliseconds since 1970 UTC.
    pub at_ms: i64,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BookedOutcome {
    /// Done, for so many minor units.
    Approved(i64),
    /// Refused, for this reason.
    Declined(String),
}

impl OperationEntry {
    pub(super) fn answer(&self) -> PspAnswer {
        match &self.outcome {
            BookedOutcome::Approved(minor) => PspAnswer::Approved {
                reference: self.reference.clone(),
                money: Money::new(*minor, self.asked.currency),
            },
            BookedOutcome::Declined(reason) => PspAnswer::Declined { reason: reason.clone() },
        }
    }
}

/// The books, open for reading beside a running simulator or after it.
#[derive(Debug, Clone)]
pub struct Books(SqlitePool);

impl Books {
    /// Opens existing books.
    pub async fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        sqlite::private_readers(path, FORMAT, CONNECTIONS).await.map(Self)
    }

    /// Up to `max` authorizations whose reference is above `after` (at first, the empty text), by reference.
    pub async fn authorizations(&self, after: &str, max: u32) -> Result<Vec<Authorization>, sqlx::Error> {
        let text =
            format!("SELECT {AUTHORIZATION_COLUMNS} FROM authorization WHERE reference > ? ORDER BY reference LIMIT ?");
        let rows: Vec<AuthorizationRow> = sqlx::query_as(&text).bind(after).bind(max).fetch_all(&self.0).await?;
        rows.into_iter().map(|row| row.try_into().map_err(unreadable)).collect()
    }

    /// Up to `max` operations whose key is above `after` (at first, the empty text), by key.
    pub async fn operations(&self, after: &str, max: u32) -> Result<Vec<OperationEntry>, sqlx::Error> {
        let text = format!("SELECT {OPERATION_COLUMNS} FROM operation WHERE key > ? ORDER BY key LIMIT ?");
        let rows: Vec<OperationRow> = sqlx::query_as(&text).bind(after).bind(max).fetch_all(&self.0).await?;
        rows.into_iter().map(|row| row.try_into().map_err(unreadable)).collect()
    }

    /// The operation under a key; there is never more than one.
    pub async fn operation(&self, key: &str) -> Result<Option<OperationEntry>, sqlx::Error> {
        let text = format!("SELECT {OPERATION_COLUMNS} FROM operation WHERE key = ?");
        let row: Option<OperationRow> = sqlx::query_as(&text).bind(key).fetch_optional(&self.0).await?;
        row.map(|row| row.try_into().map_err(unreadable)).transpose()
    }

    /// How many operations of a kind there are, and how often they were asked for in all.
    pub async fn count(&self, kind: &str) -> Result<(i64, i64), sqlx::Error> {
        sqlx::query_as("SELECT count(*), COALESCE(sum(times_asked), 0) FROM operation WHERE kind = ?")
            .bind(kind)
            .fetch_one(&self.0)
            .await
    }
}

impl TryFrom<AuthorizationRow> for Authorization {
    type Error = UnsupportedCurrency;

    fn try_from(row: AuthorizationRow) -> Result<Self, UnsupportedCurrency> {
        let (reference, payment, merchant, currency, amount, captured, refunded, voided) = row;
        let currency = Currency::stored(&currency)?;
        Ok(Self { reference, payment, merchant, currency, amount, captured, refunded, voided })
    }
}

impl TryFrom<OperationRow> for OperationEntry {
    type Error = UnsupportedCurrency;

    fn try_from(row: OperationRow) -> Result<Self, UnsupportedCurrency> {
        let (key, kind, authorization, reference, currency, asked, approved, reason, times_asked, at_ms) = row;
        let asked = Money::new(asked, Currency::stored(&currency)?);
        // The table has one of the two.
        let outcome =
            approved.map_or_else(|| BookedOutcome::Declined(reason.unwrap_or_default()), BookedOutcome::Approved);
        Ok(Self { key, kind, authorization, reference, asked, outcome, times_asked, at_ms })
    }
}

fn unreadable(error: UnsupportedCurrency) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
