//! A corpus of both kinds: numbers of cards, which are all found, and numbers of all else, which hardly ever are.

use super::holds_card_number;
use crate::runtime::Chance;

/// What schemes, payment providers and libraries publish for tests. All pass the check: a number that does not is no
/// card's, and no terminal takes it.
const TEST_CARDS: [(&str, &str); 29] = [
    (
        "Visa",
        "4111111111111111 4012888888881881 4242424242424242 4000056655665556 4005519200000004 \
         4009348888881881 4012000033330026 4012000077777777 4217651111111119 4500600000000061 \
         4000000000000002 4000000000009995 4000002500003155 4444333322221111 4911830000000 \
         4917610000000000 4462030000000000 4917610000000000003 4166676667666746 4646464646464644 \
         4035501000000008 4360000001000005 4988438843884305 4222222222222 4000000000000000006 \
         4484070000000000 4539791001730106 4000180000000002 4977949494949497 4151500000000008 \
         4571000000000001 4024007103939509 4716108999716531",
    ),
    (
        "Mastercard",
        "5555555555554444 5105105105105100 5500005555555559 5454545454545454 5200828282828210 \
         5555341244441115 5577000055770004 5555444433331111 5136333333333335 5585558555855583 \
         5424000000000015 5436031030606378 5399999999999999 5111010030175156 5185540810000019 \
         5204230080000017 5496198584584769",
    ),
    (
        "Mastercard, 2-series",
        "2223003122003222 2222400070000005 2222410740360010 2222420000001113 2223000048410010 \
         2720992593319364 2223000048400011 2223520443560010 2222630000001125 2223577120017656 \
         2720990000000007 2221000000000009 2720999999999996",
    ),
    (
        "American Express",
        "378282246310005 371449635398431 378734493671000 370000000000002 343434343434343 \
         374245455400126 341111111111111 340000000000009 371144371144376 374101000000608 \
         376680816376961",
    ),
    (
        "Discover",
        "6011111111111117 6011000990139424 6011000000000004 6011601160116611 6445644564456445 \
         6500000000000002 6011981111111113 6510000000000034 6011000400000000 6221260000000000 \
         6011003179988686 6011000991543426 6510000000000000",
    ),
    (
        "Diners Club",
        "30569309025904 38520000023237 36227206271667 36700102000000 36148900647913 3056930009020004 \
         36006666333344 30000000000004 38000000000006 30123456789019 36438999960016 36070500001020",
    ),
    (
        "JCB",
        "3530111333300000 3566002020360505 3566000020000410 3569990010095841 3528000000000007 \
         3569970010026020 3337000000000008 3566111111111113 180000000000002 213100000000001",
    ),
    (
        "UnionPay",
        "6200000000000005 6200000000000047 6205500000000000004 6243030000000001 6250946000000016 \
         6250947000000014 6212345678901265 6212345678901232 6212345678900000003 8171999927660000 \
         8171999900000000021 6250941006528599 6210948000000086 6240008631401148 6222821234560017 \
         6221261111117766 6223164991230014",
    ),
    (
        "Maestro",
        "6759649826438453 6799990100000000019 6304000000000000 6304219447607087665 5018000000000009 \
         501800000009 5000550000000029 6771798025000004 6771798021000008 6761000000000006 \
         6799990100000000001 6703444444444449 5641821111166669 6706950000000000 6304900017740292441 \
         6390020000000003 6331101999990016 6767622222222222222 5893804115457289 6759411100000008 \
         50339619890917 586824160825533338 6759560045005727054 6333000023456788 6767676767676767671",
    ),
    ("Mir", "2200000000000004 2201382000000013 2200770212727079"),
    ("RuPay", "6074819900004939 6080000000000000"),
    (
        "Elo",
        "5066991111111118 6362970000457013 5067310000000010 5067224275805500 6550000000000001 \
         5090000000000000",
    ),
    (
        "Hipercard",
        "6062826786276634 6062828888666688 6062825624254001 6062821086773091 6375683647504601 \
         3841005899088180330",
    ),
    (
        "Verve",
        "5060990580000217499 5061460410120223210 5060666666666666666 507850785078507812 \
         506066506066506067 5061030000000000027 5060660000000000000 6500020000000000",
    ),
    ("Troy", "9792030394440796 6501700194147183 9792350046201275 6501738564461396"),
    ("UATP", "135410014004955 122000000000003 135412345678911"),
    ("Dankort", "5019717010103742 5019555544445555"),
    ("Bancontact", "5127880999999990 6703000000000000003 4871049999999910"),
    ("Carte Bancaire", "5017670000001800"),
    ("Laser", "6304985028090561515 670695000000000000"),
    ("Switch and Solo", "4936000000000000019 6333333333333333336 4903010000000009"),
    ("enRoute", "201400000000009"),
    ("Aura", "5078601870000127985 5078601800003247449 5078601912345600019"),
    ("Cabal", "5896570000000008"),
    ("Argencard", "5011050000000001"),
    ("Naranja", "5895620000000002"),
    ("Tarjeta Shopping", "6034880000000051"),
    ("UzCard and Humo", "8600490000000000"),
    ("mada", "5297412542005689 4464040000000007 9682031234567890"),
];

