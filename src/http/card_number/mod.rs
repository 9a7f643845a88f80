//! Finds card numbers in texts of callers, so that none is ever stored, logged or said back.
//!
//! A text is taken for a card number's only where that is all but certain: the digits have a length that an issuer with
//! this prefix gives out, pass the check, and stand as cards are printed and typed. So identifiers, times, article
//! numbers and device numbers pass: fewer than 1 in 100 000 is refused, which `tests` measures.

mod issuers;
#[cfg(test)]
mod tests;

use issuers::is_issued;

/// Digits of the longest card number (ISO/IEC 7812-1).
const DIGITS_MAX: usize = 19;
/// Digits of the shortest card number that is given out.
const DIGITS_MIN: usize = 12;
/// Hexadecimal words with more letters than this are hashes and identifiers (a UUID without dashes has 12 letters), and
/// what digits they have by chance, often 14 and more in a row, is no number.
const LETTERS_MAX: usize = 2;
/// Characters between two groups of digits: ` - ` is the longest that is usual.
const SEPARATORS_MAX: usize = 3;

/// How cards are printed and typed, beside groups of four of which the last may be shorter. The last is the way of
/// UnionPay, the one before that of 17 digits.
const GROUPINGS: [&[usize]; 8] =
    [&[4, 6, 5], &[4, 6, 4], &[4, 5, 6], &[5, 5, 5], &[4, 4, 5], &[4, 3, 3, 3], &[4, 4, 4, 5], &[6, 13]];
const GROUPS_MAX: usize = 5;

/// Whether the text holds a card number: in one piece, or in the groups that are printed on cards, with spaces, dashes
/// or dots of any script between them. Digits may be of any script, and characters without a width do not count.
pub fn holds_card_number(text: &str) -> bool {
    if !has_enough_digits(text) {
        return false;
    }
    let mut groups = Groups::default();
    let mut rest = text;
    while let Some(start) = rest.find(is_of_word) {
        if !is_joint(&rest[..start]) {
            groups.clear();
        }
        let after = &rest[start..];
        let end = after.find(|c| !is_of_word(c) && !is_invisible(c)).unwrap_or(after.len());
        if word_ends_card(&after[..end], &mut groups) {
            return true;
        }
        rest = &after[end..];
    }
    false
}

/// Whether there is a stretch without letters that may have digits enough; most texts and UUIDs have none. Any byte
/// beyond ASCII may be of a digit.
fn has_enough_digits(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().any(|byte| {
        match byte {
            b'0'..=b'9' | 0x80.. => digits += 1,
            b'a'..=b'z' | b'A'..=b'Z' => digits = 0,
            _ => {}
        }
        digits == DIGITS_MIN
    })
}

/// Looks at a word, letters and digits in one piece, and at the groups that it goes on with.
fn word_ends_card(word: &str, groups: &mut Groups) -> bool {
    let letters = || word.chars().filter(|c| is_of_word(*c) && digit(*c).is_none());
    if letters().next().is_some() && letters().all(|c| c.is_ascii_hexdigit()) {
        // It may be part of a UUID: digits next to its letters make no group.
        groups.clear();
        return letters().count() <= LETTERS_MAX && runs(word).any(|run| run.is_card());
    }
    let mut is_first = true;
    let begins_with_letter = word.chars().next().is_some_and(|c| digit(c).is_none());
    for run in runs(word) {
        // Only the first digits of a word can go on with a group before it, and only the last with one behind.
        if !is_first || begins_with_letter {
            groups.clear();
        }
        is_first = false;
        groups.push(run);
        if run.is_card() || groups.end_card() {
            return true;
        }
    }
    let last = word.chars().rfind(|c| !is_invisible(*c));
    if last.is_some_and(|c| digit(c).is_none()) {
        groups.clear();
    }
    false
}

/// Whether digits on both sides of this gap may be groups of one number.
fn is_joint(gap: &str) -> bool {
    gap.chars().all(is_separator) && (1..=SEPARATORS_MAX).contains(&gap.chars().count())
}

