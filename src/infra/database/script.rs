//! What a batch writes to MariaDB, as one text: all of its statements go in one round trip, where bound values would take one
//! for each table.
//!
//! Values stand in the text, so how they are written here is what keeps them values: numbers in digits, bytes in hexadecimal, text
//! between quotes with its own quotes doubled. A text with a backslash is written in hexadecimal: whether one escapes is for
//! the server's `sql_mode` to say.

use sea_orm::{ConnectionTrait, DbErr, Value};

use super::connection::Transaction;

/// A script longer than this is sent before it grows further: far below MariaDB's default of `max_allowed_packet`, 16 MiB.
const SEND_ABOVE_BYTES: usize = 1 << 20;

/// Statements that wait to be sent.
#[derive(Debug, Default)]
pub struct Script(String);

impl Script {
    /// One more statement: `text`, which has one row of placeholders, with these rows in its place.
    pub fn insert(&mut self, text: &str, rows: impl Iterator<Item = Vec<Value>>) -> Result<(), DbErr> {
        let mut frame = None;
        for row in rows {
            if frame.is_none() {
                let placeholders = format!("({})", vec!["?"; row.len()].join(", "));
                frame = text.split_once(&placeholders);
                let (head, _) = frame.ok_or_else(|| DbErr::Custom(format!("no {placeholders} in {text}")))?;
                self.0.push_str(head);
            } else {
                self.0.push(',');
            }
            self.row(&row)?;
        }
        if let Some((_, tail)) = frame {
            self.0.push_str(tail);
            self.0.push(';');
        }
        Ok(())
    }

    /// One more statement as it is.
    pub fn add(&mut self, statement: &str) {
        self.0.push_str(statement);
        self.0.push(';');
    }

    /// Whether it is to be sent before it grows further.
    pub fn is_long(&self) -> bool {
        self.0.len() > SEND_ABOVE_BYTES
    }

    /// Sends what there is, and returns how many rows the server says it wrote. What follows the first statement that fails
    /// is not done.
    pub async fn send(&mut self, tx: &Transaction) -> Result<u64, DbErr> {
        if self.0.is_empty() {
            return Ok(0);
        }
        Ok(tx.execute_unprepared(&std::mem::take(&mut self.0)).await?.rows_affected())
    }

    fn row(&mut self, values: &[Value]) -> Result<(), DbErr> {
        let mut before = '(';
        for value in values {
            self.0.push(before);
            self.value(value)?;
            before = ',';
        }
        self.0.push(')');
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), DbErr> {
        match value {
            Value::BigInt(Some(number)) => self.number(*number),
            Value::Int(Some(number)) => self.number(i64::from(*number)),
            Value::Bool(Some(value)) => self.number(i64::from(*value)),
            Value::String(Some(text)) if text.contains('\\') => {
                self.0.push_str("_utf8mb4 ");
                self.hexadecimal(text.as_bytes());
            }
            Value::String(Some(text)) => self.text(text),
            Value::Bytes(Some(bytes)) => self.hexadecimal(bytes),
            Value::BigInt(None) | Value::Int(None) | Value::Bool(None) | Value::String(None) | Value::Bytes(None) => {
                self.0.push_str("NULL");
            }
            other => return Err(DbErr::Type(format!("no row of ours holds {other:?}"))),
        }
        Ok(())
    }

    fn number(&mut self, number: i64) {
        self.0.push_str(itoa::Buffer::new().format(number));
    }

    fn text(&mut self, text: &str) {
        self.0.push('\'');
        let mut parts = text.split('\'');
        self.0.extend(parts.next());
        for part in parts {
            self.0.push_str("''");
            self.0.push_str(part);
        }
        self.0.push('\'');
    }

    fn hexadecimal(&mut self, bytes: &[u8]) {
        self.0.push_str("x'");
        self.0.push_str(&hex::encode(bytes));
        self.0.push('\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: Vec<Vec<Value>>) -> Result<String, DbErr> {
        let mut script = Script::default();
        let text = "INSERT INTO t (a, b) VALUES (?, ?) ON DUPLICATE KEY UPDATE b = VALUES(b)";
        script.insert(text, rows.into_iter())?;
        Ok(script.0)
    }

    #[test]
    fn values_are_written_so_that_they_stay_values() {
        let text = |text: &str| Value::from(text);
        for (value, literal) in [
            (Value::from(i64::MIN), "-9223372036854775808"),
            (Value::from(-7), "-7"),
            (Value::from(true), "1"),
            (Value::from(None::<String>), "NULL"),
            (Value::from(vec![0, 0xaf_u8]), "x'00af'"),
            (text(""), "''"),
            (text("O'Hara''s; -- ?"), "'O''Hara''''s; -- ?'"),
            (text("'"), "''''"),
            (text("\\'"), "_utf8mb4 x'5c27'"),
            (text("ö\\"), "_utf8mb4 x'c3b65c'"),
        ] {
            let row = || vec![value.clone(), value.clone()];
            let expected = format!(
                "INSERT INTO t (a, b) VALUES ({literal},{literal}),({literal},{literal}) ON DUPLICATE KEY UPDATE b = VALUES(b);"
            );
            assert_eq!(written(vec![row(), row()]).unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        assert_eq!(written(vec![]).unwrap(), "");
        assert!(written(vec![vec![Value::from(1.5), Value::from(1)]]).is_err(), "no float");
        assert!(written(vec![vec![Value::from(1)]]).is_err(), "a value too few");
    }
}
