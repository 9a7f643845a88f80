//! What a batch writes to MariaDB, as one text: all of its statements go in one round trip, where bound values would
//! take one for each table.
//!
//! Values stand in the text, so how they are written here is what keeps them values: numbers in digits, bytes in
//! hexadecimal, text between quotes with its own quotes doubled. A text with a backslash is written in hexadecimal:
//! whether one escapes is for the server's `sql_mode` to say.

use std::iter::Peekable;

use sea_orm::{ConnectionTrait, DbErr, Value};

use super::connection::Transaction;

/// A script longer than this is sent before it grows further, or than half of what the server takes
/// (`max_allowed_packet`, 16 MiB unless somebody has set it lower).
const SEND_ABOVE_BYTES: usize = 1 << 20;
/// What the protocol adds to a statement, with room to spare.
const OF_PROTOCOL: usize = 64;

/// Statements that wait to be sent.
#[derive(Debug)]
pub struct Script {
    text: String,
    /// What the server takes at once.
    packet_max: usize,
}

impl Script {
    pub fn new(packet_max: usize) -> Self {
        Self { text: String::new(), packet_max }
    }

    /// One more statement: `text`, which has one row of placeholders, with these rows in its place, as many of them as
    /// fit with what waits already; the others are left.
    ///
    /// # Errors
    /// A row that does not fit alone.
    pub fn insert<R: Iterator<Item = Vec<Value>>>(&mut self, text: &str, rows: &mut Peekable<R>) -> Result<(), DbErr> {
        let Some(first) = rows.peek() else { return Ok(()) };
        let placeholders = format!("({})", vec!["?"; first.len()].join(", "));
        let frame = text.split_once(&placeholders);
        let (head, tail) = frame.ok_or_else(|| DbErr::Custom(format!("no {placeholders} in {text}")))?;
        let begun = self.text.len();
        self.text.push_str(head);
        let mut is_empty = true;
        while let Some(row) = rows.peek() {
            let before = self.text.len();
            if !is_empty {
                self.text.push(',');
            }
            self.row(row)?;
            let length = self.text.len() + tail.len() + OF_PROTOCOL;
            if length > self.packet_max {
                let is_alone = is_empty && begun == 0;
                self.text.truncate(if is_empty { begun } else { before });
                if is_alone {
                    let why = format!("a row takes {length} bytes, max_allowed_packet is {}", self.packet_max);
                    return Err(DbErr::Custom(why));
                }
                break;
            }
            is_empty = false;
            rows.next();
        }
        if !is_empty {
            self.text.push_str(tail);
            self.text.push(';');
        }
        Ok(())
    }

    /// One more statement as it is.
    pub fn add(&mut self, statement: &str) {
        self.text.push_str(statement);
        self.text.push(';');
    }

    /// Whether it is to be sent before it grows further.
    pub fn is_long(&self) -> bool {
        self.text.len() > SEND_ABOVE_BYTES.min(self.packet_max / 2)
    }

    /// Sends what there is, and returns how many rows the server says it wrote. What follows the first statement that
    /// fails is not done.
    pub async fn send(&mut self, tx: &Transaction) -> Result<u64, DbErr> {
        if self.text.is_empty() {
            return Ok(0);
        }
        Ok(tx.execute_unprepared(&std::mem::take(&mut self.text)).await?.rows_affected())
    }

    fn row(&mut self, values: &[Value]) -> Result<(), DbErr> {
        let mut before = '(';
        for value in values {
            self.text.push(before);
            self.value(value)?;
            before = ',';
        }
        self.text.push(')');
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), DbErr> {
        match value {
            Value::BigInt(Some(number)) => self.number(*number),
            Value::Int(Some(number)) => self.number(i64::from(*number)),
            Value::Bool(Some(value)) => self.number(i64::from(*value)),
            Value::String(Some(text)) if text.contains('\\') => {
                self.text.push_str("_utf8mb4 ");
                self.hexadecimal(text.as_bytes());
            }
            Value::String(Some(text)) => self.text(text),
            Value::Bytes(Some(bytes)) => self.hexadecimal(bytes),
            Value::BigInt(None) | Value::Int(None) | Value::Bool(None) | Value::String(None) | Value::Bytes(None) => {
                self.text.push_str("NULL");
            }
            other => return Err(DbErr::Type(format!("no row of ours holds {other:?}"))),
        }
        Ok(())
    }

    fn number(&mut self, number: i64) {
        self.text.push_str(itoa::Buffer::new().format(number));
    }

    fn text(&mut self, text: &str) {
        self.text.push('\'');
        let mut parts = text.split('\'');
        self.text.extend(parts.next());
        for part in parts {
            self.text.push_str("''");
            self.text.push_str(part);
        }
        self.text.push('\'');
    }

    fn hexadecimal(&mut self, bytes: &[u8]) {
        self.text.push_str("x'");
        self.text.push_str(&hex::encode(bytes));
        self.text.push('\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: Vec<Vec<Value>>) -> Result<String, DbErr> {
        let mut script = Script::new(1 << 24);
        let text = "INSERT INTO t (a, b) VALUES (?, ?) ON DUPLICATE KEY UPDATE b = VALUES(b)";
        script.insert(text, &mut rows.into_iter().peekable())?;
        Ok(script.text)
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
                "INSERT INTO t (a, b) VALUES ({literal},{literal}),({literal},{literal}) ON DUPLICATE KEY UPDATE b = \
                 VALUES(b);"
            );
            assert_eq!(written(vec![row(), row()]).unwrap(), expected);
        }
    }

    #[test]
    fn a_statement_ends_where_the_server_takes_no_more() {
        let rows = |count: usize| (0..count).map(|_| vec![Value::from("x".repeat(100)), Value::from(1)]);
        let text = "INSERT INTO t (a, b) VALUES (?, ?)";
        let mut script = Script::new(1_024);
        let (mut waiting, mut sent) = (rows(50).peekable(), 0);
        while waiting.peek().is_some() {
            script.insert(text, &mut waiting).unwrap();
            assert!(script.text.len() <= 1_024 && script.text.ends_with(");"));
            sent += script.text.matches("(\'").count();
            script.text.clear();
        }
        assert_eq!(sent, 50);
        // What is waiting already is sent before, and a row that does not fit alone is refused.
        script.add(&"x".repeat(950));
        let mut waiting = rows(1).peekable();
        script.insert(text, &mut waiting).unwrap();
        assert!(waiting.peek().is_some() && script.text.len() == 951);
        assert!(Script::new(128).insert(text, &mut rows(1).peekable()).is_err());
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        assert_eq!(written(vec![]).unwrap(), "");
        assert!(written(vec![vec![Value::from(1.5), Value::from(1)]]).is_err(), "no float");
        assert!(written(vec![vec![Value::from(1)]]).is_err(), "a value too few");
    }
}