/// The runs of digits in a word.
fn runs(word: &str) -> impl Iterator<Item = Run> {
    let mut characters = word.chars().filter(|c| !is_invisible(*c)).peekable();
    std::iter::from_fn(move || {
        while characters.next_if(|c| digit(*c).is_none()).is_some() {}
        let mut run = Run::default();
        while let Some(digit) = characters.peek().copied().and_then(digit) {
            run.push(digit);
            characters.next();
        }
        (run.length > 0).then_some(run)
    })
}

/// Digits in one piece; of more than a card has, only how many there are counts.
#[derive(Clone, Copy, Default)]
struct Run {
    digits: [u8; DIGITS_MAX],
    length: usize,
}

impl Run {
    fn push(&mut self, digit: u8) {
        if let Some(place) = self.digits.get_mut(self.length) {
            *place = digit;
        }
        self.length += 1;
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.length.min(DIGITS_MAX)]
    }

    /// Whether it is a card number, or one that zeros were put before.
    fn is_card(&self) -> bool {
        let digits = self.digits();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        self.length <= DIGITS_MAX && is_card(&digits[zeros..]) && !is_article_number(digits)
    }
}

/// The last groups of digits that may belong together.
#[derive(Default)]
struct Groups {
    runs: [Run; GROUPS_MAX],
    count: usize,
}

impl Groups {
    fn clear(&mut self) {
        self.count = 0;
    }

    fn push(&mut self, run: Run) {
        if self.count == GROUPS_MAX {
            self.runs.rotate_left(1);
            self.count -= 1;
        }
        self.runs[self.count] = run;
        self.count += 1;
    }

    /// Whether the last of them are a card number as it is printed.
    fn end_card(&self) -> bool {
        let runs = &self.runs[..self.count];
        (0..self.count.saturating_sub(1)).any(|first| {
            let runs = &runs[first..];
            let mut number = Run::default();
            is_printed(runs) && {
                runs.iter().flat_map(Run::digits).for_each(|digit| number.push(*digit));
                number.length <= DIGITS_MAX && is_card(number.digits()) && !is_article_number(number.digits())
            }
        })
    }
}

/// Whether groups have the lengths of those on cards.
fn is_printed(runs: &[Run]) -> bool {
    let Some((last, others)) = runs.split_last() else { return false };
    let is_in_fours = others.iter().all(|run| run.length == 4) && (1..=4).contains(&last.length);
    let fits = |grouping: &&[usize]| grouping.iter().copied().eq(runs.iter().map(|run| run.length));
    is_in_fours || GROUPINGS.iter().any(fits)
}

/// Whether these digits are a card number: an issuer's, and with the check of ISO/IEC 7812-1 annex B.
fn is_card(digits: &[u8]) -> bool {
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && passes_luhn(digits) && is_issued(digits)
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

/// Letters and digits. The long vowel marks of Japanese stand for dashes between digits.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() && !matches!(c, '\u{30fc}' | '\u{ff70}')
}

/// Characters that show nothing and part nothing: joiners, marks of direction, variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Spaces, dashes and dots of any script; no end of a line.
fn is_separator(c: char) -> bool {
    let is_dash_or_dot = matches!(
        c,
        '-' | '.' | '_' | '/' | '\u{b7}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2022}'
                | '\u{2024}'
                | '\u{2027}'
                | '\u{2043}'
                | '\u{2212}'
                | '\u{30fb}'
                | '\u{30fc}'
                | '\u{ff70}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{ff0d}'
                | '\u{ff0e}'
                | '\u{ff0f}'
                | '\u{ff65}'
    );
    is_dash_or_dot || is_invisible(c) || c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// The zeros of the scripts that have decimal digits of their own and are in daily use, in order; nine more follow each
/// (Unicode, general category Nd). Full-width digits are among them.
const ZEROS: [char; 24] = [
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{17e0}',
    '\u{1810}',
    '\u{ff10}',
    // Of mathematics: bold, double-struck, without serifs; one set after another.
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7f6}',
];

/// The value of a decimal digit of any script.
fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.to_digit(10).map(|value| value as u8);
    }
    let of_script = |zero: &char| u32::from(c).checked_sub(u32::from(*zero)).filter(|value| *value < 10);
    ZEROS.iter().find_map(of_script).map(|value| value as u8)
}
