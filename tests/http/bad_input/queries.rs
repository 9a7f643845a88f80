//! Parameters of queries: unknown, given twice, of a wrong form, at their limits and beyond.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use serde_json::json;

use super::{NOBODYS, calls, node, nothing_has_changed, refused};
use crate::http_tests::node::TestNode;

/// A path with one parameter more; `text` is encoded already.
fn with(path: &str, name: &str, text: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{name}={text}")
}

#[actix_web::test]
async fn parameters_that_nobody_knows_are_refused_by_every_operation() {
    let node = node().await;
    for mut call in calls() {
        let sound = call.path.clone();
        for query in
            ["color=red", "Limit=5", "LIMIT=5", "merchantid=MERCHANT-1", "x", "%00=1", "%ff=1", "limit%5B%5D=5"]
        {
            let separator = if sound.contains('?') { '&' } else { '?' };
            call.path = format!("{sound}{separator}{query}");
            let answer = call.send_sound(&node).await;
            refused(&answer, &call.path, 400, "unknown_parameter", None, query);
        }
    }
    nothing_has_changed(&node).await;
}

/// What an operation takes is in the answer, for people and for programs.
#[actix_web::test]
async fn a_parameter_that_is_wrong_is_named_with_what_it_takes() {
    let node = node().await;
    let list = "/payments?merchantId=MERCHANT-1";
    let all_statuses = ["AUTHORIZING", "AUTHORIZED", "DECLINED", "UNKNOWN", "CAPTURE_REQUESTED", "CAPTURED"];
    for (path, parameter, allowed, says) in [
        (format!("{list}&limit=%2B1"), "limit", &[][..], "1 to 100"),
        (format!("{list}&limit=101"), "limit", &[], "1 to 100"),
        (format!("{list}&status=PAID"), "status", &all_statuses, "`CAPTURED`"),
        (format!("{list}&createdAfter=now"), "createdAfter", &[], "2026-11-23T09:30:00Z"),
        (format!("{list}&createdAfter=2026-01-01T00:00:00Z&createdBefore=now"), "createdBefore", &[], "RFC 3339"),
        (format!("{list}&createdBefore=2026-11-23T09:30:00+09:00"), "createdBefore", &[], "`%2B`"),
        (format!("{list}&startingAfter=7"), "startingAfter", &[], "^pay_"),
        (format!("{list}&endingBefore={NOBODYS}"), "endingBefore", &[], "none of what the list shows"),
        (format!("{list}&startingAfter=pay_1&endingBefore=pay_1"), "startingAfter", &[], "^pay_"),
        ("/payments".to_owned(), "merchantId", &[], "{1,32}"),
        (format!("{list}&color=red"), "color", &["merchantId", "status", "limit"], "`color` is not known"),
        (format!("{list}&limit=1&limit=1"), "limit", &[], "twice"),
        (format!("/payments/{NOBODYS}?expand=all"), "expand", &[], "refunds"),
        (format!("/payments/{NOBODYS}?expand=events&startingAfter=x"), "startingAfter", &[], "`expand` names"),
        (format!("/payments/{NOBODYS}/timeline?startingAfter=x"), "startingAfter", &[], "[0-9]"),
        ("/admin/dead-letters?topic=x".to_owned(), "topic", &["refund.dlq"], "`payment.dlq`"),
        ("/admin/dead-letters?status=x".to_owned(), "status", &["discarded"], "`open`"),
        ("/healthz?x=1".to_owned(), "x", &[], "takes none"),
    ] {
        let answer = node.get(&path).await;
        assert_eq!(answer.status, 400, "{path}");
        let problem = answer.json();
        let error = &problem["errors"][0];
        assert_eq!((&error["parameter"], &error["code"]), (&json!(parameter), &problem["code"]), "{path}: {problem:#}");
        assert!(error["pointer"].is_null(), "{problem:#}");
        let detail = problem["detail"].as_str().unwrap_or_else(|| panic!("{path}: {problem:#}"));
        assert!(detail.contains(says) && error["detail"] == detail, "{path}: {problem:#}");
        let named = error["allowed"].as_array().cloned().unwrap_or_default();
        assert!(allowed.iter().all(|name| named.contains(&json!(name))), "{path}: {problem:#}");
        if parameter == "limit" && says != "twice" {
            assert_eq!((&error["minimum"], &error["maximum"]), (&json!(1), &json!(100)), "{path}");
        }
    }
}

