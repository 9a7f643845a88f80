use proptest::prelude::*;

use super::{authorize::AuthorizeBody, capture::CaptureBody, refund::RefundBody, void::VoidBody};
use crate::domain::PaymentId;
use crate::domain::commands::Change;
use crate::domain::payment::CaptureMode;
use crate::flows::{AuthorizeRequest, ChangeRequest};
use crate::http::body::{Body, Given};
use crate::http::problem::{Code, Problem};

const MOST: i64 = 1_000_000;
const ORDER: &str = r#"{"merchantId":"MERCHANT-1","amount":100,"currency":"KRW","idempotencyKey":"k"}"#;

fn authorize(bytes: &[u8], header_key: Option<&str>) -> Result<AuthorizeRequest, Problem> {
    AuthorizeBody::read(bytes, &Given { header_key, amount_max: MOST }).and_then(AuthorizeBody::into_request)
}

fn read(body: &str) -> Result<AuthorizeRequest, Problem> {
    authorize(body.as_bytes(), None)
}

/// The body of a change of a payment.
trait ChangeBody: Body {
    fn request(self) -> Result<ChangeRequest, Problem>;
}

macro_rules! change_body {
    ($($body:ident)*) => {
        $(impl ChangeBody for $body {
            fn request(self) -> Result<ChangeRequest, Problem> {
                self.into_request(PaymentId::from_stored(1 << 40))
            }
        })*
    };
}
change_body! { CaptureBody VoidBody RefundBody }

fn change<B: ChangeBody>(bytes: &[u8], header_key: Option<&str>) -> Result<ChangeRequest, Problem> {
    B::read(bytes, &Given { header_key, amount_max: MOST })?.request()
}

#[test]
fn an_order_is_read_whole() {
    let order = read(
        r#"{"merchantId":"shop_1","amount":100,"currency":"USD","idempotencyKey":"k","description":"a \"b\"",
            "metadata":{"order":"7"},"captureMode":"automatic"}"#,
    )
    .unwrap();
    assert_eq!((order.merchant_id.as_str(), order.money.minor, order.money.currency.code()), ("shop_1", 100, "USD"));
    assert_eq!(order.description.as_deref(), Some("a \"b\""));
    assert_eq!(order.metadata["order"], "7");
    assert_eq!(order.capture_mode, CaptureMode::Automatic);
}

/// `ORDER` with a member set to a text that should be JSON.
fn with(member: &str, json: &str) -> String {
    let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(ORDER).unwrap();
    body.remove(member);
    let mut text = serde_json::to_string(&body).unwrap();
    text.pop();
    format!("{text},\"{member}\":{json}}}")
}