/// Each scheme's prefixes and lengths as others list them (Wikipedia's "Payment card number", the libraries that make
/// up test data): independent of the table that is tested.
const SCHEMES: [(&str, &str, &[usize]); 26] = [
    ("Visa", "4", &[16, 19]),
    ("Mastercard", "51 52 53 54 55 2221 2222 2300 2500 2699 2700 2719 2720", &[16]),
    ("American Express", "34 37", &[15]),
    ("Discover", "6011 622126 622925 644 645 646 647 648 649 65", &[16, 19]),
    ("Diners Club", "300 301 302 303 304 305 3095 36 38 39", &[14, 16]),
    ("JCB", "3528 3529 3530 3559 3588 3589", &[16, 19]),
    ("JCB, older", "1800 2131", &[15]),
    ("UnionPay", "62 620 621 625 626 81", &[16, 17, 18, 19]),
    ("Maestro", "5018 5020 5038 5893 6304 6759 6761 6762 6763", &[14, 15, 16, 17, 18, 19]),
    ("Maestro, wide", "50 56 57 58 60 63 67 68 69", &[16, 19]),
    ("Mir", "2200 2201 2202 2203 2204", &[16, 19]),
    ("RuPay", "60 65 81 82 508 353 356", &[16]),
    ("Elo", "401178 438935 457631 504175 506699 509000 627780 636297 636368 650031 655000", &[16]),
    ("Hipercard", "606282 637095 637568 384100", &[16]),
    ("Verve", "506099 506198 650002 650027 507865 507964", &[16, 18, 19]),
    ("Troy", "65 9792", &[16]),
    ("UATP", "1", &[15]),
    ("Dankort", "5019 4571", &[16]),
    ("Korea's domestic cards", "9400 9409 9410 9420 9430 9440 9445 9460 9490", &[16]),
    ("UzCard and Humo", "8600 5614 9860", &[16]),
    ("mada", "968201 968211 588845 636120", &[16]),
    ("Carnet", "286900 502275 506199 604622 636318 639559", &[16]),
    ("Laser, Solo, Switch", "6304 6706 6771 6334 6767 4903 4911 4936 564182 633110 6333", &[16, 18, 19]),
    ("LankaPay, InstaPayment, InterPayment", "357111 637 638 639 636", &[16]),
    ("Borica, Belkart, DinaCard", "2205 9112 9891", &[16]),
    ("GPN, Bankcard", "50 56 58 60 61 62 63 5610 560221", &[16]),
];

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

