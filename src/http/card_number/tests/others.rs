//! Numbers of all else.

use std::fmt::Write;

use super::{digits, drawn, grouped};
use crate::http::card_number::holds_card_number;
use crate::runtime::Chance;

/// How many of so many texts are taken for card numbers.
fn taken(count: u32, text: impl Fn() -> String) -> u32 {
    (0..count).map(|_| u32::from(holds_card_number(&text()))).sum()
}

/// Fewer than 1 in 100 000 of so many texts is taken for a card number.
fn assert_hardly_taken(kind: &str, count: u32, text: impl Fn() -> String) {
    let taken = taken(count, text);
    assert!(taken < count / 100_000, "{kind}: {taken} of {count}");
}

/// None of these texts is taken for a card number; without a rule for them, 1 in 1 000 and more would be.
fn assert_never_taken(kind: &str, text: impl Fn() -> String) {
    assert_none_is_taken(kind, 4_000, text);
}

fn assert_none_is_taken(kind: &str, count: u32, text: impl Fn() -> String) {
    for _ in 0..count {
        let text = text();
        assert!(!holds_card_number(&text), "{kind}: {text:?}");
    }
}

/// So many characters of these; there are at most 64 of them.
fn word(chance: &Chance, alphabet: &[u8], length: usize) -> String {
    (0..length).map(|_| char::from(alphabet[chance.below(alphabet.len() as u64) as usize])).collect()
}

fn hex(chance: &Chance, length: usize) -> String {
    let mut text = String::with_capacity(64);
    while text.len() < length {
        let _ = write!(text, "{:016x}", chance.u64());
    }
    text.truncate(length);
    text
}

fn uuid(chance: &Chance, dash: char) -> String {
    let text = hex(chance, 32);
    let variant = ["8", "9", "a", "b"][chance.below(4) as usize];
    let (first, second, third, fourth, fifth) = (&text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..]);
    format!("{first}{dash}{second}{dash}4{third}{dash}{variant}{fourth}{dash}{fifth}")
}

#[test]
fn identifiers_are_hardly_taken_for_cards() {
    const DIGITS_AND_LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";
    let chance = Chance::from_seed(2_026);
    assert_hardly_taken("UUID", 100_000, || uuid(&chance, '-'));
    assert_hardly_taken("UUID in capitals", 100_000, || format!("order-{}", uuid(&chance, '-').to_uppercase()));
    assert_hardly_taken("UUID with other dashes", 100_000, || uuid(&chance, '_'));
    for length in [24, 32, 40, 64] {
        assert_hardly_taken("hash", 100_000, || hex(&chance, length));
        assert_hardly_taken("hash after 0x", 100_000, || format!("0x{}", hex(&chance, length).to_uppercase()));
    }
    assert_hardly_taken("trace", 100_000, || format!("00-{}-{}-01", hex(&chance, 32), &uuid(&chance, '-')[..13]));
    let crockford = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    assert_hardly_taken("ULID", 100_000, || format!("01K{}", word(&chance, crockford, 23)));
    assert_hardly_taken("KSUID", 100_000, || word(&chance, &DIGITS_AND_LETTERS[..62], 27));
    assert_hardly_taken("nanoid", 100_000, || word(&chance, DIGITS_AND_LETTERS, 21));
    assert_hardly_taken("base 36", 100_000, || word(&chance, &DIGITS_AND_LETTERS[..36], 16));
}

/// Over 20 million, 7.5 in a million were.
#[test]
fn hexadecimal_words_of_20_are_hardly_taken_for_cards() {
    let chance = Chance::from_seed(2_026);
    assert_hardly_taken("hash", 1_000_000, || hex(&chance, 20));
}

/// Over 20 million, 1 in 20 000 was. Half of what is taken is digits alone, which nothing tells from a card number.
#[test]
fn hexadecimal_words_of_16_are_taken_for_cards_less_often_than_once_in_15_000() {
    const COUNT: u32 = 300_000;
    let chance = Chance::from_seed(2_026);
    let taken = taken(COUNT, || hex(&chance, 16));
    assert!(taken < COUNT / 15_000, "{taken}");
}

/// A time from the start of one year to that of another, in units of which a second has so many.
fn epoch(chance: &Chance, years: std::ops::Range<i32>, per_second: u64) -> u64 {
    let start = |year| {
        let date = chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
        date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() as u64 * per_second
    };
    start(years.start) + chance.below(start(years.end) - start(years.start))
}

