//! What answers carry, beyond their codes.

use actix_web::http::Method;
use serde_json::json;

use super::document::misfit;
use super::node::{Payment, TestNode, eventually, order};

#[actix_web::test]
async fn a_payment_has_its_documented_members() {
    let node = TestNode::start().await;
    let mut body = order("MERCHANT-1", 1_000);
    body["metadata"] = json!({"order": "7"});
    body["description"] = json!("two chairs");
    let payment = node.post("/payments/authorize", &body).await.expect(200).json();
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
    assert_eq!(node.get(&format!("/payments/{id}")).await.expect(200).json(), payment);
    assert_eq!(node.get(&format!("/api/payments/{id}")).await.expect(200).json(), payment);
    node.post("/api/payments/authorize", &order("MERCHANT-1", 1_000)).await.expect(200);
}

#[actix_web::test]
async fn a_request_keeps_its_id_and_its_trace() {
    let node = TestNode::start().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = node
        .request(Method::POST, "/payments/authorize")
        .header("X-Request-Id", "node-42")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .json(&order("MERCHANT-1", 1_000));
    let answer = request.send().await.expect(200);
    assert_eq!(answer.header("x-request-id"), Some("node-42"));
    let id = answer.json()["paymentId"].as_str().unwrap().to_owned();
    let timeline = node.get(&format!("/payments/{id}/timeline")).await.expect(200).json();
    let entries = timeline["entries"].as_array().unwrap();
    assert!(entries.len() >= 4 && entries.iter().all(|entry| entry["traceId"] == trace), "{timeline:#}");

    let refused = node.request(Method::GET, "/nowhere").header("X-Request-Id", "bad id!").send().await;
    let given = refused.header("x-request-id").unwrap().to_owned();
    assert!(given.starts_with("req_"));
    let problem = refused.expect_problem(404, "not_found").json();
    assert_eq!((&problem["requestId"], &problem["instance"]), (&json!(given), &json!("/nowhere")));
    let meaning = node.get(problem["type"].as_str().unwrap()).await.expect(200).json();
    assert_eq!(meaning["code"], "not_found");
}

/// What a problem answers is said by every one: those that are stored say the same when they are replayed.
#[actix_web::test]
async fn every_problem_says_what_it_answers() {
    let node = TestNode::start_with(&[("PSP__SIMULATOR__MAGIC_AMOUNTS", "true")]).await;
    let payment = node.authorize(100).await;
    let capture = format!("/payments/capture/{}", payment.id);
    let excess = json!({"merchantId": payment.merchant, "amount": 101, "idempotencyKey": "much"});
    let first = node.post(&capture, &excess).await.expect_problem(422, "capture_exceeds_authorized");
    let again = node.post(&format!("/api{capture}"), &excess).await.expect(422);
    assert_eq!((&first.json()["instance"], &again.text), (&json!(capture), &first.text));
    let declined = order("MERCHANT-1", 4_002);
    let first = node.post("/payments/authorize", &declined).await.expect_problem(402, "payment_declined");
    let again = node.post("/payments/authorize", &declined).await.expect(402);
    assert_eq!((&first.json()["instance"], &again.text), (&json!("/payments/authorize"), &first.text));
    for path in ["/nowhere", "/payments/authorize", "/payments/1", "/docs/nothing.js", "/problems/none"] {
        assert_eq!(node.get(path).await.json()["instance"], path);
    }
    for (path, instance) in [
        ("/payments/4111111111111111", "/payments/{paymentId}"),
        ("/api/payments/4111-1111-1111-1111/timeline", "/api/payments/{paymentId}/timeline"),
        ("/payments/%34111111111111111", "/payments/{paymentId}"),
        ("/problems/4111111111111111", "/problems/{code}"),
        ("/4111111111111111", "/"),
    ] {
        let answer = node.get(path).await.expect(404);
        assert_eq!(answer.json()["instance"], instance);
        assert!(!answer.text.contains("1111"), "{}", answer.text);
    }
}

#[actix_web::test]
async fn operators_find_health_and_the_tree() {
    let node = TestNode::start().await;
    node.captured(1_000).await;
    assert_eq!(node.get("/healthz").await.expect(200).json()["status"], "up");
    // On a busy machine a store may be late once, which is told for a second.
    eventually("all capabilities are up", async || {
        let ready = node.get("/readyz").await.expect(200).json();
        let is_up = |capability| ready["capabilities"][capability]["status"] == "up";
        ["authorize", "settle", "refund", "publish"].into_iter().all(is_up).then_some(())
    })
    .await;
    let tree = node.get("/admin/actors").await.expect(200).json();
    assert_eq!(
        (&tree["kind"], &tree["name"], &tree["state"]),
        (&json!("supervisor"), &json!("rialto"), &json!("running"))
    );
}

