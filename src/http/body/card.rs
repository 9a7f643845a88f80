//! Finds card numbers in texts, so that none is ever stored.

use std::ops::RangeInclusive;

/// Digits of a card number (ISO/IEC 7812-1).
const CARD_DIGITS: RangeInclusive<usize> = 13..=19;

/// Whether the text holds a card number, however it is spelled. A number is a block of digits, or blocks with one space
/// or dash between them; it is a card's if it has 13 to 19 digits and passes the Luhn check (ISO/IEC 7812-1 annex B).
/// Inside a number that goes on before or after it, only what an issuer could have given out is taken for a card's: of
/// the pieces of a long order number, every tenth passes the check by chance.
pub fn holds_card_number(text: &str) -> bool {
    let mut number: Vec<u8> = Vec::new();
    let mut block = 0;
    let mut separators = 0;
    for byte in text.bytes().chain([b'.']) {
        if let b'0'..=b'9' = byte {
            number.push(byte - b'0');
            separators = 0;
            continue;
        }
        if separators == 0 && is_card(&number[block..]) {
            return true;
        }
        block = number.len();
        // One separator between digits belongs to the number's spelling; two end it.
        if separators == 0 && matches!(byte, b' ' | b'-') {
            separators = 1;
            continue;
        }
        if is_card(&number) || holds_issued(&number) {
            return true;
        }
        number.clear();
        (block, separators) = (0, 0);
    }
    false
}

/// Whether the digits as a whole are a card number.
fn is_card(digits: &[u8]) -> bool {
    // No card begins with 0, and one digit again and again is no number of anything.
    CARD_DIGITS.contains(&digits.len())
        && digits[0] != 0
        && digits.iter().any(|digit| *digit != digits[0])
        && passes_luhn(digits)
}

/// Whether a card number of the large issuers begins somewhere in the digits.
fn holds_issued(digits: &[u8]) -> bool {
    (0..digits.len()).any(|start| {
        let rest = &digits[start..];
        issued_lengths(rest).iter().any(|length| rest.get(..*length).is_some_and(is_card))
    })
}

/// How many digits a card number has that begins like this.
fn issued_lengths(digits: &[u8]) -> &'static [usize] {
    match digits {
        [4, ..] => &[16, 19],
        [5, 1..=5, ..] | [2, 2..=7, ..] | [3, 5, ..] => &[16],
        [6, ..] => &[16, 19],
        [3, 4 | 7, ..] => &[15],
        [3, 0 | 6 | 8 | 9, ..] => &[14],
        _ => &[],
    }
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let doubled = u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_spelled() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "card 5500005555555559 please",
            "378282246310005",
            "6011000990139424x",
            "x30569309025904",
        ] {
            assert!(holds_card_number(text), "{text}");
        }
    }

    #[test]
    fn card_numbers_inside_longer_numbers_are_found() {
        for text in [
            "14111111111111111",
            "41111111111111119",
            "2026-11-23 4111111111111111",
            "4111 1111 1111 1111 12-28 123",
            "0378282246310005",
            "12 4222222222222",
        ] {
            assert!(holds_card_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "",
            "-",
            "order 123456789012",
            "0000000000000000",
            "2026-11-23",
            "+82 2 1234 5678",
            "4111 1111 1111 1112",
            "4111  1111  1111  1111",
            "4111.1111.1111.1111",
        ] {
            assert!(!holds_card_number(text), "{text}");
        }
    }

    #[test]
    fn order_numbers_are_seldom_taken_for_cards() {
        let taken =
            (0..1_000).filter(|n| holds_card_number(&(7_026_112_309_300_000_i64 + n * 7_919).to_string())).count();
        assert!((50..200).contains(&taken), "{taken} of 1000: Luhn alone takes every tenth");
    }
}
