//! The limits of one actor, each with its default.

use std::sync::Arc;
use std::time::Duration;

/// How one actor is named, bounded and watched.
///
/// | option | default | why |
/// | --- | --- | --- |
/// | `capacity` | 1024 messages | a full mailbox of 1 ms messages is one second of work |
/// | `max_batch` | 1 message | batching is asked for, not assumed |
/// | `ask_deadline` | 5 s | shorter than the patience of an HTTP client |
/// | `hang_after` | 30 s | longer than any healthy call to a database or a PSP |
/// | `drain_deadline` | 10 s | within the grace that orchestrators give a stopping process |
/// | `tick` | none | |
/// | `slot` | `"main"` | |
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) name: &'static str,
    pub(super) shard: Option<u32>,
    pub(super) capacity: usize,
    pub(super) max_batch: usize,
    pub(super) slot: Arc<str>,
    pub(super) tick: Option<Duration>,
    pub(super) ask_deadline: Duration,
    pub(super) hang_after: Duration,
    pub(super) drain_deadline: Duration,
}

impl Options {
    /// The defaults, under this name.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            shard: None,
            capacity: 1_024,
            max_batch: 1,
            slot: Arc::from("main"),
            tick: None,
            ask_deadline: Duration::from_secs(5),
            hang_after: Duration::from_secs(30),
            drain_deadline: Duration::from_secs(10),
        }
    }

    /// `name`, or `name/shard`.
    pub(super) fn full_name(&self) -> String {
        self.shard.map_or(self.name.to_owned(), |shard| format!("{}/{shard}", self.name))
    }

    /// Tells actors of the same name apart, in metrics, logs and faults.
    pub fn shard(mut self, shard: u32) -> Self {
        self.shard = Some(shard);
        self
    }

    /// How many messages may wait, at least 1. The next one is refused.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages.max(1);
        self
    }

    /// How many waiting messages are handled together at most, at least 1.
    pub fn max_batch(mut self, messages: usize) -> Self {
        self.max_batch = messages.max(1);
        self
    }

    /// The thread to run on, by name; actors of one slot share it.
    pub fn slot(mut self, name: impl Into<Arc<str>>) -> Self {
        self.slot = name.into();
        self
    }

    /// Wakes the actor this long after the end of its last timed wake.
    pub fn tick(mut self, every: Duration) -> Self {
        self.tick = Some(every);
        self
    }

    /// How long an ask waits for its answer.
    pub fn ask_deadline(mut self, deadline: Duration) -> Self {
        self.ask_deadline = deadline;
        self
    }

    /// How long an actor with work may make no progress before it counts as hung and is replaced. Batches, wakes and
    /// `Context::progress` are progress.
    pub fn hang_after(mut self, silence: Duration) -> Self {
        self.hang_after = silence;
        self
    }

    /// How long the actor may handle waiting messages when it is stopped.
    pub fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.drain_deadline = deadline;
        self
    }
}
