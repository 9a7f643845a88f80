//! What the tests in process and the black-box tests tell their stories with: one language, two ways to a node.

#[macro_use]
mod stories;
#[macro_use]
mod verbs;

mod answer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

pub use answer::Answer;
pub use stories::{assert_booked_both_ways, assert_one_payment, assert_tells_the_whole_life};

/// Longer than anything here takes on a busy machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A payment that a test has made.
#[derive(Debug, Clone)]
pub struct Payment {
    pub id: String,
    pub merchant: String,
}

/// A key that no other call has used.
pub fn new_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("key-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The body of an authorization in KRW with a key of its own.
pub fn order(merchant: &str, amount: i64) -> Value {
    json!({"merchantId": merchant, "amount": amount, "currency": "KRW", "idempotencyKey": new_key()})
}

/// Waits until `condition` gives a value.
#[track_caller]
pub fn eventually<T, F>(what: &str, condition: impl Fn() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let what = what.to_owned();
    async move {
        let begun = Instant::now();
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The actors of this name, at or below a node of the supervision tree.
pub fn actors_of(tree: &Value, name: &str) -> Vec<Value> {
    let itself = (tree["actor"] == name).then(|| tree.clone());
    let below = tree["children"].as_array().into_iter().flatten().flat_map(|child| actors_of(child, name));
    itself.into_iter().chain(below).collect()
}
