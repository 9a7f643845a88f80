//! What reading and writing a row takes, whichever table it is of. What a row holds was written by us: a row that
//! cannot be read is damage, and is said so.

use crate::domain::failure::Failure;
use crate::domain::{Currency, TraceContext};
use crate::infra::stored::failure;

/// A row does not hold what Rialto writes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the {table} row {id} has an unreadable {column}")]
pub struct Damaged {
    pub table: &'static str,
    pub id: String,
    pub column: &'static str,
}

/// Reads columns of one row, naming row and column where one is unreadable.
pub struct Reading {
    pub table: &'static str,
    pub id: i64,
}

impl Reading {
    pub fn column<T>(&self, column: &'static str, value: Option<T>) -> Result<T, Damaged> {
        value.ok_or_else(|| Damaged { table: self.table, id: self.id.to_string(), column })
    }

    pub fn currency(&self, code: &str) -> Result<Currency, Damaged> {
        self.column("currency", Currency::stored(code).ok())
    }

    pub fn count(&self, column: &'static str, value: i32) -> Result<u32, Damaged> {
        self.column(column, u32::try_from(value).ok())
    }

    /// Why something failed; none where nothing did.
    pub fn failure(&self, column: &'static str, text: Option<&str>) -> Result<Option<Failure>, Damaged> {
        text.map_or(Ok(None), |text| self.column(column, failure::read(text)))
    }

    pub fn trace(&self, text: &str) -> Result<TraceContext, Damaged> {
        self.column("traceparent", text.parse().ok())
    }
}

/// Text that others gave us, cut to its column's width in characters.
pub fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

pub fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// A value whose keys and values are texts, integers and lists of them, as JSON.
pub fn json_of_texts(value: &impl serde::Serialize) -> String {
    // invariant: plain data with text keys always have a JSON form.
    serde_json::to_string(value).expect("plain data have a JSON form")
}
