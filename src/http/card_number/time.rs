//! Digits that are a time.

use std::ops::{Range, RangeInclusive};

/// Of the century's years that are written with two digits, those in which 16 digits of a time begin like Mastercard's
/// second series. Until May 2022 they begin like Mir's cards, of which 1 in 40 looks like a time: those years are left
/// out.
const SHORT_YEARS: RangeInclusive<u64> = 23..=27;
const YEARS: RangeInclusive<u64> = 2000..=2099;
/// 2015 to 2040 in units of 100 ns since the year 1, as .NET counts (`DateTime.Ticks`).
const TICKS: Range<u64> = 635_556_672_000_000_000..643_762_080_000_000_000;

/// Whether digits look like a time of one of the forms that begin like card numbers.
///
/// - Year, month, day, hour, minute and second with two digits each, and four digits more. 1 in 300 numbers of
///   Mastercard's second series looks like that, and is missed.
/// - The same with four digits of the year, and up to five more: no card that is given out looks like that.
/// - Ticks: of what begins with 63 and 64 and has 18 digits, 4 in 10 are missed; cards hardly ever have so many.
pub(super) fn is_time(digits: &[u8]) -> bool {
    match digits.len() {
        16 if SHORT_YEARS.contains(&number(&digits[..2])) => is_in_year(&digits[2..]),
        18 if TICKS.contains(&number(digits)) => true,
        14..=19 => YEARS.contains(&number(&digits[..4])) && is_in_year(&digits[4..]),
        _ => false,
    }
}

/// Whether digits begin with a month, day, hour, minute and second.
fn is_in_year(digits: &[u8]) -> bool {
    let fields = [1..=12, 1..=31, 0..=23, 0..=59, 0..=59];
    digits.chunks(2).zip(fields).all(|(pair, field): (&[u8], RangeInclusive<u64>)| field.contains(&number(pair)))
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(*digit))
}