#[actix_web::test]
async fn an_operator_can_force_a_breaker() {
    let node = TestNode::start().await;
    let put = async |state: serde_json::Value| {
        let order = json!({"state": state, "reason": "a test"});
        node.put("/admin/breakers/psp", &order).await.expect(200).json()
    };
    assert_eq!(put(json!("open")).await["state"], "forced_open");
    node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await.expect_problem(503, "psp_unavailable");
    assert_eq!(put(json!(null)).await["state"], "closed");
    node.authorize(1_000).await;
    node.put("/admin/breakers/nothing", &json!({"state": "open", "reason": "a test"}))
        .await
        .expect_problem(404, "not_found");
}

#[actix_web::test]
async fn the_document_and_its_page_come_from_the_program() {
    let node = TestNode::start().await;
    let document = node.get("/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["paths"]["/payments/authorize"]["post"].is_object());
    assert_eq!(node.get("/docs").await.expect(308).header("location"), Some("/docs/"));
    let page = node.get("/docs/").await.expect(200);
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    // All that the page asks for comes from the node, so that it works without a network.
    let asked_for: Vec<_> =
        page.text.split(['"', '\'']).filter(|text| text.ends_with(".js") || text.ends_with(".css")).collect();
    assert!(asked_for.len() >= 4, "{asked_for:?}");
    for file in asked_for {
        assert!(!file.contains("//"), "{file}");
        node.get(&format!("/docs/{}", file.trim_start_matches("./"))).await.expect(200);
    }
    let script = node.get("/docs/swagger-ui-bundle.js").await.expect(200);
    assert!(script.text.len() > 100_000 && script.header("content-type").unwrap().contains("javascript"));
    assert!(node.get("/docs/swagger-initializer.js").await.expect(200).text.contains("/openapi.json"));
    node.get("/docs/nothing.js").await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn every_code_of_the_document_is_explained() {
    let node = TestNode::start().await;
    let document = node.get("/openapi.json").await.expect(200).json();
    let codes = document["components"]["schemas"]["Code"]["enum"].as_array().unwrap().clone();
    assert!(codes.len() > 30);
    for code in codes {
        let meaning = node.get(&format!("/problems/{}", code.as_str().unwrap())).await.expect(200).json();
        assert_eq!(meaning["code"], code);
        assert!(meaning["title"].is_string() && meaning["about"].is_string() && meaning["retryable"].is_boolean());
    }
}

/// Each answer is held to the document where it is received: here are one of each kind.
#[actix_web::test]
async fn answers_are_as_the_document_says() {
    let node = TestNode::start().await;
    let mut body = order("MERCHANT-1", 1_000);
    body["metadata"] = json!({"order": "7"});
    let authorized = node.post("/payments/authorize", &body).await.expect(200);
    node.post("/payments/authorize", &body).await.expect(200);
    body["amount"] = json!(2_000);
    node.post("/payments/authorize", &body).await.expect(422);
    body["amount"] = json!("2000");
    node.post("/payments/authorize", &body).await.expect(400);
    let id = authorized.json()["paymentId"].as_str().unwrap().to_owned();
    let payment = Payment { id: id.clone(), merchant: "MERCHANT-1".to_owned() };
    node.capture(&payment, json!({"amount": 2_000})).await.expect(422);
    node.capture(&payment, json!({"amount": 900})).await.expect(200);
    node.eventually(&payment, "CAPTURED").await;
    node.void(&payment, json!({})).await.expect(409);
    node.refund(&payment, json!({"amount": 1_000})).await.expect(422);
    node.refund(&payment, json!({"amount": 400, "reason": "torn"})).await.expect(200);
    node.eventually(&payment, "PARTIALLY_REFUNDED").await;
    node.ledger(&payment, 2).await;
    let all = node.get(&format!("/payments/{id}?expand=refunds,ledger,events")).await.expect(200);
    assert!(["refunds", "ledger", "events"].iter().all(|part| !all.json()[part].as_array().unwrap().is_empty()));
    node.get("/payments/none").await.expect(404);
    node.get(&format!("/payments/{id}/timeline")).await.expect(200);
    node.get("/payments?merchantId=MERCHANT-1").await.expect(200);
    node.get("/payments?limit=0").await.expect(400);
    for path in ["/healthz", "/readyz", "/admin/actors", "/admin/actors/dead-letters", "/admin/breakers", "/metrics"] {
        node.get(path).await.expect(200);
    }
    node.get("/admin/dead-letters?limit=5").await.expect(200);
    node.post("/admin/faults", &json!({"actor": "x", "fault": "panic"})).await.expect(403);
}

#[actix_web::test]
async fn what_the_document_does_not_say_would_be_noticed() {
    let node = TestNode::start().await;
    let document = node.get("/openapi.json").await.expect(200).json();
    let payment = node.post("/payments/authorize", &order("MERCHANT-1", 1_000)).await.expect(200).json();
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
