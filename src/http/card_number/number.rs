//! What makes digits the number of a card.

use super::issuers::is_issued;

/// Digits of the longest card number (ISO/IEC 7812-1).
pub(super) const DIGITS_MAX: usize = 19;
/// Digits of the shortest card number that is given out.
pub(super) const DIGITS_MIN: usize = 12;

/// Whether these digits are a card number: an issuer's, and with the check of ISO/IEC 7812-1 annex B.
pub(super) fn is_card(digits: &[u8]) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
        && passes_luhn(digits)
        && is_issued(digits)
        && !is_article_number(digits)
}

fn passes_luhn(digits: &[u8]) -> bool {
    let double = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = digits.iter().rev().enumerate();
    let sum: u32 = digits.map(|(place, digit)| u32::from(if place % 2 == 1 { double(*digit) } else { *digit })).sum();
    sum.is_multiple_of(10)
}

/// Whether these are the 13 digits of an EAN or the 12 of a UPC with a right check digit (GS1 General Specifications
/// 7.9). Card numbers so short are hardly given out any more, and articles have them in every shop.
fn is_article_number(digits: &[u8]) -> bool {
    let weighted = digits.iter().rev().enumerate().map(|(place, digit)| u32::from(*digit) * [1, 3][place % 2]);
    matches!(digits.len(), 12 | 13) && weighted.sum::<u32>().is_multiple_of(10)
}
