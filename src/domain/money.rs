//! Money: an amount in a currency's minor unit. No float touches it, and every sum is checked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A currency of ISO 4217 that merchants can charge in: in use today, with a minor unit, neither a fund nor a test code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads a three-letter code in upper case, as ISO 4217 writes it.
    pub fn parse(code: &str) -> Result<Self, UnsupportedCurrency> {
        let currency = iso_currency::Currency::from_code(code).ok_or(UnsupportedCurrency)?;
        if currency.exponent().is_none()
            || currency.is_fund()
            || currency.is_special()
            || currency.is_superseded().is_some()
        {
            return Err(UnsupportedCurrency);
        }
        Ok(Self(currency))
    }

    /// The three-letter code, such as `KRW`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimal digits the minor unit stands behind the point: KRW 0, USD 2, KWD 3.
    pub fn exponent(self) -> u16 {
        self.0.exponent().unwrap_or_default()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&code).map_err(serde::de::Error::custom)
    }
}

/// The code names no currency that can be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an active ISO 4217 currency")]
pub struct UnsupportedCurrency;

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
    fn exponents_follow_iso_4217() {
        for (code, exponent) in [("KRW", 0), ("JPY", 0), ("USD", 2), ("EUR", 2), ("KWD", 3), ("BHD", 3)] {
            assert_eq!(Currency::parse(code).unwrap().exponent(), exponent, "{code}");
        }
    }

    #[test]
    fn only_chargeable_currencies_are_supported() {
        for code in ["", "krw", "KR", "KRWW", "AAA", "XXX", "XAU", "XTS", "BOV", "HRK", "Krw", "€"] {
            assert_eq!(Currency::parse(code), Err(UnsupportedCurrency), "{code}");
        }
    }

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
