//! Numbers of cards, as people and programs write them.

use super::corpus::{SCHEMES, TEST_CARDS};
use super::{drawn, grouped, with_check};
use crate::http::card_number::holds_card_number;
use crate::runtime::Chance;

/// The digits of another script.
fn in_script(digits: &str, zero: char) -> String {
    let of_script = |byte: u8| char::from_u32(u32::from(zero) + u32::from(byte - b'0')).unwrap();
    digits.bytes().map(of_script).collect()
}

/// A digit as Japanese keyboards write it.
fn full_width(c: char) -> char {
    c.to_digit(10).and_then(|digit| char::from_u32(0xff10 + digit)).unwrap_or(c)
}

/// A number with this behind each digit.
fn interspersed(digits: &str, with: &str) -> String {
    digits.chars().map(|digit| format!("{digit}{with}")).collect()
}

/// A number in one piece.
fn in_one_piece(card: &str) -> Vec<String> {
    let mut all = vec![
        card.to_owned(),
        format!("card {card}, thanks"),
        format!("pan{card}"),
        format!("{card}x"),
        format!("MERCHANT-{card}"),
        format!("order_{card}_1"),
        format!("v2order{card}please"),
        format!("\u{ce74}\u{b4dc}{card}\u{bc88}"),
        format!("a{card}"),
        format!("CAD{card}"),
        format!("fee{card}"),
        format!("bad{card}"),
        format!("{card}abc"),
        format!("0x{card}"),
        format!("000{card}"),
        format!("{card}=29122010000012300000"),
        format!("{card}D29121011234"),
        format!("{card}D29122010000012300000F?"),
        format!("%B{card}^DOE/J^2912"),
        format!("1.2.{card}"),
        format!("{card}.00"),
        format!("2026-11-23 {card} 12/28 123"),
        in_script(card, '\u{ff10}'),
        in_script(card, '\u{660}'),
        in_script(card, '\u{1d7ec}'),
        in_script(card, '\u{11de0}'),
        in_script(card, '\u{1fbf0}'),
        card.chars().map(|c| "⓪①②③④⑤⑥⑦⑧⑨".chars().nth(c as usize - 0x30).unwrap()).collect(),
        card.chars().map(|c| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(c as usize - 0x30).unwrap()).collect(),
        format!("%{card}"),
    ];
    for ignored in ["\u{200b}", "\u{34f}", "\u{61c}", "\u{115f}", "\u{3164}", "\u{ffa0}", "\u{180b}", "\u{17b4}"] {
        all.push(interspersed(card, ignored));
    }
    // Emoji of keys, other selectors and marks.
    for ignored in ["\u{fe0f}\u{20e3}", "\u{e0100}", "\u{e0030}", "\u{300}", "\u{ad}"] {
        all.push(interspersed(card, ignored));
    }
    // Zeros before it count as digits of the number's length, and `%20` is a space.
    all.retain(|text| !text.starts_with("%20") && (card.len() + 3 <= 19 || !text.starts_with("000")));
    all
}

/// A number in the groups that are printed on cards.
fn in_groups(card: &str) -> Vec<String> {
    let fours: &[usize] = &[4, 4, 4, 4, 3];
    let mut all = Vec::new();
    for separator in
        [" ", "-", "\u{a0}", "\u{202f}", "\u{3000}", ".", "_", "\u{2010}", "\u{2013}", " - ", "  ", "\u{ff0d}", "%20"]
    {
        all.push(grouped(card, fours, separator));
        all.push(format!("x: {}!", grouped(card, fours, separator)));
        all.push(format!("CC{}", grouped(card, fours, separator)));
        all.push(format!("bad{}cafe", grouped(card, fours, separator)));
        all.push(format!("{}a", grouped(card, fours, separator)));
    }
    all.push(format!("pan{}", grouped(card, fours, " ")));
    all.push(grouped(card, fours, "\u{3000}").chars().map(full_width).collect());
    all.push(format!("{} 12-28 123", grouped(card, fours, " ")));
    match card.len() {
        15 => all.extend([&[4, 6, 5][..], &[5, 5, 5], &[4, 5, 6]].map(|lengths| grouped(card, lengths, " "))),
        14 => all.push(grouped(card, &[4, 6, 4], "-")),
        19 => all.push(grouped(card, &[6, 13], " ")),
        _ => {}
    }
    let usual: &[usize] = match card.len() {
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        16 | 19 => fours,
        _ => return all,
    };
    for sign in [
        "\t", "\n", "\r\n", ",", ", ", ";", ":", "|", " | ", "+", "*", "#", "=", "~", "\\", ")(", "\"", "\",\"",
        "\u{a6}", "%09", "%0D%0A", "%2C%20",
    ] {
        all.push(grouped(card, usual, sign));
        all.push(format!("card ({})", grouped(card, usual, sign)));
    }
    all
}

#[test]
fn no_test_card_is_missed_however_it_is_spelled() {
    let mut count = 0;
    for (scheme, cards) in TEST_CARDS {
        for card in cards.split(' ') {
            assert_eq!(with_check(&card[..card.len() - 1]), card, "{scheme}: the list is wrong");
            for text in in_one_piece(card).iter().chain(&in_groups(card)) {
                assert!(holds_card_number(text), "{scheme}: {text:?}");
            }
            count += 1;
        }
    }
    assert!(count > 150, "{count}");
}

#[test]
fn no_number_of_a_scheme_is_missed() {
    let chance = Chance::from_seed(20);
    for (scheme, prefixes, lengths) in SCHEMES {
        for prefix in prefixes.split(' ') {
            for length in lengths {
                for _ in 0..20 {
                    let card = drawn(prefix, *length, &chance);
                    assert!(holds_card_number(&card), "{scheme}: {card}");
                    let text = grouped(&card, &[4, 4, 4, 4, 3], " ");
                    assert!(holds_card_number(&text), "{scheme}: {text}");
                }
            }
        }
    }
}

#[test]
fn what_goes_on_behind_a_uuid_is_no_part_of_it() {
    assert!(holds_card_number("f47ac10b-58cc-4372-a567-4111111111111111"));
    assert!(holds_card_number("f47ac10b-58cc-4372-a567-0e02b2cc4111-1111-1111-1111"));
    assert!(!holds_card_number("f47ac10b-58cc-4372-a567-501800000009"));
}

/// What the rules for other numbers cost.
#[test]
fn few_cards_look_like_times() {
    const COUNT: u32 = 100_000;
    let chance = Chance::from_seed(21);
    let missed = |prefix: &dyn Fn() -> u64, length: usize| {
        (0..COUNT).map(|_| u32::from(!holds_card_number(&drawn(&prefix().to_string(), length, &chance)))).sum::<u32>()
    };
    let of_second_series = missed(&|| 2_221 + chance.below(500), 16);
    assert!((1..COUNT / 300).contains(&of_second_series), "Mastercard's second series: {of_second_series}");
    assert_eq!(missed(&|| 2_200 + chance.below(5), 16), 0, "Mir");
    assert_eq!(missed(&|| 400 + chance.below(100), 16), 0, "Visa");
}
