//! Money: an amount in a currency's minor unit. No float touches it, and every sum is checked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A currency of ISO 4217, in use today or once: its three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads the code of a new request: of a currency that merchants can charge in today, with a minor unit, neither a
    /// fund nor a test code.
    pub fn parse(code: &str) -> Result<Self, UnsupportedCurrency> {
        let currency = iso_currency::Currency::from_code(code).ok_or(UnsupportedCurrency)?;
        if currency.exponent().is_none()
            || currency.is_fund()
            || currency.is_special()
            || currency.is_superseded().is_some()
        {
            return Err(UnsupportedCurrency);
        }
        Self::stored(code)
    }

    /// Reads the code of what was taken on before. A payment outlives its currency: any code of the right form is read,
    /// for ever, whatever has become of it since.
    pub fn stored(code: &str) -> Result<Self, UnsupportedCurrency> {
        let letters: [u8; 3] = code.as_bytes().try_into().map_err(|_| UnsupportedCurrency)?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(UnsupportedCurrency) }
    }

    /// The three-letter code, such as `KRW`.
    pub fn code(&self) -> &str {
        // Capital letters are UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many decimal digits the minor unit stands behind the point: KRW 0, USD 2, KWD 3. None where that is not
    /// known any more.
    pub fn exponent(self) -> Option<u16> {
        iso_currency::Currency::from_code(self.code())?.exponent()
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
        // What is read here was written by us, or answers what we have asked.
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::stored(&code).map_err(serde::de::Error::custom)
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
            assert_eq!(Currency::parse(code).unwrap().exponent(), Some(exponent), "{code}");
        }
    }

    #[test]
    fn only_chargeable_currencies_are_supported() {
        for code in ["", "krw", "KR", "KRWW", "AAA", "XXX", "XAU", "XTS", "BOV", "HRK", "Krw", "€"] {
            assert_eq!(Currency::parse(code), Err(UnsupportedCurrency), "{code}");
        }
    }

    #[test]
    fn what_was_taken_on_is_read_for_ever() {
        for code in ["HRK", "DEM", "ZZZ", "KRW"] {
            let currency = Currency::stored(code).unwrap();
            assert_eq!((currency.code(), currency.to_string().as_str()), (code, code));
            assert_eq!(serde_json::from_str::<Currency>(&serde_json::to_string(&currency).unwrap()).unwrap(), currency);
        }
        assert_eq!(Currency::stored("ZZZ").unwrap().exponent(), None);
        for code in ["", "hrk", "HR", "HRKK", "H K", "€"] {
            assert_eq!(Currency::stored(code), Err(UnsupportedCurrency), "{code}");
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
