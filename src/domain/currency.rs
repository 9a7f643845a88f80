//! Currencies of ISO 4217: which can be charged in, and how their minor units count.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The currencies that merchants can charge in, by the decimal digits of their minor unit (ISO 4217 list one, as
/// published on 2026-01-01). Not in it are funds, metals, test codes and the two units in which only accounts are kept:
/// the Arab Accounting Dinar (XAD) and the Unidad Previsional (UYW).
const CHARGEABLE: [(u16, &str); 3] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC \
         CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR \
         JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD \
         NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
         SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
];

/// The exponent of each code of three capital letters: [`CHARGEABLE`], to be found without a search.
static EXPONENTS: [u8; 26 * 26 * 26] = exponents();

/// In [`EXPONENTS`]: the code cannot be charged in.
const NONE: u8 = u8::MAX;

const fn exponents() -> [u8; 26 * 26 * 26] {
    let mut table = [NONE; 26 * 26 * 26];
    let mut group = 0;
    while group < CHARGEABLE.len() {
        let (exponent, codes) = (CHARGEABLE[group].0, CHARGEABLE[group].1.as_bytes());
        let mut at = 0;
        while at < codes.len() {
            table[place([codes[at], codes[at + 1], codes[at + 2]])] = exponent as u8;
            at += 4;
        }
        group += 1;
    }
    table
}

/// Where capital letters are in [`EXPONENTS`].
const fn place([a, b, c]: [u8; 3]) -> usize {
    ((a - b'A') as usize * 26 + (b - b'A') as usize) * 26 + (c - b'A') as usize
}

/// A currency of ISO 4217, in use today or once: its three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads the code of a new request: of a currency that merchants can charge in today, with a minor unit, neither a
    /// fund nor a test code.
    pub fn parse(code: &str) -> Result<Self, UnsupportedCurrency> {
        let currency = Self::stored(code)?;
        if currency.exponent().is_some() { Ok(currency) } else { Err(UnsupportedCurrency) }
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

    /// How many decimal digits the minor unit stands behind the point: KRW 0, USD 2, KWD 3. None for what cannot be
    /// charged in, as a withdrawn currency: the standard's list of those has no minor units.
    pub fn exponent(self) -> Option<u16> {
        let exponent = EXPONENTS[place(self.0)];
        (exponent != NONE).then_some(exponent.into())
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// The standard's lists as their maintenance agency publishes them: see the page beside them.
    const LIST_ONE: &str = include_str!("../../tests/data/iso-4217/list-one.xml");
    const LIST_THREE: &str = include_str!("../../tests/data/iso-4217/list-three.xml");
    /// Units in which accounts are kept and nobody pays, though the list does not call them funds.
    const UNITS_OF_ACCOUNT: [&str; 2] = ["UYW", "XAD"];

    /// The text of an element, if the entry has it.
    fn text<'a>(entry: &'a str, element: &str) -> Option<&'a str> {
        let (_, rest) = entry.split_once(&format!("<{element}>"))?;
        Some(rest.split_once('<')?.0)
    }

    /// Every code that can be: three capital letters.
    fn all_codes() -> impl Iterator<Item = String> {
        let letters = || b'A'..=b'Z';
        letters()
            .flat_map(move |a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])))
            .map(|code| String::from_utf8(code.to_vec()).unwrap())
    }

    /// List one: each code with its minor unit, if it is no fund and has one.
    fn published() -> BTreeMap<&'static str, Option<u16>> {
        let entries = LIST_ONE.split("<CcyNtry>").skip(1);
        let of_entry = |entry: &'static str| {
            let is_fund = entry.contains("IsFund=\"true\"");
            let minor = text(entry, "CcyMnrUnts").and_then(|units| units.parse().ok()).filter(|_| !is_fund);
            text(entry, "Ccy").map(|code| (code, minor))
        };
        entries.filter_map(of_entry).collect()
    }

    #[test]
    fn exactly_the_published_currencies_can_be_charged_in() {
        let published = published();
        assert!(LIST_ONE.contains("Pblshd=\"2026-01-01\"") && published.len() == 178, "{}", published.len());
        for code in all_codes() {
            let is_paid_in = !UNITS_OF_ACCOUNT.contains(&code.as_str());
            let expected = published.get(code.as_str()).copied().flatten().filter(|_| is_paid_in);
            assert_eq!(Currency::parse(&code).ok().and_then(Currency::exponent), expected, "{code}");
        }
        for code in ["VES", "VED", "KRW", "EUR"] {
            assert!(Currency::parse(code).is_ok(), "{code}");
        }
    }

    #[test]
    fn withdrawn_currencies_are_read_and_never_taken() {
        let published = published();
        let entries = LIST_THREE.split("<HstrcCcyNtry>").skip(1);
        let withdrawn: BTreeSet<_> = entries.filter_map(|entry| text(entry, "Ccy")).collect();
        // Some countries' entries are of currencies that others still have.
        let gone: Vec<_> = withdrawn.into_iter().filter(|code| !published.contains_key(code)).collect();
        assert!(gone.len() > 120 && ["HRK", "BGN", "VEF"].iter().all(|code| gone.contains(code)), "{gone:?}");
        for code in gone {
            assert_eq!(Currency::parse(code), Err(UnsupportedCurrency), "{code}");
            let currency = Currency::stored(code).unwrap();
            assert_eq!((currency.code(), currency.exponent()), (code, None));
            assert_eq!(serde_json::from_str::<Currency>(&serde_json::to_string(&currency).unwrap()).unwrap(), currency);
        }
    }

    #[test]
    fn what_is_no_code_is_no_currency() {
        for code in ["", "krw", "KR", "KRWW", "Krw", "€", "H K", "K\u{212a}", "410"] {
            assert_eq!(Currency::parse(code), Err(UnsupportedCurrency), "{code}");
            assert_eq!(Currency::stored(code), Err(UnsupportedCurrency), "{code}");
        }
    }
}