/// Bounds of finer digits than payments have are still right: what is earlier than them is, and what is later.
#[actix_web::test]
async fn times_finer_than_milliseconds_bound_as_they_are() {
    let node = TestNode::start().await;
    let payment = node.authorize(100).await;
    let at = node.look_up(&payment).await["requestedAt"].as_str().unwrap().to_owned();
    let time = chrono::DateTime::parse_from_rfc3339(&at).unwrap();
    let moved =
        |us: i64| (time + chrono::Duration::microseconds(us)).to_utc().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    for (parameter, us, is_listed) in [
        ("createdBefore", 0, false),
        ("createdBefore", 1, true),
        ("createdBefore", 999, true),
        ("createdBefore", 1_000, true),
        ("createdBefore", -1, false),
        ("createdAfter", 0, false),
        ("createdAfter", 1, false),
        ("createdAfter", -1, true),
        ("createdAfter", -999, true),
        ("createdAfter", -1_000, true),
        ("createdAfter", -1_001, true),
    ] {
        let path = format!("/payments?merchantId=MERCHANT-1&{parameter}={}", moved(us));
        let listed = node.get(&path).await.expect(200).json()["data"].as_array().unwrap().len();
        assert_eq!(listed, usize::from(is_listed), "{at} {path}");
    }
}

#[actix_web::test]
async fn card_numbers_in_queries_are_refused_and_not_said_back() {
    let node = node().await;
    let card = "4111111111111111";
    for (path, code, parameter) in [
        (format!("/payments?merchantId={card}"), "card_number_not_allowed", "merchantId"),
        (format!("/payments?merchantId=M&status={card}"), "card_number_not_allowed", "status"),
        (format!("/payments?merchantId=M&limit={card}"), "card_number_not_allowed", "limit"),
        ("/payments?merchantId=M&startingAfter=4111+1111%A01111-1111".to_owned(), "cursor_invalid", "startingAfter"),
        (
            "/payments?merchantId=M&status=4111%C2%A01111%C2%A01111%C2%A01111".to_owned(),
            "card_number_not_allowed",
            "status",
        ),
        (format!("/admin/dead-letters?errorType={card}"), "card_number_not_allowed", "errorType"),
        (format!("/admin/dead-letters?sourceTopic=%34{}", &card[1..]), "card_number_not_allowed", "sourceTopic"),
        (format!("/payments?merchantId=M&{card}=1"), "unknown_parameter", ""),
        (format!("/healthz?{card}"), "unknown_parameter", ""),
    ] {
        let status = if code == "card_number_not_allowed" { 422 } else { 400 };
        let answer = node.get(&path).await.expect_problem(status, code);
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{path}");
        assert!(!answer.text.contains("4111") && !answer.text.contains("1111"), "{path}: {}", answer.text);
    }
}

#[actix_web::test]
async fn card_numbers_in_paths_are_refused_and_not_said_back() {
    let node = TestNode::start().await;
    let mut visited = 0;
    let document = node.get("/openapi.json").await.expect(200).json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some((before, rest)) = path.split_once('{') else { continue };
        let (_, after) = rest.split_once('}').unwrap();
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for card in ["4111111111111111", "M4111-1111-1111-1111", "378282246310005"] {
                let answer =
                    node.request(method.clone(), &format!("{before}{card}{after}")).json(&json!({})).send().await;
                assert!(answer.status >= 400, "{method} {path}: {answer:?}");
                assert!(!answer.text.contains(card), "{method} {path}: {answer:?}");
                visited += 1;
            }
        }
    }
    assert!(visited > 20, "{visited}");
    for path in ["/merchants/4111111111111111/balances", "/merchants/4111111111111111/entries"] {
        node.get(path).await.expect_problem(422, "card_number_not_allowed");
    }
}

