//! What characters are to a number: digits of any script, letters, separators, and what nobody sees.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Digit(u8),
    /// It parts numbers: nobody writes a card's number with letters inside.
    Letter,
    /// It shows nothing of its own, so it parts nothing: joiners, marks on other characters, variation selectors.
    Ignored,
    /// A space, dash or dot of any script, as people put them between the groups of a number.
    Separator,
    /// Any other sign, and what ends a line.
    Sign,
}

pub(super) fn kind(c: char) -> Kind {
    match c {
        '0'..='9' => Kind::Digit(c as u8 - b'0'),
        'a'..='z' | 'A'..='Z' => Kind::Letter,
        ' ' | '-' | '.' | '_' | '/' => Kind::Separator,
        '\0'..='\u{7f}' => Kind::Sign,
        _ => beyond_ascii(c),
    }
}

fn beyond_ascii(c: char) -> Kind {
    if let Some(digit) = digit(c) {
        return Kind::Digit(digit);
    }
    if is_ignored(c) {
        return Kind::Ignored;
    }
    match c {
        // Dots and dashes. The long vowel marks of Japanese (30fc, ff70) stand for dashes between digits.
        '\u{b7}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2022}'
        | '\u{2024}'
        | '\u{2027}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{30fb}'
        | '\u{30fc}'
        | '\u{fe58}'
        | '\u{fe63}'
        | '\u{ff0d}'..='\u{ff0f}'
        | '\u{ff65}'
        | '\u{ff70}' => Kind::Separator,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Kind::Sign,
        _ if c.is_whitespace() => Kind::Separator,
        _ if c.is_alphanumeric() => Kind::Letter,
        _ => Kind::Sign,
    }
}

/// Whether Unicode says that it is not shown unless a program knows it, or that it is a mark on the character before.
fn is_ignored(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(category, GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// The value of a digit beyond ASCII.
fn digit(c: char) -> Option<u8> {
    if !c.is_numeric() {
        return None;
    }
    let code = u32::from(c);
    let script = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1).map(|place| code - ZEROS[place]);
    let styled = || STYLED.iter().find(|(first, last, _)| (*first..=*last).contains(&c));
    let value = script.filter(|value| *value < 10);
    let value = value.or_else(|| styled().map(|(first, _, value)| code - u32::from(*first) + value));
    value.and_then(|value| u8::try_from(value).ok())
}

/// The zeros of all decimal digits beyond ASCII (Unicode 17, general category Nd), in order; nine more follow each.
const ZEROS: [u32; 76] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50,
    0x11d50, 0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8,
    0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

/// Digits that are raised, lowered, circled, in brackets, or have a dot or comma: the first, the last, the first's
/// value (Unicode, numeric type Digit).
const STYLED: [(char, char, u32); 18] = [
    ('\u{b2}', '\u{b3}', 2),
    ('\u{b9}', '\u{b9}', 1),
    ('\u{2070}', '\u{2070}', 0),
    ('\u{2074}', '\u{2079}', 4),
    ('\u{2080}', '\u{2089}', 0),
    ('\u{2460}', '\u{2468}', 1),
    ('\u{2474}', '\u{247c}', 1),
    ('\u{2488}', '\u{2490}', 1),
    ('\u{24ea}', '\u{24ea}', 0),
    ('\u{24f5}', '\u{24fd}', 1),
    ('\u{24ff}', '\u{24ff}', 0),
    ('\u{2776}', '\u{277e}', 1),
    ('\u{2780}', '\u{2788}', 1),
    ('\u{278a}', '\u{2792}', 1),
    ('\u{1f100}', '\u{1f100}', 0),
    ('\u{1f101}', '\u{1f10a}', 0),
    ('\u{1f10b}', '\u{1f10b}', 0),
    ('\u{1f10c}', '\u{1f10c}', 0),
];

/// A character of a text, with where it begins and ends there, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Character {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The characters of a text. Some that are percent-encoded (RFC 3986, section 2.1) count as what they stand for, so
/// that `%20` is a space: those of ASCII whose code has a letter, as most separators have, and spaces. Behind other
/// percent signs a card number may begin.
pub(super) fn characters(text: &str) -> impl Iterator<Item = Character> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        let c = rest.chars().next()?;
        let encoded = if c == '%' { percent_encoded(rest.as_bytes()) } else { None };
        let end = start + if encoded.is_some() { 3 } else { c.len_utf8() };
        let character = Character { kind: kind(encoded.unwrap_or(c)), start, end };
        start = end;
        Some(character)
    })
}

fn percent_encoded(bytes: &[u8]) -> Option<char> {
    let (high, low) = (char::from(*bytes.get(1)?), char::from(*bytes.get(2)?));
    let code = high.to_digit(16)? * 16 + low.to_digit(16)?;
    let is_meant = low.is_ascii_alphabetic() || matches!(code, 0x09 | 0x20);
    char::from_u32(code).filter(|c| c.is_ascii() && is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_all_scripts_have_their_values() {
        let categories = CodePointMapData::<GeneralCategory>::new();
        let is_decimal = |c: char| categories.get(c) == GeneralCategory::DecimalNumber;
        // Decimal digits stand in order, from 0 to 9 (the Unicode Standard, section 4.6).
        let decimals: Vec<char> = (char::MIN..=char::MAX).filter(|c| is_decimal(*c)).collect();
        assert!(decimals.len() >= 760, "{}", decimals.len());
        for ten in decimals.chunks(10) {
            for (value, c) in (0..).zip(ten) {
                assert_eq!(kind(*c), Kind::Digit(value), "U+{:X}", u32::from(*c));
            }
        }
        let digits = (char::MIN..=char::MAX).filter(|c| matches!(kind(*c), Kind::Digit(_))).count();
        let styled: u32 = STYLED.iter().map(|(first, last, _)| u32::from(*last) - u32::from(*first) + 1).sum();
        assert_eq!(digits, decimals.len() + styled as usize, "a digit that is none");
    }

    #[test]
    fn raised_and_circled_digits_have_their_values() {
        for digits in [
            "\u{2070}\u{b9}\u{b2}\u{b3}\u{2074}\u{2075}\u{2076}\u{2077}\u{2078}\u{2079}",
            "₀₁₂₃₄₅₆₇₈₉",
            "⓪①②③④⑤⑥⑦⑧⑨",
            "⓪⑴⑵⑶⑷⑸⑹⑺⑻⑼",
            "🄀⒈⒉⒊⒋⒌⒍⒎⒏⒐",
            "⓿❶❷❸❹❺❻❼❽❾",
            "⓪⓵⓶⓷⓸⓹⓺⓻⓼⓽",
            "🄋➀➁➂➃➄➅➆➇➈",
            "🄌➊➋➌➍➎➏➐➑➒",
            "🄁🄂🄃🄄🄅🄆🄇🄈🄉🄊",
        ] {
            let values: Vec<Kind> = digits.chars().map(kind).collect();
            assert_eq!(values, (0..10).map(Kind::Digit).collect::<Vec<_>>(), "{digits}");
        }
    }

    #[test]
    fn what_nobody_sees_is_ignored() {
        for c in "\u{ad}\u{34f}\u{61c}\u{115f}\u{3164}\u{ffa0}\u{180b}\u{180d}\u{180e}\u{17b4}\u{200b}\u{200f}\u{202e}\
                  \u{2060}\u{2069}\u{20e3}\u{fe00}\u{fe0f}\u{feff}\u{300}\u{e0030}\u{e0100}\u{e01ef}"
            .chars()
        {
            assert_eq!(kind(c), Kind::Ignored, "U+{:X}", u32::from(c));
        }
    }
}
