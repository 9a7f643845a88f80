//! What stands around digits, by which they are something else than a card number.

use std::ops::RangeInclusive;

use iban::Iban;

use super::characters::{Kind, kind};
use super::time::is_time;

/// Digits of the longest phone number (ITU-T E.164).
const PHONE_DIGITS_MAX: usize = 15;
/// Hexadecimal words from this length on are hashes and identifiers, if digits and letters are mixed in them. Shorter
/// ones are looked at: by chance, 1 in 20 000 of 16 characters holds a card number, half of these without a letter.
const HASH_LENGTH_MIN: usize = 20;
/// Where a UUID of 36 characters has its dashes (RFC 9562, section 4).
const UUID_DASHES: [usize; 4] = [8, 13, 18, 23];
const UUID_LENGTH: usize = 36;
/// What follows a card number on a magnetic stripe, behind a `D`: the month of expiry and the service code
/// (ISO/IEC 7813).
const TRACK_DIGITS: RangeInclusive<usize> = 7..=24;
/// Of an IBAN, with a space after every four characters or without any.
const IBAN_LENGTHS: RangeInclusive<usize> = 15..=42;

/// Where digits stand in a text.
pub(super) struct Place<'a> {
    text: &'a str,
    before: &'a str,
    after: &'a str,
}

impl<'a> Place<'a> {
    /// From and to are in bytes, at ends of characters.
    pub(super) fn new(text: &'a str, from: usize, to: usize) -> Self {
        Self { text, before: &text[..from], after: &text[to..] }
    }

    /// Whether digits in one piece are something else here.
    pub(super) fn tells_otherwise(&self, digits: &[u8]) -> bool {
        is_time(digits)
            || self.is_fraction()
            || self.is_phone_number(digits)
            || self.is_in_hash(digits.len())
            || self.is_in_uuid()
    }

    /// Whether digits in groups are something else here.
    pub(super) fn tells_otherwise_of_groups(&self, digits: &[u8]) -> bool {
        self.is_phone_number(digits) || self.is_in_uuid()
    }

    /// Whether a further number stands before or behind, with this between.
    pub(super) fn is_in_list(&self, sign: &str) -> bool {
        let is_digit = |c: char| matches!(kind(c), Kind::Digit(_));
        self.before.strip_suffix(sign).is_some_and(|before| before.ends_with(is_digit))
            || self.after.strip_prefix(sign).is_some_and(|after| after.starts_with(is_digit))
    }

    /// Whether they are the digits behind a decimal point, as in `0.6494604168938354`. In `1.2.4111...` they are not.
    fn is_fraction(&self) -> bool {
        self.before.strip_suffix('.').is_some_and(|whole| {
            let before = whole.trim_end_matches(|c: char| c.is_ascii_digit());
            before.len() < whole.len() && !before.ends_with('.')
        })
    }

    /// Whether they are a phone number with its country, as in `+4915112345678` and `004915112345678`.
    fn is_phone_number(&self, digits: &[u8]) -> bool {
        if let [0, 0, number @ ..] = digits {
            return number.first() != Some(&0) && number.len() <= PHONE_DIGITS_MAX;
        }
        let before = self.before.strip_suffix('+');
        digits.len() <= PHONE_DIGITS_MAX && before.is_some_and(|before| !before.ends_with(char::is_alphanumeric))
    }

    /// Whether they are by chance in a long hexadecimal word: with other digits beyond letters, or between letters.
    fn is_in_hash(&self, length: usize) -> bool {
        let hex = |bytes: &mut dyn Iterator<Item = u8>| {
            let (mut length, mut digits) = (0, 0);
            for byte in bytes.take_while(u8::is_ascii_hexdigit).take(HASH_LENGTH_MIN) {
                length += 1;
                digits += usize::from(byte.is_ascii_digit());
            }
            (length, digits)
        };
        let (before, digits_before) = hex(&mut self.before.bytes().rev());
        let (after, digits_after) = hex(&mut self.after.bytes());
        let is_mixed = digits_before + digits_after > 0 || before > 0 && after > 0;
        before + length + after >= HASH_LENGTH_MIN && is_mixed && !self.is_on_track()
    }

    /// Whether the data of a magnetic stripe go on behind it: nothing but digits after a `D`, and an `F` at the end.
    fn is_on_track(&self) -> bool {
        let data = self.after.strip_prefix(['d', 'D']).unwrap_or_default();
        let digits = data.bytes().take_while(u8::is_ascii_digit).take(*TRACK_DIGITS.end()).count();
        let after = &data[digits..];
        let after = after.strip_prefix(['f', 'F']).unwrap_or(after);
        TRACK_DIGITS.contains(&digits) && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
    }

    /// Whether they are within what has the form of a UUID, whatever its version; there may be other signs for dashes.
    fn is_in_uuid(&self) -> bool {
        let (from, to) = (self.before.len(), self.text.len() - self.after.len());
        (to.saturating_sub(UUID_LENGTH)..=from)
            .any(|start| self.text.as_bytes().get(start..start + UUID_LENGTH).is_some_and(is_uuid))
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    let dash = bytes[UUID_DASHES[0]];
    dash.is_ascii_punctuation()
        && bytes
            .iter()
            .enumerate()
            .all(|(place, byte)| if UUID_DASHES.contains(&place) { *byte == dash } else { byte.is_ascii_hexdigit() })
}

/// Where the account number ends whose first digits begin here, if it is an IBAN (ISO 13616): of a country that has
/// them, of this country's form, with the right check digits, in one piece or in fours.
///
/// A card number behind the letters of a country and two digits would pass if it had the length and, 1 time in 97, the
/// check digits by chance.
pub(super) fn iban_end(text: &str, first_digit: usize) -> Option<usize> {
    let start = first_digit.checked_sub(2)?;
    let number = text.get(start..)?;
    let country = number.bytes().take(2).all(|byte| byte.is_ascii_uppercase());
    if !country || text[..start].ends_with(char::is_alphanumeric) {
        return None;
    }
    let is_end = |end: &usize| {
        let (Some(number), Some(after)) = (number.get(..*end), number.get(*end..)) else { return false };
        !after.starts_with(char::is_alphanumeric) && number.parse::<Iban>().is_ok()
    };
    IBAN_LENGTHS.take_while(|length| *length <= number.len()).find(is_end).map(|end| start + end)
}