#[actix_web::test]
async fn every_parameter_may_be_given_once() {
    let node = node().await;
    let document = node.document().await;
    for call in calls() {
        let operation = document.operation(&call.method, &call.path).unwrap();
        for name in operation.parameters("query").keys() {
            let path = call.path.split('?').next().unwrap();
            let twice = with(&with(path, name, "1"), name, "1");
            refused(&node.get(&twice).await, &twice, 400, "unknown_parameter", None, name);
        }
    }
    nothing_has_changed(&node).await;
}

const LIMITS: [&str; 24] = [
    "0",
    "-0",
    "101",
    "1000",
    "-1",
    "%2B5",
    "%205",
    "5%20",
    "+5",
    "1.0",
    "1.5",
    "1e1",
    "0x10",
    "",
    "%20",
    "five",
    "null",
    "true",
    "4294967296",
    "99999999999999999999",
    "%D9%A5",
    "%EF%BC%95",
    "5%00",
    "5,6",
];
const TIMES: [&str; 20] = [
    "",
    "1",
    "1764000000000",
    "now",
    "yesterday",
    "2026",
    "2026-11-23",
    "2026-11-23T09:30",
    "2026-11-23T09:30:00",
    "2026-11-23T25:00:00Z",
    "2026-11-23T09:60:00Z",
    "2026-13-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-11-31T00:00:00Z",
    "26-11-23T09:30:00Z",
    "2026-11-23T09:30:00%2B24:00",
    "2026-11-23T09:30:00+09:00x",
    "%202026-11-23T09:30:00Z",
    "23.11.2026",
    "Mon,%2023%20Nov%202026%2009:30:00%20GMT",
];
/// Texts that are no id of whatever kind.
const NO_IDS: [&str; 14] = [
    "",
    "%20",
    "1",
    "0",
    "-1",
    "pay_",
    "pay_1",
    "pay_000000000000",
    "pay_00000000000001",
    "pay_000000000000I",
    "pay_8000000000000",
    "PAY_0000000000001",
    "pay-0000000000001",
    "pay_0000000000001%00",
];
const KINDS: [&str; 7] = ["pay", "cap", "ref", "evt", "ent", "dlq", "act"];

fn ids_but(kind: &str) -> Vec<String> {
    let others = KINDS.into_iter().filter(|other| *other != kind).map(|other| format!("{other}_0000000000001"));
    NO_IDS.map(str::to_owned).into_iter().chain(others).collect()
}

