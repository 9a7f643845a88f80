//! Members of the bodies of payments' calls: missing, of a wrong type, at their limits and beyond.

use serde_json::{Map, Value, json};

use super::{NOBODYS, call, node, nothing_has_changed, refused};
use crate::http_tests::node::{Answer, Payment, TestNode};

/// What a member must not be: as JSON text, the status and the code.
type Wrong = (String, u16, &'static str);

fn wrong(texts: &[&str], status: u16, code: &'static str) -> Vec<Wrong> {
    texts.iter().map(|text| ((*text).to_owned(), status, code)).collect()
}

/// A JSON string of so many times the same.
fn repeated(text: &str, count: usize) -> String {
    json!(text.repeat(count)).to_string()
}

const NO_TEXTS: [&str; 9] = ["0", "1", "-1.5", "1e400", "true", "false", "[]", "[\"MERCHANT-1\"]", "{}"];
/// Card numbers in many spellings.
const CARDS: [&str; 10] = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "378282246310005",
    "my card: 5500005555555559, thanks",
    "6011000990139424",
    "3530111333300000",
    "\\u0034111111111111111",
    "4111\u{a0}1111\u{a0}1111\u{a0}1111",
    "\u{ff14}\u{ff11}\u{ff11}\u{ff11} 1111 1111 1111",
];

fn merchant_ids() -> Vec<Wrong> {
    let mut all = wrong(&NO_TEXTS, 400, "field_type_invalid");
    all.extend(wrong(&["null"], 400, "field_type_invalid"));
    let ids = [
        "\"\"",
        "\" \"",
        "\"MERCHANT 1\"",
        "\" MERCHANT-1\"",
        "\"MERCHANT-1 \"",
        "\"MERCHANT.1\"",
        "\"MERCHANT/1\"",
        "\"../MERCHANT-1\"",
        "\"MERCHANT-1'--\"",
        "\"MERCHANT-1;\"",
        "\"MERCHANT\\n1\"",
        "\"MERCHANT-1\\u0000\"",
        "\"MERCHANT\u{2010}1\"",
        "\"M\u{c9}RCHANT-1\"",
        "\"\u{ff2d}ERCHANT-1\"",
        "\"\u{1f4b3}\"",
    ];
    all.extend(wrong(&ids, 400, "merchant_id_invalid"));
    all.extend(wrong(&["\"4111111111111111\"", "\"M-4111-1111-1111-1111\""], 422, "card_number_not_allowed"));
    all.extend([33, 100, 10_000].map(|length| (repeated("M", length), 400, "merchant_id_invalid")));
    all
}

fn amounts() -> Vec<Wrong> {
    let not_integers = [
        "1.0",
        "1.5",
        "100.00",
        "1e3",
        "1E3",
        "1e0",
        "1e-1",
        "1e400",
        "-1.5",
        "-0.0",
        "0.0",
        "0e0",
        "\"100\"",
        "\"\"",
        "\"0\"",
        "\"1e3\"",
        "true",
        "false",
        "[]",
        "[100]",
        "{}",
        "{\"value\":100}",
    ];
    let mut all = wrong(&not_integers, 400, "amount_not_integer");
    all.extend(wrong(&["null"], 400, "amount_not_integer"));
    all.extend(wrong(&["0", "-0", "-1", "-100", "-9223372036854775808"], 422, "amount_invalid"));
    let large = ["1000000000001", "9223372036854775807", "9223372036854775808", "18446744073709551616"];
    all.extend(wrong(&large, 422, "amount_too_large"));
    all.extend([40, 500].map(|length| ("9".repeat(length), 422, "amount_too_large")));
    all.push((format!("-{}", "9".repeat(500)), 422, "amount_invalid"));
    all.push((format!("1{}", "0".repeat(60_000)), 422, "amount_too_large"));
    all
}

fn currencies() -> Vec<Wrong> {
    let mut all = wrong(&NO_TEXTS, 400, "field_type_invalid");
    all.extend(wrong(&["null"], 400, "field_type_invalid"));
    let unknown = [
        "\"\"",
        "\" \"",
        "\"K\"",
        "\"KR\"",
        "\"KRWW\"",
        "\"krw\"",
        "\"Krw\"",
        "\" KRW\"",
        "\"KRW \"",
        "\"XXX\"",
        "\"XTS\"",
        "\"ZZZ\"",
        "\"410\"",
        "\"\u{20a9}\"",
        "\"\u{ff2b}RW\"",
        "\"KRW\\u0000\"",
        "\"HRK\"",
    ];
    all.extend(wrong(&unknown, 422, "currency_unsupported"));
    all.push((repeated("K", 10_000), 422, "currency_unsupported"));
    all
}