/// A number of so many digits that begins like this, with a right check digit.
fn drawn(prefix: &str, length: usize, chance: &Chance) -> String {
    let rest: String = (prefix.len() + 1..length).map(|_| chance.below(10).to_string()).collect();
    with_check(&format!("{prefix}{rest}"))
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

/// The digits of another script.
fn in_script(digits: &str, zero: char) -> String {
    let of_script = |byte: u8| char::from_u32(u32::from(zero) + u32::from(byte - b'0')).unwrap();
    digits.bytes().map(of_script).collect()
}

/// A digit as Japanese keyboards write it.
fn full_width(c: char) -> char {
    c.to_digit(10).and_then(|digit| char::from_u32(0xff10 + digit)).unwrap_or(c)
}

/// A number as people and programs write it.
fn spellings(card: &str) -> Vec<String> {
    let mut all = vec![
        card.to_owned(),
        format!("card {card}, thanks"),
        format!("pan{card}"),
        format!("{card}x"),
        format!("MERCHANT-{card}"),
        format!("order_{card}_1"),
        format!("\u{ce74}\u{b4dc}{card}\u{bc88}"),
        format!("a{card}"),
        format!("00{card}"),
        format!("{card}=29122010000012300000"),
        format!("2026-11-23 {card} 12/28 123"),
        in_script(card, '\u{ff10}'),
        in_script(card, '\u{660}'),
        card.replacen(&card[1..], &format!("\u{200b}{}", &card[1..]), 1),
    ];
    // Zeros before it count as digits of the number's length.
    all.retain(|text| card.len() < 18 || !text.starts_with("00"));
    let fours: &[usize] = &[4, 4, 4, 4, 3];
    for separator in
        [" ", "-", "\u{a0}", "\u{202f}", "\u{3000}", ".", "_", "\u{2010}", "\u{2013}", " - ", "  ", "\u{ff0d}"]
    {
        all.push(grouped(card, fours, separator));
        all.push(format!("x: {}!", grouped(card, fours, separator)));
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
    all
}

#[test]
fn no_test_card_is_missed_however_it_is_spelled() {
    let mut count = 0;
    for (scheme, cards) in TEST_CARDS {
        for card in cards.split(' ') {
            assert_eq!(with_check(&card[..card.len() - 1]), card, "{scheme}: the list is wrong");
            for text in spellings(card) {
                assert!(holds_card_number(&text), "{scheme}: {text}");
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

/// How many of so many texts are taken for card numbers.
fn taken(count: u32, text: impl Fn() -> String) -> u32 {
    (0..count).map(|_| u32::from(holds_card_number(&text()))).sum()
}

fn hex(chance: &Chance, length: usize) -> String {
    format!("{:016x}{:016x}", chance.u64(), chance.u64())[..length].to_owned()
}

fn uuid(chance: &Chance) -> String {
    let text = hex(chance, 32);
    let variant = ["8", "9", "a", "b"][chance.below(4) as usize];
    format!("{}-{}-4{}-{variant}{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
}

/// A time of 2010 to 2037, in units of which a second has so many.
fn epoch(chance: &Chance, per_second: u64) -> String {
    let (begin, end) = (1_262_304_000 * per_second, 2_145_916_800 * per_second);
    (begin + chance.below(end - begin)).to_string()
}

/// Twelve digits with GS1's check digit.
fn ean(chance: &Chance) -> String {
    let digits: String = (0..12).map(|_| chance.below(10).to_string()).collect();
    let sum: u32 =
        digits.bytes().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// A device's number: the prefixes are those of the bodies that give them out today (GSMA TS.06).
fn imei(chance: &Chance) -> String {
    let body = ["01", "35", "86", "91", "98", "99"][chance.below(6) as usize];
    drawn(body, 15, chance)
}

#[test]
fn identifiers_are_taken_for_cards_less_often_than_once_in_100_000() {
    const COUNT: u32 = 300_000;
    let chance = Chance::from_seed(2_026);
    let rate = |text: &dyn Fn() -> String| taken(COUNT, text);
    assert!(rate(&|| uuid(&chance)) < COUNT / 100_000, "UUIDs");
    assert!(rate(&|| format!("order-{}", uuid(&chance).to_uppercase())) < COUNT / 100_000, "UUIDs in capitals");
    assert!(rate(&|| hex(&chance, 32)) < COUNT / 100_000, "UUIDs without dashes");
}

#[test]
fn times_articles_and_devices_are_never_taken_for_cards() {
    const COUNT: u32 = 40_000;
    let chance = Chance::from_seed(2_027);
    for per_second in [1, 1_000, 1_000_000, 1_000_000_000] {
        assert_eq!(taken(COUNT, || epoch(&chance, per_second)), 0, "epoch, 1/{per_second} s");
        assert_eq!(taken(COUNT, || format!("order-{}-7", epoch(&chance, per_second))), 0, "epoch, 1/{per_second} s");
    }
    assert_eq!(taken(COUNT, || ean(&chance)), 0, "EAN-13");
    assert_eq!(taken(COUNT, || grouped(&ean(&chance), &[1, 6, 6], " ")), 0, "EAN-13 as printed");
    assert_eq!(taken(COUNT, || imei(&chance)), 0, "IMEI");
    assert_eq!(taken(COUNT, || grouped(&imei(&chance), &[2, 6, 6, 1], "-")), 0, "IMEI as printed");
    for format in
        ["%Y-%m-%dT%H:%M:%S%.9fZ", "%Y%m%dT%H%M%SZ", "%Y-%m-%d %H:%M:%S%.6f", "%Y%m%d%H%M%S%6f", "%Y-%m-%d-%H-%M-%S"]
    {
        let text = || {
            let nanos: i64 = epoch(&chance, 1_000_000_000).parse().unwrap();
            chrono::DateTime::from_timestamp_nanos(nanos).format(format).to_string()
        };
        assert_eq!(taken(COUNT / 4, text), 0, "{format}");
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
        // Groups in which no card is printed, and those that letters and lines part.
        "411 111111111 1111",
        "41-1111111111-1111",
        "4111a1111b1111c1111",
        "4111\n1111\n1111\n1111",
        "4111, 1111, 1111, 1111",
        "4111    1111    1111    1111",
        "e29b4111-1111-1111-1111-a16446655440",
        // A hash.
        "d41d8cd98f00b204e9800998ecf8427e",
        "4111111111111111abcdef0123456789abcdef01",
    ] {
        assert!(!holds_card_number(text), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_looked_through(text in "\\PC*", digits in "[0-9 \\-\u{a0}\u{200b}\u{ff10}-\u{ff19}a-g]{0,60}") {
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