/// What a parameter must not be, and the code.
type Wrong = Vec<(String, &'static str)>;

fn of(texts: &[&str], code: &'static str) -> Wrong {
    texts.iter().map(|text| ((*text).to_owned(), code)).collect()
}

/// The wrong values of every parameter of an operation.
fn parameters(operation: &str) -> BTreeMap<&'static str, Wrong> {
    let limits = || ("limit", of(&LIMITS, "limit_invalid"));
    let cursor = |name, kind: &str| (name, ids_but(kind).into_iter().map(|id| (id, "cursor_invalid")).collect());
    let merchants = ["", "%20", "a%20b", "a%2Fb", "M%C3%9C", "%00", "%ff", "MERCHANT-1,MERCHANT-2", &"M".repeat(33)];
    let statuses =
        ["", "PAID", "captured", "Captured", "%20CAPTURED", "CAPTURED,", ",CAPTURED", "CAPTURED;VOIDED", "*"];
    match operation {
        "list" => [
            ("merchantId", of(&merchants, "merchant_id_invalid")),
            ("status", of(&statuses, "status_invalid")),
            (
                "merchantReference",
                of(&["", "%20", "a%20b", "a%00", "%C3%9C", &"r".repeat(65)], "merchant_reference_invalid"),
            ),
            ("createdAfter", of(&TIMES, "time_invalid")),
            ("createdBefore", of(&TIMES, "time_invalid")),
            limits(),
            cursor("startingAfter", "pay"),
            cursor("endingBefore", "pay"),
        ]
        .into(),
        "listRefunds" => [
            ("merchantId", of(&merchants, "merchant_id_invalid")),
            ("status", of(&statuses, "status_invalid")),
            ("createdAfter", of(&TIMES, "time_invalid")),
            ("createdBefore", of(&TIMES, "time_invalid")),
            limits(),
            cursor("startingAfter", "ref"),
            cursor("endingBefore", "ref"),
        ]
        .into(),
        "lookUpRefund" => [("merchantId", of(&merchants, "merchant_id_invalid"))].into(),
        "balances" => [("at", of(&TIMES, "time_invalid"))].into(),
        "listEntries" => [
            ("at", of(&TIMES, "time_invalid")),
            limits(),
            cursor("startingAfter", "ent"),
            cursor("endingBefore", "ent"),
        ]
        .into(),
        "lookUp" => {
            let expansions = ["", ",", "refunds,", ",refunds", "Refunds", "refund", "all", "*"];
            let expansions = expansions.iter().chain(&["refunds;ledger", "refunds%20ledger"]);
            let expansions = expansions.map(|text| ((*text).to_owned(), "expand_invalid")).collect();
            let mut all: BTreeMap<_, _> = [("expand", expansions), limits()].into();
            // Nothing is expanded of which a cursor could be.
            let (name, mut cursors): (_, Wrong) = cursor("startingAfter", "");
            cursors.push(("ref_0000000000001".to_owned(), "cursor_invalid"));
            all.insert(name, cursors);
            all
        }
        "timeline" => {
            let places = ["", "-1", "%2B1", "1.5", "1e1", "x", "0x1", "%D9%A5", "1%20", "10000000000", NOBODYS];
            [limits(), ("startingAfter", of(&places, "cursor_invalid"))].into()
        }
        "deadLetters" => {
            let topics = ["", "payment", "payment.captured", "PAYMENT.DLQ", "payment.dlq%20", "ledger.dlq", "*"];
            let statuses = ["", "Open", "OPEN", "closed", "open,redriven", "*"];
            [
                limits(),
                ("topic", of(&topics, "topic_invalid")),
                ("status", of(&statuses, "status_invalid")),
                cursor("startingAfter", "dlq"),
                // Any text: what nothing has is found nowhere.
                ("errorType", Wrong::new()),
                ("sourceTopic", Wrong::new()),
            ]
            .into()
        }
        "operatorActions" => [limits()].into(),
        _ => BTreeMap::new(),
    }
}

#[actix_web::test]
async fn every_parameter_of_a_wrong_form_is_refused() {
    let node = node().await;
    let document = node.document().await;
    for call in calls() {
        let operation = document.operation(&call.method, &call.path).unwrap();
        let table = parameters(call.operation);
        let described: BTreeSet<_> = operation.parameters("query").into_keys().collect();
        assert_eq!(described, table.keys().copied().collect(), "{}", call.operation);
        for (name, wrong) in table {
            for (text, code) in wrong {
                let path = if name == "merchantId" { call.path.split('?').next().unwrap() } else { &call.path };
                let path = with(path, name, &text);
                refused(&node.get(&path).await, &path, 400, code, None, name);
            }
        }
    }
    nothing_has_changed(&node).await;
}