#[test]
fn each_bad_body_has_its_code_and_pointer() {
    let long = |n: usize| format!("\"{}\"", "x".repeat(n));
    let nested = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let many: String = (0..51).map(|i| format!("\"k{i}\":\"v\"")).collect::<Vec<_>>().join(",");
    for (body, code, pointer) in [
        (String::new(), Code::MalformedJson, ""),
        ("{".into(), Code::MalformedJson, ""),
        ("[]".into(), Code::MalformedJson, ""),
        ("null".into(), Code::MalformedJson, ""),
        (format!("{ORDER}x"), Code::MalformedJson, ""),
        (ORDER[..ORDER.len() - 1].into(), Code::MalformedJson, ""),
        (with("metadata", &nested), Code::MalformedJson, ""),
        (ORDER.replace("\"amount\":100", "\"amount\":100,\"amount\":100"), Code::MalformedJson, ""),
        (ORDER.replace("\"amount\":100", "\"amount\":100,\"\\u0061mount\":100"), Code::MalformedJson, ""),
        (with("metadata", r#"{"a":"1","a":"2"}"#), Code::MalformedJson, ""),
        (with("elsewhere", r#"{"a":[{"b":1,"b":1}]}"#), Code::MalformedJson, ""),
        (with("ammount", "100"), Code::UnknownField, "/ammount"),
        (with("a/b~c", "1"), Code::UnknownField, "/a~1b~0c"),
        (ORDER.replace("\"amount\":100,", ""), Code::FieldMissing, "/amount"),
        (ORDER.replace("\"merchantId\":\"MERCHANT-1\",", ""), Code::FieldMissing, "/merchantId"),
        (ORDER.replace("\"currency\":\"KRW\",", ""), Code::FieldMissing, "/currency"),
        (ORDER.replace(",\"idempotencyKey\":\"k\"", ""), Code::IdempotencyKeyMissing, "/idempotencyKey"),
        (with("amount", "1.0"), Code::AmountNotInteger, "/amount"),
        (with("amount", "\"100\""), Code::AmountNotInteger, "/amount"),
        (with("amount", "1e3"), Code::AmountNotInteger, "/amount"),
        (with("amount", "1E3"), Code::AmountNotInteger, "/amount"),
        (with("amount", "1e400"), Code::AmountNotInteger, "/amount"),
        (with("amount", "-0.0"), Code::AmountNotInteger, "/amount"),
        (with("amount", "[1]"), Code::AmountNotInteger, "/amount"),
        (with("amount", "null"), Code::AmountNotInteger, "/amount"),
        (with("amount", "true"), Code::AmountNotInteger, "/amount"),
        (with("amount", "0"), Code::AmountInvalid, "/amount"),
        (with("amount", "-0"), Code::AmountInvalid, "/amount"),
        (with("amount", "-5"), Code::AmountInvalid, "/amount"),
        (with("amount", "1000001"), Code::AmountTooLarge, "/amount"),
        (with("amount", "9223372036854775808"), Code::AmountTooLarge, "/amount"),
        (with("amount", &format!("1{}", "0".repeat(30))), Code::AmountTooLarge, "/amount"),
        (with("amount", &"9".repeat(700)), Code::AmountTooLarge, "/amount"),
        (with("amount", &format!("-{}", "9".repeat(700))), Code::AmountInvalid, "/amount"),
        (with("amount", "01"), Code::MalformedJson, ""),
        (with("amount", "+1"), Code::MalformedJson, ""),
        (with("amount", "NaN"), Code::MalformedJson, ""),
        (with("currency", "\"ZZZ\""), Code::CurrencyUnsupported, "/currency"),
        (with("currency", "\"\""), Code::CurrencyUnsupported, "/currency"),
        (with("currency", "\"krw\""), Code::CurrencyUnsupported, "/currency"),
        (with("currency", "\"KRWW\""), Code::CurrencyUnsupported, "/currency"),
        (with("currency", "410"), Code::FieldTypeInvalid, "/currency"),
        (with("merchantId", "\"\""), Code::MerchantIdInvalid, "/merchantId"),
        (with("merchantId", &long(33)), Code::MerchantIdInvalid, "/merchantId"),
        (with("merchantId", "\"a b\""), Code::MerchantIdInvalid, "/merchantId"),
        (with("merchantId", "\"MERCHANT-\\u00e9\""), Code::MerchantIdInvalid, "/merchantId"),
        (with("merchantId", "\"\\ud800\""), Code::FieldTypeInvalid, "/merchantId"),
        (with("merchantId", "null"), Code::FieldTypeInvalid, "/merchantId"),
        (with("merchantId", "7"), Code::FieldTypeInvalid, "/merchantId"),
        (with("idempotencyKey", "\"\""), Code::IdempotencyKeyInvalid, "/idempotencyKey"),
        (with("idempotencyKey", &long(256)), Code::IdempotencyKeyInvalid, "/idempotencyKey"),
        (with("idempotencyKey", "\"schlüssel\""), Code::IdempotencyKeyInvalid, "/idempotencyKey"),
        (with("idempotencyKey", "\"a\\tb\""), Code::IdempotencyKeyInvalid, "/idempotencyKey"),
        (with("idempotencyKey", "7"), Code::FieldTypeInvalid, "/idempotencyKey"),
        (with("idempotencyKey", "null"), Code::IdempotencyKeyMissing, "/idempotencyKey"),
        (with("description", &long(501)), Code::TextTooLong, "/description"),
        (with("description", "\"card 4111 1111 1111 1111\""), Code::CardNumberNotAllowed, "/description"),
        (with("description", "\"\\u0000\""), Code::FieldTypeInvalid, "/description"),
        (with("metadata", r#"{"card":"4111-1111-1111-1111"}"#), Code::CardNumberNotAllowed, "/metadata"),
        (with("metadata", r#"{"4111111111111111":"x"}"#), Code::CardNumberNotAllowed, "/metadata"),
        (with("metadata", &format!("{{{many}}}")), Code::MetadataTooLarge, "/metadata"),
        (with("metadata", &format!("{{{}:\"v\"}}", long(41))), Code::MetadataTooLarge, "/metadata"),
        (with("metadata", &format!("{{\"k\":{}}}", long(501))), Code::MetadataTooLarge, "/metadata"),
        (with("metadata", r#"{"a/b":7}"#), Code::FieldTypeInvalid, "/metadata/a~1b"),
        (with("metadata", "[]"), Code::FieldTypeInvalid, "/metadata"),
        (with("captureMode", "\"later\""), Code::FieldTypeInvalid, "/captureMode"),
    ] {
        let problem = read(&body).expect_err(&body);
        assert_eq!(problem.code, code, "{body}");
        let pointers: Vec<_> = problem.errors.iter().filter_map(|error| error.pointer.as_deref()).collect();
        if !pointer.is_empty() {
            assert_eq!(pointers, [pointer], "{body}");
        }
    }
}

#[test]
fn what_is_just_allowed_is_taken() {
    let long = |n: usize| format!("\"{}\"", "\u{e9}".repeat(n));
    let many: Vec<_> = (0..50).map(|i| format!("\"k{i}\":\"v\"")).collect();
    for body in [
        with("amount", "1"),
        with("amount", &MOST.to_string()),
        with("merchantId", &format!("\"{}\"", "m".repeat(32))),
        with("idempotencyKey", &format!("\"{}\"", "k".repeat(255))),
        with("description", &long(500)),
        with("description", "\"line\\nline\""),
        with("metadata", &format!("{{{}}}", many.join(","))),
        with("metadata", &format!("{{{}:{}}}", long(40), long(500))),
        // Sixteen digits that are no card number.
        with("description", "\"4111 1111 1111 1112\""),
        with("captureMode", "null"),
    ] {
        assert!(read(&body).is_ok(), "{body}: {:?}", read(&body));
    }
}

#[test]
fn bytes_that_are_no_text_are_no_json() {
    for bad in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80"] {
        for place in ["MERCHANT-1", "merchantId", "KRW"] {
            let (before, after) = ORDER.split_once(place).unwrap();
            let body = [before.as_bytes(), bad, after.as_bytes()].concat();
            assert_eq!(authorize(&body, None).unwrap_err().code, Code::MalformedJson, "{place} {bad:?}");
        }
    }
}

#[test]
fn an_answer_to_thousands_of_unknown_fields_is_short() {
    let many: String = (0..5_000).map(|i| format!(",\"u{i}\":1")).collect();
    let problem = read(&ORDER.replace("}", &format!("{many}}}"))).unwrap_err();
    assert_eq!((problem.code, problem.errors.len()), (Code::UnknownField, 20));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let problem =
        read(r#"{"merchantId":"","amount":1.5,"currency":"krw","idempotencyKey":"k","extra":1}"#).unwrap_err();
    let said: Vec<_> =
        problem.errors.iter().map(|error| (error.pointer.as_deref().unwrap_or_default(), error.code)).collect();
    assert_eq!(
        said,
        [
            ("/extra", Code::UnknownField),
            ("/merchantId", Code::MerchantIdInvalid),
            ("/amount", Code::AmountNotInteger),
            ("/currency", Code::CurrencyUnsupported),
        ]
    );
    assert_eq!(problem.code, Code::UnknownField);
}

#[test]
fn changes_know_their_own_fields() {
    type Read = fn(&[u8], Option<&str>) -> Result<ChangeRequest, Problem>;
    let read = |change: Read, body: &str| change(body.as_bytes(), None);
    let (capture, void, refund) = (change::<CaptureBody>, change::<VoidBody>, change::<RefundBody>);
    let torn = read(refund, r#"{"merchantId":"M","amount":5,"reason":"torn","idempotencyKey":"k"}"#).unwrap();
    assert!(matches!(torn.change, Change::Refund { amount: Some(5), reason: Some(_) }));
    assert!(matches!(read(capture, r#"{"merchantId":"M"}"#).unwrap().change, Change::Capture { amount: None }));
    // Of all that is left a second refund finds nothing; of an amount it would be a second refund.
    for body in [r#"{"merchantId":"M"}"#, r#"{"merchantId":"M","reason":"r"}"#] {
        assert_eq!(read(refund, body).unwrap().key, None);
    }
    let cases: [(Read, _, _); 8] = [
        (refund, r#"{"merchantId":"M","amount":null}"#, Code::AmountNotInteger),
        (capture, r#"{"merchantId":"M","amount":null}"#, Code::AmountNotInteger),
        (refund, r#"{"merchantId":"M","amount":5}"#, Code::IdempotencyKeyMissing),
        (void, r#"{"merchantId":"M","amount":5}"#, Code::UnknownField),
        (capture, r#"{"merchantId":"M","reason":"x"}"#, Code::UnknownField),
        (capture, r#"{"amount":5}"#, Code::FieldMissing),
        (refund, r#"{"merchantId":"M","amount":0}"#, Code::AmountInvalid),
        (refund, r#"{"merchantId":"M","reason":"4111111111111111"}"#, Code::CardNumberNotAllowed),
    ];
    for (change, body, code) in cases {
        assert_eq!(read(change, body).unwrap_err().code, code, "{body}");
    }
}

#[test]
fn one_meaning_has_one_fingerprint() {
    let base = read(ORDER).unwrap().fingerprint;
    for same in [
        r#"{"currency":"KRW","amount":100,"merchantId":"MERCHANT-1","idempotencyKey":"k"}"#,
        concat!(
            r#" { "merchantId" : "MERCHANT-\u0031", "amount":100,"currency":"KRW","#,
            r#""idempotencyKey":"k","captureMode":"manual" } "#,
        ),
        concat!(
            r#"{"merchantId":"MERCHANT-1","amount":100,"currency":"KRW","#,
            r#""idempotencyKey":"other","metadata":{},"description":null}"#,
        ),
        r#"{"merch\u0061ntId":"MERCHANT-1","amount":100,"currency":"KRW","idempotencyKey":"k","metadata":null}"#,
    ] {
        assert_eq!(read(same).unwrap().fingerprint, base, "{same}");
    }
    let ordered = read(&with("metadata", r#"{"a":"1","b":"2"}"#)).unwrap().fingerprint;
    assert_eq!(read(&with("metadata", r#"{"b":"2","a":"1"}"#)).unwrap().fingerprint, ordered);
}

#[test]
fn another_meaning_has_another_fingerprint() {
    let bodies = [
        ORDER.to_owned(),
        with("merchantId", "\"MERCHANT-2\""),
        with("amount", "101"),
        with("currency", "\"JPY\""),
        with("captureMode", "\"automatic\""),
        with("description", "\"x\""),
        with("description", "\"xy\""),
        with("metadata", r#"{"a":"1"}"#),
        with("metadata", r#"{"a":"2"}"#),
        with("metadata", r#"{"a1":""}"#),
        with("metadata", r#"{"a":"1","b":"2"}"#),
        with("metadata", r#"{"description":"x"}"#),
    ];
    let prints: Vec<_> = bodies.iter().map(|body| read(body).unwrap().fingerprint).collect();
    for (place, print) in prints.iter().enumerate() {
        assert_eq!(prints.iter().position(|other| other == print), Some(place), "{}", bodies[place]);
    }
    let refund = |body: &str| change::<RefundBody>(body.as_bytes(), Some("k")).unwrap().fingerprint;
    let all = refund(r#"{"merchantId":"M"}"#);
    let five = refund(r#"{"merchantId":"M","amount":5}"#);
    assert!(all != five && five != refund(r#"{"merchantId":"M","amount":5,"reason":"5"}"#));
    assert_eq!(all, refund(r#"{"reason":null,"merchantId":"M","idempotencyKey":"k"}"#));
}

#[test]
fn the_key_is_in_the_header_or_the_body_or_the_same_in_both() {
    let bare = ORDER.replace(",\"idempotencyKey\":\"k\"", "");
    let read = |body: &str, header| authorize(body.as_bytes(), header);
    assert_eq!(read(&bare, Some("k2")).unwrap().key, "k2");
    assert_eq!(read(ORDER, Some("k")).unwrap().key, "k");
    for (body, header) in [(ORDER, "k2"), (ORDER, ""), (bare.as_str(), ""), (bare.as_str(), "\u{e9}")] {
        assert_eq!(read(body, Some(header)).unwrap_err().code, Code::IdempotencyKeyInvalid, "{body} {header}");
    }
    let long = "k".repeat(256);
    assert_eq!(read(&bare, Some(&long)).unwrap_err().code, Code::IdempotencyKeyInvalid);
    let change = |header| change::<VoidBody>(br#"{"merchantId":"M"}"#, header).unwrap().key;
    assert_eq!((change(None), change(Some("k"))), (None, Some("k".to_owned())));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = authorize(&bytes, None);
        let _ = change::<RefundBody>(&bytes, None);
        let _ = change::<CaptureBody>(&bytes, None);
    }

    #[test]
    fn no_almost_json_panics(text in r#"[{}\[\]",:0-9a-z\\ue+\-. ]{0,80}"#) {
        let _ = read(&text);
        let _ = read(&with("metadata", &text));
        let _ = read(&with("amount", &text));
    }

    #[test]
    fn what_was_meant_is_read(
        merchant in "[A-Za-z0-9_-]{1,32}",
        amount in 1..=MOST,
        key in "[ -~]{1,255}",
        description in proptest::option::of("[^0-9\\p{Cc}]{0,100}"),
        metadata in proptest::collection::btree_map("[^0-9\\p{Cc}]{1,40}", "[^0-9\\p{Cc}]{0,60}", 0..8),
        automatic in proptest::option::of(any::<bool>()),
        order in Just(vec![0, 1, 2, 3, 4, 5, 6]).prop_shuffle(),
    ) {
        let mode = automatic.map(|automatic| if automatic { "automatic" } else { "manual" });
        let members = [
            ("merchantId", serde_json::json!(merchant)),
            ("amount", serde_json::json!(amount)),
            ("currency", serde_json::json!("KRW")),
            ("idempotencyKey", serde_json::json!(key)),
            ("description", serde_json::json!(description)),
            ("metadata", serde_json::json!(metadata)),
            ("captureMode", serde_json::json!(mode)),
        ];
        let shuffled = order.iter().map(|place| format!("\"{}\":{}", members[*place].0, members[*place].1));
        let read = read(&format!("{{{}}}", shuffled.collect::<Vec<_>>().join(","))).unwrap();
        prop_assert_eq!(read.merchant_id, merchant);
        prop_assert_eq!((read.money.minor, read.money.currency.code()), (amount, "KRW"));
        prop_assert_eq!(read.key, key);
        prop_assert_eq!(read.description, description);
        prop_assert_eq!(read.metadata, metadata);
        prop_assert_eq!(read.capture_mode == CaptureMode::Automatic, automatic == Some(true));
    }
}
