//! What answers carry, beyond their codes.

use std::collections::BTreeMap as Map;

use serde_json::{Value, json};

use crate::node::{Answer, Payment, TestNode, eventually, order};

#[tokio::test]
async fn a_payment_has_its_documented_members() {
    let shop = TestNode::start().await;
    let mut body = order("MERCHANT-1", 1_000);
    body["metadata"] = json!({"order": "7"});
    body["description"] = json!("two chairs");
    let payment = shop.post("/payments/authorize", &body).await.expect(200).json();
    for member in [
        "paymentId",
        "merchantId",
        "status",
        "currency",
        "amounts",
        "amount",
        "requestedAt",
        "updatedAt",
        "captureBefore",
        "pspReference",
        "metadata",
        "message",
    ] {
        assert!(!payment[member].is_null(), "{member}: {payment:#}");
    }
    let amounts = json!({"authorized": 1_000, "captured": 0, "capturable": 1_000, "refunded": 0, "refundable": 0});
    assert_eq!(payment["amounts"], amounts);
    assert_eq!(payment["metadata"], json!({"order": "7"}));
    let id = payment["paymentId"].as_str().unwrap();
    assert!(id.starts_with("pay_") && id.len() == 17);
    assert!(payment["requestedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(shop.get(&format!("/payments/{id}")).await.expect(200).json(), payment);
    assert_eq!(shop.get(&format!("/api/payments/{id}")).await.expect(200).json(), payment);
    shop.post("/api/payments/authorize", &order("MERCHANT-1", 1_000)).await.expect(200);
}

#[tokio::test]
async fn a_request_keeps_its_id_and_its_trace() {
    let shop = TestNode::start().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = shop
        .http
        .post(format!("{}/payments/authorize", shop.url))
        .header("X-Request-Id", "shop-42")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .json(&order("MERCHANT-1", 1_000));
    let answer = shop.send(request).await.expect(200);
    assert_eq!(answer.header("x-request-id"), Some("shop-42"));
    let id = answer.json()["paymentId"].as_str().unwrap().to_owned();
    let timeline = shop.get(&format!("/payments/{id}/timeline")).await.expect(200).json();
    let entries = timeline["entries"].as_array().unwrap();
    assert!(entries.len() >= 4 && entries.iter().all(|entry| entry["traceId"] == trace), "{timeline:#}");

    let refused = shop.send(shop.http.get(format!("{}/nowhere", shop.url)).header("X-Request-Id", "bad id!")).await;
    let given = refused.header("x-request-id").unwrap().to_owned();
    assert!(given.starts_with("req_"));
    let problem = refused.expect_problem(404, "not_found").json();
    assert_eq!((&problem["requestId"], &problem["instance"]), (&json!(given), &json!("/nowhere")));
    let meaning = shop.get(problem["type"].as_str().unwrap()).await.expect(200).json();
    assert_eq!(meaning["code"], "not_found");
}

#[tokio::test]
async fn operators_find_health_and_the_tree() {
    let shop = TestNode::start().await;
    shop.captured(1_000).await;
    assert_eq!(shop.get("/healthz").await.expect(200).json()["status"], "up");
    // On a busy machine a store may be late once, which is told for a second.
    eventually("all capabilities are up", async || {
        let ready = shop.get("/readyz").await.expect(200).json();
        let is_up = |capability| ready["capabilities"][capability]["status"] == "up";
        ["authorize", "settle", "refund", "publish"].into_iter().all(is_up).then_some(())
    })
    .await;
    let tree = shop.get("/admin/actors").await.expect(200).json();
    assert_eq!(
        (&tree["kind"], &tree["name"], &tree["state"]),
        (&json!("supervisor"), &json!("rialto"), &json!("running"))
    );
}

#[tokio::test]
async fn an_operator_can_force_a_breaker() {
    let shop = TestNode::start().await;
    let put = async |state: serde_json::Value| {
        let url = format!("{}/admin/breakers/psp", shop.url);
        shop.send(shop.http.put(url).json(&json!({ "state": state }))).await.expect(200).json()
    };
    assert_eq!(put(json!("open")).await["state"], "forced_open");
    shop.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await.expect_problem(503, "psp_unavailable");
    assert_eq!(put(json!(null)).await["state"], "closed");
    shop.authorize(1_000).await;
    let url = format!("{}/admin/breakers/nothing", shop.url);
    shop.send(shop.http.put(url).json(&json!({"state": "open"}))).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn the_document_and_its_page_come_from_the_program() {
    let shop = TestNode::start().await;
    let document = shop.get("/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["paths"]["/payments/authorize"]["post"].is_object());
    let page = shop.get("/docs").await.expect(200);
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    assert_eq!(shop.get("/docs/").await.expect(200).text, page.text);
    // All that the page asks for comes from the node, so that it works without a network.
    let asked_for: Vec<_> =
        page.text.split(['"', '\'']).filter(|text| text.ends_with(".js") || text.ends_with(".css")).collect();
    assert!(asked_for.len() >= 4, "{asked_for:?}");
    for file in asked_for {
        assert!(!file.contains("//"), "{file}");
        shop.get(&format!("/docs/{file}")).await.expect(200);
    }
    let script = shop.get("/docs/swagger-ui-bundle.js").await.expect(200);
    assert!(script.text.len() > 100_000 && script.header("content-type").unwrap().contains("javascript"));
    assert!(shop.get("/docs/swagger-initializer.js").await.expect(200).text.contains("/openapi.json"));
    shop.get("/docs/nothing.js").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn every_code_of_the_document_is_explained() {
    let shop = TestNode::start().await;
    let document = shop.get("/openapi.json").await.expect(200).json();
    let codes = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap().clone();
    assert!(codes.len() > 30);
    for code in codes {
        let meaning = shop.get(&format!("/problems/{}", code.as_str().unwrap())).await.expect(200).json();
        assert_eq!(meaning["code"], code);
        assert!(meaning["title"].is_string() && meaning["about"].is_string() && meaning["retryable"].is_boolean());
    }
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let shop = TestNode::start().await;
    let document = shop.get("/openapi.json").await.expect(200).json();
    let check = |route: &str, method: &str, answer: &Answer| {
        let documented = &document["paths"][route][method]["responses"][answer.status.to_string()];
        let kind = answer.header("content-type").unwrap().split(';').next().unwrap();
        let schema = &documented["content"][kind]["schema"];
        assert!(schema.is_object(), "{method} {route} {} {kind}: not documented", answer.status);
        let fault = misfit(&document, schema, &answer.json());
        assert_eq!(fault, None, "{method} {route}: {}", answer.text);
        let headers = documented["headers"].as_object().unwrap();
        assert!(headers.contains_key("X-Request-Id"));
        for name in ["ratelimit", "ratelimit-policy", "idempotent-replayed", "retry-after"] {
            let is_documented = headers.keys().any(|header| header.eq_ignore_ascii_case(name));
            assert!(is_documented || answer.header(name).is_none(), "{method} {route} {}: {name}", answer.status);
        }
    };
    let mut body = order("MERCHANT-1", 1_000);
    body["metadata"] = json!({"order": "7"});
    let authorized = shop.post("/payments/authorize", &body).await.expect(200);
    check("/payments/authorize", "post", &authorized);
    check("/payments/authorize", "post", &shop.post("/payments/authorize", &body).await.expect(200));
    body["amount"] = json!(2_000);
    check("/payments/authorize", "post", &shop.post("/payments/authorize", &body).await.expect(422));
    body["amount"] = json!("2000");
    check("/payments/authorize", "post", &shop.post("/payments/authorize", &body).await.expect(400));
    let id = authorized.json()["paymentId"].as_str().unwrap().to_owned();
    let payment = Payment { id: id.clone(), merchant: "MERCHANT-1".to_owned() };
    let (capture, refund) = ("/payments/capture/{paymentId}", "/payments/refund/{paymentId}");
    check(capture, "post", &shop.capture(&payment, json!({"amount": 2_000})).await.expect(422));
    check(capture, "post", &shop.capture(&payment, json!({"amount": 900})).await.expect(200));
    shop.eventually(&payment, "CAPTURED").await;
    check("/payments/void/{paymentId}", "post", &shop.void(&payment, json!({})).await.expect(409));
    check(refund, "post", &shop.refund(&payment, json!({"amount": 1_000})).await.expect(422));
    check(refund, "post", &shop.refund(&payment, json!({"amount": 400, "reason": "torn"})).await.expect(200));
    shop.eventually(&payment, "PARTIALLY_REFUNDED").await;
    shop.ledger(&payment, 2).await;
    let all = shop.get(&format!("/payments/{id}?expand=refunds,ledger,events")).await.expect(200);
    assert!(["refunds", "ledger", "events"].iter().all(|part| !all.json()[part].as_array().unwrap().is_empty()));
    check("/payments/{paymentId}", "get", &all);
    check("/payments/{paymentId}", "get", &shop.get("/payments/none").await.expect(404));
    check("/payments/{paymentId}/timeline", "get", &shop.get(&format!("/payments/{id}/timeline")).await.expect(200));
    check("/payments", "get", &shop.get("/payments?merchantId=MERCHANT-1").await.expect(200));
    check("/payments", "get", &shop.get("/payments?limit=0").await.expect(400));
    for path in ["/healthz", "/readyz", "/admin/actors", "/admin/actors/dead-letters", "/admin/breakers"] {
        check(path, "get", &shop.get(path).await.expect(200));
    }
    check("/admin/dead-letters", "get", &shop.get("/admin/dead-letters?limit=5").await.expect(200));
    check(
        "/admin/faults",
        "post",
        &shop.post("/admin/faults", &json!({"actor": "x", "fault": "panic"})).await.expect(403),
    );
}

#[tokio::test]
async fn what_the_document_does_not_say_would_be_noticed() {
    let shop = TestNode::start().await;
    let document = shop.get("/openapi.json").await.expect(200).json();
    let payment = shop.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await.expect(200).json();
    let schema = json!({"$ref": "#/components/schemas/PaymentAnswer"});
    assert_eq!(misfit(&document, &schema, &payment), None);
    for (pointer, value) in [
        ("/amount", json!("1000")),
        ("/status", json!("PAID")),
        ("/amounts", json!({})),
        ("/captureBefore", json!(7)),
        ("", json!({"paymentId": "pay_0000000000001"})),
    ] {
        let mut other = payment.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert!(misfit(&document, &schema, &other).is_some(), "{pointer}");
    }
    let mut more = payment;
    more["pspSecret"] = json!("x");
    assert!(misfit(&document, &schema, &more).is_some());
}

/// Why a value is not what a schema says; the schema's members are all that there may be.
fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let mut members = Map::new();
    gather(document, schema, &mut members);
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().any(|choice| misfit(document, choice, value).is_none());
        return (!fits).then(|| format!("{value} is none of {choices:?}"));
    }
    let schema = match schema["$ref"].as_str() {
        Some(target) => return misfit(document, document.pointer(&target[1..]).unwrap(), value),
        None => schema,
    };
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Some(format!("{value} is none of {allowed:?}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = &schema["type"];
    if !(kinds.is_null() || kinds == kind || kinds.as_array().is_some_and(|kinds| kinds.contains(&json!(kind)))) {
        return Some(format!("{value} is no {kinds}"));
    }
    if let Some(items) = value.as_array() {
        return items.iter().find_map(|item| misfit(document, &schema["items"], item));
    }
    let object = value.as_object()?;
    if members.is_empty() {
        return object.values().find_map(|member| misfit(document, &schema["additionalProperties"], member));
    }
    if let Some((name, _)) = object.iter().find(|(name, _)| !members.contains_key(*name)) {
        return Some(format!("{name} is not documented"));
    }
    members.iter().find_map(|(name, (schemas, is_required))| match object.get(name) {
        Some(member) => {
            schemas.iter().find_map(|schema| Some(format!("{name}: {}", misfit(document, schema, member)?)))
        }
        None => is_required.then(|| format!("{name} is missing")),
    })
}

type Members = Map<String, (Vec<Value>, bool)>;

/// The members of a schema and of all that it is made of: what each has to be, and whether it has to be there.
fn gather(document: &Value, schema: &Value, members: &mut Members) {
    if let Some(target) = schema["$ref"].as_str() {
        return gather(document, document.pointer(&target[1..]).unwrap(), members);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, members);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        members.entry(name.clone()).or_default().0.push(member.clone());
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        members.entry(name.as_str().unwrap().to_owned()).or_default().1 = true;
    }
}