/// A time of these years as chrono writes it in this format.
fn formatted(chance: &Chance, years: std::ops::Range<i32>, format: &str) -> String {
    let nanos = i64::try_from(epoch(chance, years, 1_000_000_000)).unwrap();
    chrono::DateTime::from_timestamp_nanos(nanos).format(format).to_string()
}

const TIMES: u32 = 100_000;

#[test]
fn times_are_never_taken_for_cards() {
    let chance = Chance::from_seed(2_027);
    for per_second in [1, 1_000, 1_000_000, 1_000_000_000] {
        let kind = format!("epoch, 1/{per_second} s");
        assert_none_is_taken(&kind, TIMES, || epoch(&chance, 2010..2038, per_second).to_string());
    }
    let ticks = || 621_355_968_000_000_000 + epoch(&chance, 2015..2041, 10_000_000);
    assert_none_is_taken("ticks", TIMES, || format!("ORD-{}", ticks()));
    for format in [
        "%Y%m%d%H%M%S%3f",
        "%Y%m%dT%H%M%SZ",
        "%Y%m%dT%H%M%S%6fZ",
        "%Y-%m-%dT%H:%M:%S%.9fZ",
        "%Y-%m-%d %H:%M:%S%.6f",
        "%Y-%m-%d-%H-%M-%S",
        "%Y.%m.%d.%H.%M.%S.%3f",
        "%d.%m.%Y %H:%M:%S",
    ] {
        assert_none_is_taken(format, TIMES, || formatted(&chance, 2010..2038, format));
    }
}

#[test]
fn times_with_digits_behind_are_never_taken_for_cards() {
    let chance = Chance::from_seed(2_027);
    for _ in 0..TIMES {
        let long = format!("{}{}", formatted(&chance, 2010..2038, "%Y%m%d%H%M%S"), digits(&chance, 6));
        let short = format!("ORD-{}{}", formatted(&chance, 2023..2030, "%y%m%d%H%M%S"), digits(&chance, 6));
        for less in 0..=6 {
            for text in [&long[..long.len() - less], &short[..short.len() - less]] {
                assert!(!holds_card_number(text), "{text}");
            }
        }
    }
}