fn keys(is_required: bool) -> Vec<Wrong> {
    let mut all = wrong(&NO_TEXTS, 400, "field_type_invalid");
    if is_required {
        all.extend(wrong(&["null"], 400, "idempotency_key_missing"));
    }
    let keys = ["\"\"", "\"a\\nb\"", "\"a\\tb\"", "\"\\u0000\"", "\"\\u007f\"", "\"schl\u{fc}ssel\"", "\"\u{1f511}\""];
    all.extend(wrong(&keys, 400, "idempotency_key_invalid"));
    all.extend([256, 1_000, 10_000].map(|length| (repeated("k", length), 400, "idempotency_key_invalid")));
    all.extend(wrong(&["\"4111111111111111\"", "\"order-4111-1111-1111-1111\""], 422, "card_number_not_allowed"));
    all
}

/// Of a text of up to `most` characters.
fn texts(most: usize) -> Vec<Wrong> {
    let mut all = wrong(&NO_TEXTS, 400, "field_type_invalid");
    let controls = ["\"\\u0000\"", "\"a\\u0001b\"", "\"\\u001b[31m\"", "\"\\u007f\"", "\"\u{9b}\""];
    all.extend(wrong(&controls, 400, "field_type_invalid"));
    all.extend(CARDS.map(|card| (format!("\"{card}\""), 422, "card_number_not_allowed")));
    for character in ["x", "\u{fc}", "\u{1f4b3}"] {
        all.push((repeated(character, most + 1), 422, "text_too_long"));
    }
    all
}

fn references() -> Vec<Wrong> {
    let mut all = wrong(&NO_TEXTS, 400, "field_type_invalid");
    let texts = ["\"\"", "\" \"", "\"a b\"", "\"a \"", "\"a\\u0000\"", "\"\u{fc}\"", "\"\\u007f\""];
    all.extend(wrong(&texts, 400, "merchant_reference_invalid"));
    all.extend([65, 10_000].map(|length| (repeated("r", length), 400, "merchant_reference_invalid")));
    let cards = ["\"4111111111111111\"", "\"4111-1111-1111-1111\"", "\"378282246310005\""];
    all.extend(wrong(&cards, 422, "card_number_not_allowed"));
    all
}

fn capture_modes() -> Vec<Wrong> {
    let mut all = wrong(&NO_TEXTS, 400, "field_type_invalid");
    let modes = ["\"\"", "\"later\"", "\"MANUAL\"", "\"Automatic\"", "\" manual\"", "\"auto\""];
    all.extend(wrong(&modes, 400, "field_type_invalid"));
    all
}

/// The wrong values of every member of an operation.
fn members(operation: &str) -> Vec<(&'static str, Vec<Wrong>)> {
    let with_key = |is_required| vec![("merchantId", merchant_ids()), ("idempotencyKey", keys(is_required))];
    let mut all = with_key(operation == "authorize");
    match operation {
        "authorize" => all.extend([
            ("amount", amounts()),
            ("currency", currencies()),
            ("merchantReference", references()),
            ("uniqueReference", wrong(&["0", "1", "\"true\"", "[]", "{}"], 400, "field_type_invalid")),
            ("description", texts(500)),
            ("captureMode", capture_modes()),
        ]),
        "capture" => all.push(("amount", amounts())),
        "refund" => all.extend([("amount", amounts()), ("reason", texts(255))]),
        _ => {}
    }
    all
}

const OPERATIONS: [&str; 4] = ["authorize", "capture", "void", "refund"];

/// The body as text, with one member as it is given.
fn spoiled(mut body: Value, member: &str, text: &str) -> String {
    body.as_object_mut().unwrap().remove(member);
    let rest = body.to_string();
    let comma = if rest == "{}" { "" } else { "," };
    format!("{}{comma}\"{member}\":{text}}}", &rest[..rest.len() - 1])
}

