//! Lists of a merchant's payments.

use std::time::Duration;

use serde_json::{Value, json};

use super::node::{TestNode, order};

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|payment| payment["paymentId"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn pages_show_every_payment_once_newest_first() {
    let node = TestNode::start().await;
    let mut made = Vec::new();
    for amount in 1..=25 {
        made.push(node.authorize(amount).await.id);
        node.authorize_for("MERCHANT-1025", amount).await;
    }
    made.reverse();
    let list =
        async |query: String| node.get(&format!("/payments?merchantId=MERCHANT-1&{query}")).await.expect(200).json();

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(format!("limit=10{cursor}")).await;
        seen.extend(ids(&page));
        if page["hasMore"] == false {
            break;
        }
        cursor = format!("&startingAfter={}", seen.last().unwrap());
    }
    assert_eq!(seen, made);

    // Back again, from the oldest.
    let (mut seen, mut cursor) = (made[24..].to_vec(), made[24].clone());
    loop {
        let page = list(format!("limit=7&endingBefore={cursor}")).await;
        seen.splice(0..0, ids(&page));
        if page["hasMore"] == false {
            break;
        }
        cursor = seen[0].clone();
    }
    assert_eq!(seen, made);
    let few = list(String::new()).await;
    assert_eq!((ids(&few), &few["hasMore"]), (made[..20].to_vec(), &json!(true)));
    let all = list("limit=25".to_owned()).await;
    assert_eq!((ids(&all), &all["hasMore"]), (made.clone(), &json!(false)));
    let nobodys = node.get("/payments?merchantId=MERCHANT-2").await.expect(200).json();
    assert_eq!(nobodys, json!({"data": [], "hasMore": false}));

    let newer = list(format!("limit=10&endingBefore={}", made[12])).await;
    assert_eq!((ids(&newer), &newer["hasMore"]), (made[2..12].to_vec(), &json!(true)));
    let newest = list(format!("limit=10&endingBefore={}", made[2])).await;
    assert_eq!((ids(&newest), &newest["hasMore"]), (made[..2].to_vec(), &json!(false)));
}

#[actix_web::test]
async fn filters_by_status_and_time() {
    let node = TestNode::start().await;
    let first = node.authorize(1).await;
    let voided = node.authorize(2).await;
    node.void(&voided, json!({})).await.expect(200);
    // Time passes only where somebody waits.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let last = node.post("/payments/authorize", &order("MERCHANT-1", 3)).await.expect(200).json();
    let list = async |query: &str| {
        ids(&node.get(&format!("/payments?merchantId=MERCHANT-1&{query}")).await.expect(200).json())
    };
    assert_eq!(list("status=VOIDED").await, [voided.id.as_str()]);
    assert_eq!(list("status=REFUNDED").await, Vec::<String>::new());
    let at = last["requestedAt"].as_str().unwrap();
    let before = list(&format!("createdBefore={at}")).await;
    assert!(before.contains(&first.id) && !before.contains(&last["paymentId"].as_str().unwrap().to_owned()));
    let after = list(&format!("createdAfter={at}")).await;
    assert!(after.is_empty(), "bounds are exclusive: {after:?}");
    assert_eq!(list(&format!("status=AUTHORIZED&limit=1&startingAfter={}", voided.id)).await, [first.id.as_str()]);
    assert_eq!(list("createdAfter=2999-01-01T00:00:00Z").await, Vec::<String>::new());
    assert_eq!(list("createdAfter=2026-01-01T00:00:00Z&createdBefore=2999-01-01T00:00:00Z").await.len(), 3);
}
