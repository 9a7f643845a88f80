//! Checks that the nodes serve all shards again after a fault, without a restart.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::process::ClusterError;

/// How many merchants ask: enough for every shard to have one of them.
const MERCHANTS: usize = 8;
/// How long a node may take, including the time to detect an actor that hangs.
const WITHIN: Duration = Duration::from_secs(60);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(300);
/// The answers of a node that cannot do its work; a faulty PSP is not the node's fault.
const ILL: [&str; 6] =
    ["shard_unavailable", "storage_unavailable", "overloaded", "outcome_unknown", "internal", "rate_limited"];

/// Has each node authorize for some merchants. Returns what is wrong if one of them is not served in time. Nodes that
/// end by themselves are started again.
pub async fn serves_again(
    cluster: &mut Cluster,
    http: &reqwest::Client,
    chance: &mut StdRng,
) -> Result<Option<String>, ClusterError> {
    let begun = Instant::now();
    cluster.keep_up().await?;
    for node in 0..cluster.nodes() {
        for merchant in 0..MERCHANTS {
            let key = format!("probe-{:x}", chance.random::<u64>());
            let merchant = format!("PROBE-{merchant}");
            while let Err(why) = authorize(cluster, http, node, &merchant, &key).await {
                if begun.elapsed() > WITHIN {
                    return Ok(Some(format!("node {node} does not serve {merchant} within {WITHIN:?}: {why}")));
                }
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
                cluster.keep_up().await?;
            }
        }
    }
    Ok(None)
}

async fn authorize(
    cluster: &Cluster,
    http: &reqwest::Client,
    node: usize,
    merchant: &str,
    key: &str,
) -> Result<(), String> {
    let url = cluster.urls.lock().get(node).cloned().unwrap_or_default();
    let body = json!({ "merchantId": merchant, "amount": 1, "currency": "KRW", "idempotencyKey": key });
    let sent = http.post(format!("{url}/payments/authorize")).json(&body).send().await;
    let answer = sent.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.map_err(|error| error.to_string())?;
    let code = body["code"].as_str().unwrap_or_default();
    if status >= 429 && ILL.contains(&code) { Err(format!("{status} {code}")) } else { Ok(()) }
}