#[actix_web::test]
async fn what_is_just_allowed_is_listed() {
    let node = TestNode::start().await;
    let payment = node.captured(100).await;
    let list = "/payments?merchantId=MERCHANT-1";
    let (id, shown) = (&payment.id, format!("/payments/{}", payment.id));
    for path in [
        format!("{list}&limit=1"),
        format!("{list}&limit=100"),
        format!("{list}&status=CAPTURED&limit=20"),
        format!("{list}&status=VOIDED,CAPTURED,CAPTURED&merchantReference={}", "~".repeat(64)),
        "/refunds?merchantId=M&status=FAILED,REQUESTED&limit=100".to_owned(),
        "/merchants/M/balances?at=9999-12-31T23:59:59Z".to_owned(),
        "/merchants/M/entries?at=0001-01-01T00:00:00Z&limit=1".to_owned(),
        format!("{list}&createdAfter=2026-11-23T09:30:00Z&createdBefore=2999-11-23T09:30:00.123456Z"),
        format!("{list}&createdAfter=2026-11-23T09:30:00%2B09:00"),
        format!("{list}&createdAfter=1970-01-01T00:00:00Z"),
        format!("{list}&createdAfter=0001-01-01T00:00:00Z&createdBefore=9999-12-31T23:59:59Z"),
        format!("{list}&startingAfter={id}"),
        format!("{list}&endingBefore={id}"),
        "/payments?merchantId=M".to_owned(),
        format!("/payments?merchantId={}", "M".repeat(32)),
        "/payments?%6DerchantId=MERCHANT%2D1".to_owned(),
        "/payments?merchantId=MERCHANT-1&".to_owned(),
        format!("{shown}?expand=refunds,ledger,events&limit=1"),
        format!("{shown}?expand=refunds&limit=100&startingAfter=ref_0000000000001"),
        format!("{shown}?expand=ledger&startingAfter=ent_0000000000001"),
        format!("{shown}?expand=events&startingAfter=evt_0000000000001"),
        format!("{shown}/timeline?limit=1"),
        format!("{shown}/timeline?limit=100&startingAfter=0"),
        format!("{shown}/timeline?startingAfter=999999999"),
        "/admin/dead-letters?limit=100&topic=refund.dlq&status=discarded&errorType=%00&sourceTopic=".to_owned(),
        "/admin/dead-letters?startingAfter=dlq_7ZZZZZZZZZZZZ".to_owned(),
        "/admin/actions?limit=100".to_owned(),
    ] {
        node.get(&path).await.expect(200);
    }
}

#[actix_web::test]
async fn a_cursor_is_of_the_merchants_own() {
    let node = TestNode::start().await;
    let payment = node.authorize(100).await;
    // Of a merchant in the same bucket, so that only the database tells them apart.
    let neighbour = node.authorize_for("MERCHANT-1025", 100).await;
    let list = "/payments?merchantId=MERCHANT-1";
    for path in [
        format!("{list}&startingAfter={}", neighbour.id),
        format!("{list}&endingBefore={}", neighbour.id),
        format!("{list}&startingAfter={NOBODYS}"),
        format!("/payments?merchantId=MERCHANT-1024&startingAfter={NOBODYS}"),
        format!("/payments?merchantId=MERCHANT-2&startingAfter={}", payment.id),
        format!("{list}&endingBefore={}", payment.id.to_lowercase()),
        format!("{list}&endingBefore={}&startingAfter={}", payment.id, payment.id),
        format!("/payments/{}?expand=refunds,events&startingAfter=ref_0000000000001", payment.id),
        format!("/payments/{}?expand=events&startingAfter=ref_0000000000001", payment.id),
        format!("/payments/{}?expand=ledger&startingAfter={}", payment.id, payment.id),
    ] {
        refused(&node.get(&path).await, &path, 400, "cursor_invalid", None, "");
    }
    let listed = node.get(&format!("{list}&startingAfter={}", payment.id)).await.expect(200).json();
    assert_eq!(listed, json!({"data": [], "hasMore": false}));
}
