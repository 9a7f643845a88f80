//! Numbers as they stand in texts: runs of digits, and the groups in which numbers are printed.

use super::characters::{Kind, characters};
use super::number::{DIGITS_MAX, is_card};
use super::place::Place;

/// Characters between two groups of digits: ` - ` and `","` are the longest that are usual.
const GAP_MAX: usize = 3;

/// How cards are printed and typed, beside groups of four of which the last may be shorter. The last is the way of
/// UnionPay, the one before that of 17 digits. Two groups of eight are not among them: two phone numbers often look
/// like that.
const GROUPINGS: [&[usize]; 8] =
    [&[4, 6, 5], &[4, 6, 4], &[4, 5, 6], &[5, 5, 5], &[4, 4, 5], &[4, 3, 3, 3], &[4, 4, 4, 5], &[6, 13]];
/// The usual ones of these, which count with any sign between the groups.
const USUAL_GROUPINGS: [&[usize]; 4] = [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4]];
const GROUPS_MAX: usize = 5;

/// Digits in one piece; of more than a card has, only how many there are counts.
#[derive(Clone, Copy, Default)]
pub(super) struct Run {
    digits: [u8; DIGITS_MAX],
    length: usize,
    /// Where the first begins and the last ends, in bytes of the text.
    start: usize,
    end: usize,
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

    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Whether it is a card number in one piece, or one that zeros were put before.
    fn is_card(&self, text: &str) -> bool {
        let digits = self.digits();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        self.length <= DIGITS_MAX
            && is_card(&digits[zeros..])
            && !Place::new(text, self.start, self.end).tells_otherwise(digits)
    }
}

/// The runs of digits in a text.
pub(super) fn runs(text: &str) -> impl Iterator<Item = Run> {
    let mut characters = characters(text);
    std::iter::from_fn(move || {
        let mut run = Run::default();
        for character in characters.by_ref() {
            match character.kind {
                Kind::Digit(digit) => {
                    if run.length == 0 {
                        run.start = character.start;
                    }
                    run.push(digit);
                    run.end = character.end;
                }
                Kind::Ignored => {}
                _ if run.length > 0 => break,
                _ => {}
            }
        }
        (run.length > 0).then_some(run)
    })
}

/// What stands between two runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// A letter, or too much.
    Parts,
    /// Spaces, dashes and dots: they go with any grouping, one beside the other.
    Separators,
    /// Other signs, and ends of lines.
    Signs,
}

fn gap(between: &str) -> Gap {
    let kinds = || characters(between).map(|character| character.kind).filter(|kind| *kind != Kind::Ignored);
    if kinds().count() > GAP_MAX || kinds().any(|kind| kind == Kind::Letter) {
        Gap::Parts
    } else if kinds().all(|kind| kind == Kind::Separator) {
        Gap::Separators
    } else {
        Gap::Signs
    }
}

/// The last groups of digits that may belong together.
#[derive(Default)]
pub(super) struct Groups {
    runs: [Run; GROUPS_MAX],
    count: usize,
}

impl Groups {
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// Goes on with a run, and says whether it is a card number, or ends one.
    pub(super) fn push_ends_card(&mut self, run: Run, text: &str) -> bool {
        let is_parted = self.last().is_some_and(|last| gap(&text[last.end..run.start]) == Gap::Parts);
        if is_parted {
            self.clear();
        }
        if self.count == GROUPS_MAX {
            self.runs.rotate_left(1);
            self.count -= 1;
        }
        self.runs[self.count] = run;
        self.count += 1;
        run.is_card(text) || self.end_card(text)
    }

    fn last(&self) -> Option<&Run> {
        self.runs[..self.count].last()
    }

    /// Whether the last of them are a card number as it is printed.
    fn end_card(&self, text: &str) -> bool {
        let runs = &self.runs[..self.count];
        (0..self.count.saturating_sub(1)).any(|first| {
            let runs = &runs[first..];
            is_printed(runs, text) && {
                let mut number = Run { start: runs[0].start, end: runs[runs.len() - 1].end, ..Run::default() };
                runs.iter().flat_map(Run::digits).for_each(|digit| number.push(*digit));
                number.length <= DIGITS_MAX
                    && is_card(number.digits())
                    && !Place::new(text, number.start, number.end).tells_otherwise_of_groups(number.digits())
            }
        })
    }
}

/// Whether groups have the lengths of those on cards.
///
/// With signs between them, commas for example, they may be numbers of a list, of which any four of four digits are a
/// card number 1 time in 23. So the sign has to be the same everywhere, and no further number may follow or precede in
/// this way: of all lists, only those of exactly four four-digit numbers can be taken for a card number.
fn is_printed(runs: &[Run], text: &str) -> bool {
    let [first, .., last] = runs else { return false };
    let is_of = |groupings: &[&[usize]]| {
        groupings.iter().any(|grouping| grouping.iter().copied().eq(runs.iter().map(|run| run.length)))
    };
    let gaps = || runs.windows(2).map(|pair| &text[pair[0].end..pair[1].start]);
    if gaps().all(|between| gap(between) == Gap::Separators) {
        let others = &runs[..runs.len() - 1];
        let is_in_fours = others.iter().all(|run| run.length == 4) && (1..=4).contains(&last.length);
        return is_in_fours || is_of(&GROUPINGS);
    }
    let sign = &text[first.end..runs[1].start];
    is_of(&USUAL_GROUPINGS)
        && gaps().all(|between| between == sign)
        && !Place::new(text, first.start, last.end).is_in_list(sign)
}