#[actix_web::test]
async fn every_member_that_is_wrong_is_pointed_at() {
    let node = node().await;
    for operation in OPERATIONS {
        let mut call = call(operation);
        let sound = call.body.take().unwrap();
        for (member, wrong) in members(operation) {
            for (text, status, code) in wrong {
                let body = spoiled(sound.clone(), member, &text);
                let answer = call.send(&node, body).await;
                let shown = format!("{member}: {}", &text.chars().take(60).collect::<String>());
                refused(&answer, &call.path, status, code, Some(&format!("/{member}")), &shown);
                assert!(!answer.text.contains("4111"), "a card number is never said back: {}", answer.text);
            }
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn members_that_must_be_there_are_missed() {
    let node = node().await;
    for (operation, member, code) in [
        ("authorize", "merchantId", "field_missing"),
        ("authorize", "amount", "field_missing"),
        ("authorize", "currency", "field_missing"),
        ("authorize", "idempotencyKey", "idempotency_key_missing"),
        ("capture", "merchantId", "field_missing"),
        ("void", "merchantId", "field_missing"),
        ("refund", "merchantId", "field_missing"),
    ] {
        let mut call = call(operation);
        let mut body = call.body.take().unwrap();
        body.as_object_mut().unwrap().remove(member);
        let answer = call.send(&node, body.to_string()).await;
        refused(&answer, &call.path, 400, code, Some(&format!("/{member}")), &body.to_string());
    }
    let mut unnamed = call("authorize").body.unwrap();
    unnamed["uniqueReference"] = json!(true);
    let answer = call("authorize").send(&node, unnamed.to_string()).await;
    refused(&answer, &call("authorize").path, 400, "field_missing", Some("/merchantReference"), "to be unique");
    let refund = json!({"merchantId": "MERCHANT-1", "amount": 1});
    let answer = call("refund").send(&node, refund.to_string()).await;
    refused(&answer, &call("refund").path, 400, "idempotency_key_missing", Some("/idempotencyKey"), "of an amount");
    let empty = call("authorize").send(&node, "{}").await.expect(400).json();
    let expected = ["merchantId", "amount", "currency"]
        .map(|name| json!({"pointer": format!("/{name}"), "code": "field_missing"}));
    assert_eq!(empty["errors"].as_array().unwrap()[..3], expected);
    nothing_has_changed(&node).await;
}

fn many_texts(count: usize) -> Value {
    (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<Map<_, _>>().into()
}

#[actix_web::test]
async fn metadata_is_an_object_of_short_texts() {
    let node = node().await;
    let call = call("authorize");
    let (kind, large, card) = (
        (400, "field_type_invalid", "/metadata"),
        (422, "metadata_too_large", "/metadata"),
        (422, "card_number_not_allowed", "/metadata"),
    );
    let of_k = (400, "field_type_invalid", "/metadata/k");
    let mut cases: Vec<(Value, (u16, &str, &str))> = vec![
        (many_texts(51), large),
        (many_texts(1_000), large),
        (json!({"k": "v".repeat(501)}), large),
        (json!({"k": "\u{1f4b3}".repeat(501)}), large),
        (json!({"k".repeat(41): "v"}), large),
        (json!({"\u{fc}".repeat(41): "v"}), large),
        (json!({"a/b": 1}), (400, "field_type_invalid", "/metadata/a~1b")),
        (json!({"a~b": 1}), (400, "field_type_invalid", "/metadata/a~0b")),
        (json!({"": 1}), (400, "field_type_invalid", "/metadata/")),
        (json!({"k": "\u{0}"}), kind),
        (json!({"\u{1b}": "v"}), kind),
        // The name is not said back.
        (json!({"4111111111111111": 1}), kind),
    ];
    cases.extend(["", "text", "{}"].map(|value| (json!(value), kind)));
    cases.extend([json!(1), json!(true), json!([]), json!([{"k": "v"}])].map(|value| (value, kind)));
    let values = [json!(null), json!(1), json!(1.5), json!(true), json!([]), json!(["v"]), json!({"deep": "v"})];
    cases.extend(values.map(|value| (json!({ "k": value }), of_k)));
    for number in CARDS.iter().filter(|number| !number.contains('\\')) {
        cases.extend([(json!({ "pan": number }), card), (json!({ *number: "pan" }), card)]);
    }
    for (metadata, (status, code, pointer)) in cases {
        let mut body = call.body.clone().unwrap();
        body["metadata"] = metadata;
        let answer = call.send(&node, body.to_string()).await;
        let shown: String = body["metadata"].to_string().chars().take(60).collect();
        refused(&answer, &call.path, status, code, Some(pointer), &shown);
        assert!(!answer.text.contains("4111"), "a card number is never said back: {}", answer.text);
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn what_is_just_allowed_is_taken() {
    let node = node().await;
    for (place, (member, value)) in [
        ("merchantId", json!("M")),
        ("merchantId", json!("Az09_-".repeat(5) + "Az")),
        ("merchantId", json!("_")),
        ("amount", json!(1)),
        ("amount", json!(1_000_000_000_000_i64)),
        ("currency", json!("USD")),
        ("currency", json!("KWD")),
        ("idempotencyKey", json!(" ")),
        ("idempotencyKey", json!("~")),
        ("idempotencyKey", json!("k".repeat(255))),
        ("idempotencyKey", json!("\"quoted\"")),
        ("description", json!("")),
        ("description", json!("x".repeat(500))),
        ("description", json!("\u{1f4b3}".repeat(500))),
        ("description", json!("a\tb\r\nc")),
        ("description", json!("4111 1111 1111 1112")),
        ("metadata", many_texts(50)),
        ("metadata", json!({"k".repeat(40): "\u{fc}".repeat(500)})),
        ("metadata", json!({"": ""})),
        ("metadata", json!({"__proto__": "x", "\u{1f4b3}": "\u{202e}"})),
        ("captureMode", json!("manual")),
        ("captureMode", json!("automatic")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = json!({"merchantId": "MERCHANT-1", "amount": 100, "currency": "KRW"});
        body["idempotencyKey"] = json!(format!("key {place}"));
        body[member] = value;
        let paid = node.post("/payments/authorize", &body).await.expect(200).json();
        for name in ["merchantId", "currency", "amount"] {
            assert_eq!(paid[name], body[name], "{body}");
        }
        if member == "metadata" {
            assert_eq!(paid["metadata"], body["metadata"]);
        }
    }
    node.audit().await;
}

#[actix_web::test]
async fn all_that_is_wrong_is_said_at_once_in_order() {
    let node = node().await;
    let body = json!({"merchantId": "", "amount": 1.5, "currency": "krw", "idempotencyKey": "k", "a/b": 1});
    let problem = node.post("/payments/authorize", &body).await.expect_problem(400, "unknown_field").json();
    let errors = problem["errors"].as_array().unwrap();
    let said: Vec<_> = errors.iter().map(|error| (error["pointer"].as_str(), error["code"].as_str())).collect();
    let expected = [
        ("/a~1b", "unknown_field"),
        ("/merchantId", "merchant_id_invalid"),
        ("/amount", "amount_not_integer"),
        ("/currency", "currency_unsupported"),
    ];
    assert_eq!(said, expected.map(|(pointer, code)| (Some(pointer), Some(code))));
    assert!(
        errors[1..].iter().all(|error| error["detail"].as_str().is_some_and(|rule| !rule.is_empty())),
        "{problem:#}"
    );
    // The first one's code and status count.
    let body = json!({"merchantId": "MERCHANT-1", "amount": 0, "currency": 7, "idempotencyKey": "", "description": 1,
        "metadata": 1, "captureMode": 1});
    let problem = node.post("/payments/authorize", &body).await.expect_problem(422, "amount_invalid").json();
    let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/amount", "/currency", "/idempotencyKey", "/description", "/metadata", "/captureMode"]);
    assert_eq!(problem["errors"][0]["minimum"], 1);
    assert_eq!(problem["errors"][5]["allowed"], json!(["manual", "automatic"]));
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn bad_changes_leave_the_payment_as_it_is() {
    let node = TestNode::start().await;
    let (open, paid) = (node.authorize(100).await, node.captured(100).await);
    let before = (node.look_up(&open).await, node.look_up(&paid).await);
    for (operation, payment, more, status, code) in [
        ("capture", &open, json!({"amount": 101}), 422, "capture_exceeds_authorized"),
        ("capture", &open, json!({"amount": 1_000_000_000_000_i64}), 422, "capture_exceeds_authorized"),
        ("refund", &open, json!({"amount": 1, "idempotencyKey": "r"}), 409, "payment_state_conflict"),
        ("refund", &open, json!({}), 409, "payment_state_conflict"),
        ("refund", &paid, json!({"amount": 101, "idempotencyKey": "r"}), 422, "refund_exceeds_captured"),
        ("void", &paid, json!({}), 409, "payment_state_conflict"),
        ("capture", &paid, json!({}), 409, "payment_state_conflict"),
        ("capture", &paid, json!({"amount": 1}), 409, "payment_state_conflict"),
    ] {
        let mut body = json!({"merchantId": payment.merchant});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = node.post(&format!("/payments/{operation}/{}", payment.id), &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{operation} {body}");
        let problem = answer.json();
        match code {
            "capture_exceeds_authorized" => assert_eq!(problem["capturable"], 100),
            "refund_exceeds_captured" => assert_eq!(problem["refundable"], 100),
            _ => assert!(problem["paymentStatus"].is_string(), "{problem:#}"),
        }
    }
    // The members that are wrong in themselves, with a payment that is there.
    for (operation, payment) in [("capture", &open), ("void", &open), ("refund", &paid)] {
        for (member, wrong) in members(operation) {
            for (text, status, code) in wrong {
                let sound = json!({"merchantId": payment.merchant, "idempotencyKey": "another"});
                let path = format!("/payments/{operation}/{}", payment.id);
                let answer = node.post_raw(&path, "application/json", spoiled(sound, member, &text)).await;
                refused(&answer, &path, status, code, Some(&format!("/{member}")), member);
            }
        }
    }
    assert_eq!((node.look_up(&open).await, node.look_up(&paid).await), before);
}

#[actix_web::test]
async fn a_null_amount_is_told_where_it_may_come_from() {
    let node = TestNode::start().await;
    let (open, paid) = (node.authorize(100).await, node.captured(100).await);
    for (operation, payment) in [("capture", &open), ("refund", &paid)] {
        let body = json!({"merchantId": payment.merchant, "amount": null, "idempotencyKey": "n"});
        let answer = node.post(&format!("/payments/{operation}/{}", payment.id), &body).await;
        let problem = answer.expect_problem(400, "amount_not_integer").json();
        assert!(problem["detail"].as_str().unwrap().contains("NaN"), "{problem:#}");
    }
    assert_eq!(node.look_up(&open).await["status"], "AUTHORIZED");
    assert_eq!(node.look_up(&paid).await["amounts"]["refunded"], 0);
}

#[actix_web::test]
async fn the_largest_amount_is_said_to_who_asks_for_more() {
    let node = TestNode::start_with(&[("PAYMENT__AMOUNT_MAX", "5000")]).await;
    let mut body = json!({"merchantId": "MERCHANT-1", "amount": 5_001, "currency": "KRW", "idempotencyKey": "k"});
    let problem = node.post("/payments/authorize", &body).await.expect_problem(422, "amount_too_large").json();
    assert!(problem["detail"].as_str().unwrap().contains("5000"), "{problem:#}");
    assert_eq!((&problem["errors"][0]["minimum"], &problem["errors"][0]["maximum"]), (&json!(1), &json!(5_000)));
    body["amount"] = json!(5_000);
    node.post("/payments/authorize", &body).await.expect(200);
}

#[actix_web::test]
async fn a_refunds_missing_key_is_told_with_all_else() {
    let node = TestNode::start().await;
    let paid = node.captured(100).await;
    let refund = async |body: Value| {
        let problem = node.post(&format!("/payments/refund/{}", paid.id), &body).await.expect(400).json();
        let errors = problem["errors"].as_array().unwrap().iter();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(refund(json!({"amount": 1})).await, ["/merchantId", "/idempotencyKey"]);
    assert_eq!(
        refund(json!({"merchantId": "MERCHANT-1", "amount": 1, "reason": 7})).await,
        ["/reason", "/idempotencyKey"]
    );
    // An amount that is wrong is one, too.
    assert_eq!(refund(json!({"merchantId": "MERCHANT-1", "amount": 1.5})).await, ["/amount", "/idempotencyKey"]);
    assert_eq!(refund(json!({"merchantId": "MERCHANT-1", "reason": 7})).await, ["/reason"]);
    assert_eq!(
        refund(json!({"merchantId": "MERCHANT-1", "amount": 1, "idempotencyKey": 7})).await,
        ["/idempotencyKey"]
    );
}

/// What is the same for all payments that a caller cannot see.
fn unseen(answer: Answer) -> Value {
    let mut problem = answer.expect_problem(404, "payment_not_found").json();
    for of_the_request in ["requestId", "instance"] {
        problem.as_object_mut().unwrap().remove(of_the_request);
    }
    problem
}

#[actix_web::test]
async fn payments_that_one_may_not_see_all_look_the_same() {
    let node = TestNode::start().await;
    let foreign = node.authorize_for("MERCHANT-3", 100).await;
    let seen_by = |id: &str| Payment { id: id.to_owned(), merchant: "MERCHANT-1".to_owned() };
    let unknown = unseen(node.capture(&seen_by(NOBODYS), json!({})).await);
    for id in [foreign.id.as_str(), "pay_1", "1", "PAY_0000000000001", "pay_0000000000001'--"] {
        assert_eq!(unseen(node.capture(&seen_by(id), json!({})).await), unknown, "{id}");
        assert_eq!(unseen(node.void(&seen_by(id), json!({})).await), unknown, "{id}");
        assert_eq!(unseen(node.refund(&seen_by(id), json!({})).await), unknown, "{id}");
    }
    assert_eq!(unseen(node.get(&format!("/payments/{NOBODYS}")).await), unknown);
    assert_eq!(unseen(node.get("/payments/nonsense/timeline").await), unknown);
    assert_eq!(node.look_up(&foreign).await["status"], "AUTHORIZED");
}