/// Twelve digits with GS1's check digit.
fn ean(chance: &Chance) -> String {
    let digits = digits(chance, 12);
    let weights = [1, 3].into_iter().cycle();
    let sum: u32 = digits.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// A device's number: the prefixes are those of the bodies that give them out today (GSMA TS.06).
fn imei(chance: &Chance) -> String {
    let body = ["01", "35", "86", "91", "98", "99"][chance.below(6) as usize];
    drawn(body, 15, chance)
}

#[test]
fn articles_devices_and_users_are_never_taken_for_cards() {
    let chance = Chance::from_seed(2_028);
    assert_never_taken("EAN-13", || ean(&chance));
    assert_never_taken("EAN-13 as printed", || grouped(&ean(&chance), &[1, 6, 6], " "));
    assert_never_taken("IMEI", || imei(&chance));
    assert_never_taken("IMEI as printed", || grouped(&imei(&chance), &[2, 6, 6, 1], "-"));
    assert_never_taken("Facebook", || format!("1000{}", digits(&chance, 11)));
    assert_never_taken("Korean order", || format!("20261129-{}", digits(&chance, 7)));
    assert_never_taken("Aadhaar", || grouped(&format!("3{}", digits(&chance, 11)), &[4, 4, 4], " "));
}

#[test]
fn phone_numbers_are_never_taken_for_cards() {
    let chance = Chance::from_seed(2_029);
    // A number of fifteen digits may begin with any of these, with its country.
    for country in ["1", "34", "36", "37", "38", "49", "4915", "50", "55", "56", "57", "58", "60", "62", "6304", "81"] {
        for length in 12..=15 {
            let number = || format!("{country}{}", digits(&chance, length - country.len()));
            assert_never_taken("phone number with +", || format!("+{}", number()));
            assert_never_taken("phone number with 00", || format!("tel:00{}", number()));
        }
    }
    for country in ["49", "4915", "4366", "44", "62812", "639", "86138", "8210", "55"] {
        assert_never_taken("phone number", || format!("{country}{}", digits(&chance, 13 - country.len())));
    }
    assert_never_taken("phone number", || format!("+49 15{} {}", digits(&chance, 1), digits(&chance, 8)));
    assert_never_taken("phone number", || format!("+52 55 {}", grouped(&digits(&chance, 8), &[4, 4], " ")));
    assert_never_taken("phone number", || format!("+{}", grouped(&drawn("37", 15, &chance), &[4, 6, 5], " ")));
}

/// Random letters and digits of a country's form, with the check digits of ISO 13616.
fn iban(chance: &Chance, country: &str, bank: &str, count: usize) -> String {
    let account = format!("{bank}{}", digits(chance, count));
    let text = format!("{account}{country}00");
    let remainder = text.chars().fold(0, |remainder, c| {
        let value = c.to_digit(36).unwrap();
        (remainder * if value > 9 { 100 } else { 10 } + value) % 97
    });
    format!("{country}{:02}{account}", 98 - remainder)
}

#[test]
fn bank_accounts_are_never_taken_for_cards() {
    let chance = Chance::from_seed(2_030);
    for (country, bank, count) in [
        ("AT", "", 16),
        ("BE", "", 12),
        ("DE", "", 18),
        ("DE", "3704", 14),
        ("DE", "5105", 14),
        ("DK", "", 14),
        ("ES", "", 20),
        ("FI", "", 14),
        ("GB", "NWBK60", 12),
        ("NL", "ABNA0", 9),
        ("NO", "", 11),
        ("PL", "", 24),
        ("SE", "", 20),
    ] {
        let fours = |text: String| grouped(&text, &[4; 9], " ");
        assert_never_taken(country, || iban(&chance, country, bank, count));
        assert_never_taken(country, || fours(iban(&chance, country, bank, count)));
        assert_never_taken(country, || format!("IBAN: {}, BIC", fours(iban(&chance, country, bank, count))));
    }
    // What follows is looked at again, and so is a number with wrong check digits.
    assert!(holds_card_number("DE89 3704 0044 0532 0130 00 4111 1111 1111 1111"));
    assert!(holds_card_number("DE89370400440532013000/4111111111111111"));
    assert!(holds_card_number("FI42 4111 1111 1111 11 11 FI424111111111111111"));
}

#[test]
fn fractions_and_lists_are_never_taken_for_cards() {
    let chance = Chance::from_seed(2_031);
    assert_never_taken("fraction", || format!("0.{}", digits(&chance, 16)));
    assert_never_taken("fraction", || format!("amount=-17.{};", digits(&chance, 15)));
    assert_never_taken("place", || format!("3{}.{},{}", digits(&chance, 1), digits(&chance, 6), digits(&chance, 6)));
    for sign in [",", ", ", "\n", ";", "\t", "|", ":"] {
        let list = |lengths: &[usize]| grouped(&digits(&chance, lengths.iter().sum()), lengths, sign);
        for count in [5, 6, 9] {
            assert_never_taken("list", || list(&vec![4; count]));
        }
        assert_never_taken("list", || list(&[8, 8]));
        assert_never_taken("list", || list(&[5, 5, 5]));
        assert_never_taken("list", || list(&[4, 4, 4, 3, 4]));
    }
}

#[test]
fn other_numbers_are_no_cards() {
    for text in [
        "",
        "-",
        "order 123456789012",
        "0000000000000000",
        "2026-11-23",
        "+82 2 1234 5678",
        "+57 300 123 4567 89",
        "4111 1111 1111 1112",
        "4111111111111112",
        // A number that goes on is another number.
        "14111111111111111",
        "41111111111111119",
        // Groups in which no card is printed, and those that letters and space part.
        "411 111111111 1111",
        "41-1111111111-1111",
        "4111a1111b1111c1111",
        "4111, 1111; 1111, 1111",
        "4111    1111    1111    1111",
        // Parts of lists.
        "4111,1111,1111,1111,1111",
        "5\n4111\n1111\n1111\n1111",
        "e29b4111-1111-1111-1111-a16446655440",
        "00000000-0000-4000-8411-111111111111",
        // A hash.
        "d41d8cd98f00b204e9800998ecf8427e",
        "4111111111111111abcdef0123456789abcdef01",
        "0123ab4111111111111111",
    ] {
        assert!(!holds_card_number(text), "{text}");
    }
}
