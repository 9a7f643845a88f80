//! A corpus of both kinds: numbers of cards, which are all found, and numbers of all else, which hardly ever are.

mod cards;
mod corpus;
mod others;

use super::holds_card_number;
use crate::runtime::Chance;

/// Digits with the check digit of ISO/IEC 7812-1 annex B behind them.
fn with_check(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip([2, 1].into_iter().cycle())
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// So many digits.
fn digits(chance: &Chance, length: usize) -> String {
    (0..length).map(|_| char::from(b'0' + chance.below(10) as u8)).collect()
}

/// A number of so many digits that begins like this, with a right check digit.
fn drawn(prefix: &str, length: usize, chance: &Chance) -> String {
    with_check(&format!("{prefix}{}", digits(chance, length - prefix.len() - 1)))
}

fn grouped(digits: &str, lengths: &[usize], separator: &str) -> String {
    let mut rest = digits;
    let mut groups = Vec::new();
    for length in lengths {
        let (group, after) = rest.split_at((*length).min(rest.len()));
        groups.push(group);
        rest = after;
    }
    groups.retain(|group| !group.is_empty());
    assert!(rest.is_empty(), "{digits} {lengths:?}");
    groups.join(separator)
}

proptest::proptest! {
    #[test]
    fn any_text_is_looked_through(
        text in "\\PC*",
        digits in "[0-9 %,+\\-.\u{a0}\u{200b}\u{ff10}-\u{ff19}a-gDE]{0,60}",
    ) {
        let _ = (holds_card_number(&text), holds_card_number(&digits));
    }

    #[test]
    fn a_card_is_found_wherever_it_stands(before in "[^0-9]{0,20}", after in "[^0-9]{0,20}") {
        let is_far = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        if is_far(before.chars().next_back()) && is_far(after.chars().next()) {
            let text = format!("{before}4111111111111111{after}");
            proptest::prop_assert!(holds_card_number(&text), "{text}");
        }
    }
}
