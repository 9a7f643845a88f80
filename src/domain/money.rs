//! Money: an amount in a currency's minor unit. No float touches it, and every sum is checked.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::currency::Currency;

/// An amount of money. `minor` counts the currency's minor unit (ISO 4217 exponent): won, cents, fils.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.minor, self.currency)
    }
}

/// A sum left the range of `i64`. The limits on amounts make it unreachable for honest data, so meeting it means that
/// stored figures are wrong: the command is refused and nothing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount left its range")]
pub struct AmountOverflow;

/// `a + b`, or the reason why there is no such amount.
pub fn add(a: i64, b: i64) -> Result<i64, AmountOverflow> {
    a.checked_add(b).ok_or(AmountOverflow)
}

/// `a - b`, or the reason why there is no such amount.
pub fn sub(a: i64, b: i64) -> Result<i64, AmountOverflow> {
    a.checked_sub(b).ok_or(AmountOverflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_checked() {
        assert_eq!(add(i64::MAX, 1), Err(AmountOverflow));
        assert_eq!(sub(i64::MIN, 1), Err(AmountOverflow));
        assert_eq!(add(2, 3), Ok(5));
        assert_eq!(sub(2, 3), Ok(-1));
    }

    #[test]
    fn money_is_written_as_integers() {
        let money = Money::new(50_000, Currency::parse("KRW").unwrap());
        let json = serde_json::to_string(&money).unwrap();
        assert_eq!(json, r#"{"minor":50000,"currency":"KRW"}"#);
        assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
    }
}
