//! Messages that were in hand when their actor died.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde::{Serialize, Serializer};

/// How many dead letters are kept; beyond them the oldest is forgotten.
const LETTERS_MAX: usize = 1_000;

/// The description of one message that was in hand, unanswered, when its actor died. The message itself is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The actor's name.
    pub actor: &'static str,
    /// The actor's shard.
    pub shard: Option<u32>,
    /// `Message::kind`.
    pub kind: &'static str,
    /// `Message::key`, as 32 hexadecimal digits in JSON.
    #[serde(serialize_with = "hex")]
    pub key: Option<u128>,
    /// `Message::trace_id`, as 32 hexadecimal digits in JSON (the form of W3C trace context).
    #[serde(serialize_with = "hex")]
    pub trace_id: Option<u128>,
    /// The cause of the death: the panic's text and place, the actor's failure, or that it hung.
    pub cause: String,
    /// How many messages were in hand. Only a message that was alone is known to be the cause.
    pub in_hand: usize,
    /// How often this key has been in hand at a panic or in a blocked thread; 0 without a key, or if it never was.
    pub deaths: u32,
    /// When, in UTC epoch milliseconds.
    pub at_ms: i64,
    /// Whether the key is refused from now on.
    pub quarantined: bool,
}

/// The last 1000 dead letters of a tree, and a subscription to new ones. Clones share them.
#[derive(Clone, Default)]
pub struct DeadLetters(Arc<Inner>);

type Subscriber = Arc<dyn Fn(&DeadLetter) + Send + Sync>;

#[derive(Default)]
struct Inner {
    recent: Mutex<VecDeque<DeadLetter>>,
    subscribers: RwLock<Vec<Subscriber>>,
}

impl DeadLetters {
    /// The dead letters that are kept, oldest first.
    pub fn recent(&self) -> Vec<DeadLetter> {
        self.0.recent.lock().iter().cloned().collect()
    }

    /// Calls `f` for every dead letter from now on, on the supervisor's thread: it must be quick and must not panic.
    pub fn subscribe(&self, f: impl Fn(&DeadLetter) + Send + Sync + 'static) {
        self.0.subscribers.write().push(Arc::new(f));
    }

    pub(super) fn record(&self, letter: DeadLetter) {
        tracing::error!(
            actor.name = letter.actor,
            shard.id = letter.shard,
            message.kind = letter.kind,
            message.key = letter.key.map(tracing::field::display),
            message.deaths = letter.deaths,
            message.quarantined = letter.quarantined,
            trace_id = letter.trace_id.map(|id| tracing::field::display(format!("{id:032x}"))),
            cause = letter.cause,
            "message died in hand"
        );
        let subscribers = self.0.subscribers.read().clone();
        for subscriber in &subscribers {
            subscriber(&letter);
        }
        let mut recent = self.0.recent.lock();
        if recent.len() >= LETTERS_MAX {
            recent.pop_front();
        }
        recent.push_back(letter);
    }
}

fn hex<S: Serializer>(id: &Option<u128>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(&format_args!("{id:032x}")),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn letter(at_ms: i64) -> DeadLetter {
        DeadLetter {
            actor: "till",
            shard: None,
            kind: "sale",
            key: Some(255),
            trace_id: None,
            cause: "panic".to_owned(),
            in_hand: 1,
            deaths: 1,
            at_ms,
            quarantined: false,
        }
    }

    #[test]
    fn dead_letters_keep_the_last_thousand_and_notify_subscribers() {
        let letters = DeadLetters::default();
        let told = Arc::new(AtomicUsize::new(0));
        letters.subscribe({
            let told = told.clone();
            move |_| {
                told.fetch_add(1, Ordering::Relaxed);
            }
        });
        (0..1_005).for_each(|at_ms| letters.record(letter(at_ms)));
        let recent = letters.recent();
        assert_eq!((recent.len(), recent[0].at_ms, recent[999].at_ms), (1_000, 5, 1_004));
        assert_eq!(told.load(Ordering::Relaxed), 1_005);
    }

    #[test]
    fn ids_are_text_in_json() {
        let json = serde_json::to_value(letter(0)).unwrap();
        assert_eq!(json["key"], "000000000000000000000000000000ff");
        assert!(json["traceId"].is_null());
    }
}
