//! The end of a run: everything settles, the books are audited, and every history is compared with the model.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::history::{Authorized, Story};
use super::model::{Entry, Final, FinalRefund, explain};
use super::process::ClusterError;

/// How long everything may take to settle.
const REST_WITHIN: Duration = Duration::from_secs(240);
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Waits until the audit finds nothing broken and nothing in flight. If that does not happen, returns the audit's last
/// output.
pub async fn rest(cluster: &Cluster) -> Result<Option<String>, ClusterError> {
    let begun = Instant::now();
    loop {
        let (is_clean, said) = cluster.audit().await?;
        if is_clean {
            return Ok(None);
        }
        if begun.elapsed() > REST_WITHIN {
            return Ok(Some(format!("it does not come to rest, or is broken:\n{said}")));
        }
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
}

/// Everything that is wrong, a line each.
pub async fn violations(
    stories: &[Story],
    cluster: &Cluster,
    http: &reqwest::Client,
) -> Result<Vec<String>, ClusterError> {
    let url = cluster.urls.lock().first().cloned().unwrap_or_default();
    let mut by_merchant: BTreeMap<&str, Vec<&Story>> = BTreeMap::new();
    for story in stories {
        by_merchant.entry(&story.merchant).or_default().push(story);
    }
    let mut wrong = Vec::new();
    for (merchant, stories) in by_merchant {
        let mut payments: HashMap<String, Vec<Value>> = HashMap::new();
        for payment in listed(http, &url, merchant).await? {
            let key = payment["description"].as_str().unwrap_or_default().to_owned();
            payments.entry(key).or_default().push(payment);
        }
        for story in stories {
            let found = payments.remove(&story.key).unwrap_or_default();
            wrong.extend(story.absurd.iter().cloned());
            match judge(story, &found) {
                Ok(None) => {
                    if let Some(told) = story.authorized.payment_id()
                        && let Err(why) = ended(http, &url, told, story.is_automatic).await?
                    {
                        wrong.push(format!("{told} of {}: {why}", story.key));
                    }
                }
                Ok(Some(id)) => {
                    let end = ended(http, &url, &id, story.is_automatic).await?;
                    if let Err(why) = end.and_then(|end| stands(&story.calls, &end)) {
                        wrong.push(format!("{id} of {}: {why}; {:?}", story.key, story.calls));
                    }
                }
                Err(why) => wrong.push(format!("{}: {why}", story.key)),
            }
        }
        wrong.extend(payments.into_keys().map(|key| format!("{merchant} has a payment that nobody asked for: {key}")));
    }
    Ok(wrong)
}

/// Whether the model explains a payment's history and final state. No authorization expires within a run.
fn stands(calls: &[Entry], end: &Final) -> Result<(), String> {
    if end.status == "EXPIRED" {
        return Err(
            "its hold has expired, and its time was not over by any clock but one that was set wrong".to_owned()
        );
    }
    explain(calls, end)
}

/// Compares the payments made under one key with what the caller of the authorization knows. Returns the payment that
/// was authorized, if any.
fn judge(story: &Story, found: &[Value]) -> Result<Option<String>, String> {
    let text = |payment: &Value, member: &str| payment[member].as_str().unwrap_or_default().to_owned();
    for payment in found {
        let status = text(payment, "status");
        if ["AUTHORIZING", "UNKNOWN"].contains(&status.as_str()) {
            return Err(format!("{} is still {status}", text(payment, "paymentId")));
        }
        if payment["amount"] != story.amount {
            return Err(format!(
                "{} is of {} instead of {}",
                text(payment, "paymentId"),
                payment["amount"],
                story.amount
            ));
        }
    }
    let is_live = |payment: &&Value| !["DECLINED", "FAILED"].contains(&text(payment, "status").as_str());
    let live: Vec<&Value> = found.iter().filter(is_live).collect();
    if live.len() > 1 {
        return Err(format!("{} payments under one key", live.len()));
    }
    let live = live.first().map(|payment| text(payment, "paymentId"));
    if let Some(told) = story.authorized.payment_id()
        && !found.iter().any(|payment| text(payment, "paymentId") == told)
    {
        return Err(format!("{told} was acknowledged and is lost"));
    }
    match (&story.authorized, &live) {
        (Authorized::Yes { payment_id }, Some(live)) if payment_id == live => {}
        (Authorized::Yes { payment_id }, live) => {
            return Err(format!("{payment_id} was authorized, and what there is is {live:?}"));
        }
        (Authorized::Declined { payment_id }, Some(live)) => {
            return Err(format!("{payment_id} was declined, and there is {live}"));
        }
        _ => {}
    }
    Ok(live)
}

async fn listed(http: &reqwest::Client, url: &str, merchant: &str) -> Result<Vec<Value>, ClusterError> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let mut query = vec![("merchantId", merchant.to_owned()), ("limit", "100".to_owned())];
        if let Some(last) = all.last().and_then(|payment| payment["paymentId"].as_str()) {
            query.push(("startingAfter", last.to_owned()));
        }
        let page: Value =
            http.get(format!("{url}/payments")).query(&query).send().await?.error_for_status()?.json().await?;
        all.extend(page["data"].as_array().cloned().unwrap_or_default());
        if page["hasMore"] != true {
            return Ok(all);
        }
    }
}

/// The final state of an existing payment. The inner error is that its look-up does not find it.
async fn ended(
    http: &reqwest::Client,
    url: &str,
    id: &str,
    is_automatic: bool,
) -> Result<Result<Final, String>, ClusterError> {
    let found = http.get(format!("{url}/payments/{id}?expand=refunds")).send().await?;
    if !found.status().is_success() {
        return Ok(Err(format!("its look-up says {}", found.status())));
    }
    let payment: Value = found.json().await?;
    let amount = |member: &str| payment["amounts"][member].as_i64().unwrap_or(-1);
    let refunds = payment["refunds"].as_array().into_iter().flatten().map(|refund| FinalRefund {
        id: refund["refundId"].as_str().unwrap_or_default().to_owned(),
        amount: refund["amount"].as_i64().unwrap_or(-1),
        is_refunded: refund["status"] == "REFUNDED",
    });
    Ok(Ok(Final {
        status: payment["status"].as_str().unwrap_or_default().to_owned(),
        authorized: amount("authorized"),
        is_automatic,
        captured: amount("captured"),
        refunded: amount("refunded"),
        refunds: refunds.collect(),
    }))
}
