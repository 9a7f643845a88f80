//! Finds card numbers in texts of callers, so that none is ever stored, logged or said back.
//!
//! A text is taken for a card number's only where that is all but certain: the digits have a length that an issuer with
//! this prefix gives out, pass the check, and stand as cards are printed and typed. So identifiers, hashes, times,
//! phone, account, article and device numbers pass: fewer than 1 in 100 000 is refused, which `tests` measures.
//!
//! Some numbers are like a card's in all of this, and no rule tells them apart. They are refused whenever their digits
//! pass the check, as 1 in 10 does: an IMEI with its software version (16 digits that begin with 35, as JCB's do), a
//! GTIN-14, an SSCC, a CLABE, a parcel's number in groups of four, a phone number of 14 and more digits without `+` or
//! `00`. Hexadecimal words of 16 characters, the spans of traces for example, are refused 1 time in
//! 20 000.

mod characters;
mod groups;
mod issuers;
mod number;
mod place;
#[cfg(test)]
mod tests;
mod time;

use groups::{Groups, runs};
use number::DIGITS_MIN;
use place::iban_end;

/// Whether the text holds a card number: in one piece, or in the groups that are printed on cards, with spaces, dashes
/// or dots of any script, or one and the same other sign, between them. Digits may be of any script, and characters
/// without a width do not count.
pub fn holds_card_number(text: &str) -> bool {
    if !has_enough_digits(text) {
        return false;
    }
    let mut groups = Groups::default();
    let mut looked_at = 0;
    runs(text).any(|run| {
        if run.start() < looked_at {
            return false;
        }
        if let Some(end) = iban_end(text, run.start()) {
            groups.clear();
            looked_at = end;
            return false;
        }
        groups.push_ends_card(run, text)
    })
}

/// Whether there is a stretch without letters that may have digits enough; most texts and UUIDs have none. Any byte
/// beyond ASCII may be of a digit, and letters behind a percent sign may be of an encoded separator.
fn has_enough_digits(text: &str) -> bool {
    let mut digits = 0;
    let is_long_enough = |byte: u8| {
        digits = match byte {
            b'0'..=b'9' | 0x80.. => digits + 1,
            b'a'..=b'z' | b'A'..=b'Z' => 0,
            _ => digits,
        };
        digits == DIGITS_MIN
    };
    (text.bytes().any(is_long_enough) || text.contains('%'))
        && text.chars().filter(|c| c.is_numeric()).nth(DIGITS_MIN - 1).is_some()
}
