//! What the process waits for while it starts: shown by whoever ends a start, and told once it takes long.

use std::fmt::Display;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::Timestamp;
use crate::runtime::Clock;

/// How long a wait is nobody's business.
const TELL_AFTER: Duration = Duration::from_millis(1_500);
/// How often one that goes on is told again.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// There is one start in a process.
static WAITS: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());

struct Waiting {
    what: String,
    since: Instant,
    since_at: Timestamp,
    why: Option<String>,
    told_at: Option<Instant>,
}

/// A wait, until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Wait {
    since: Instant,
}

/// From here on the process waits for this. It names the address and no credentials.
pub fn wait_for(what: impl Display) -> Wait {
    let since_at = Timestamp(Clock::system().now_ms());
    let mut waits = WAITS.lock();
    // The instant is the wait's name, too.
    let mut since = Instant::now();
    while waits.iter().any(|wait| wait.since == since) {
        since += Duration::from_nanos(1);
    }
    waits.push(Waiting { what: what.to_string(), since, since_at, why: None, told_at: None });
    Wait { since }
}

impl Wait {
    /// Why it is not over yet, as far as that is known.
    pub fn because(&self, why: impl Display) {
        if let Some(waiting) = WAITS.lock().iter_mut().find(|wait| wait.since == self.since) {
            waiting.why = Some(why.to_string());
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = WAITS.lock();
        let Some(place) = waits.iter().position(|wait| wait.since == self.since) else { return };
        let waiting = waits.swap_remove(place);
        drop(waits);
        if waiting.told_at.is_some() {
            let waited_ms = u64::try_from(waiting.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(wait.r#for = waiting.what, waited_ms, "no longer waiting");
        }
    }
}

/// Logs what has been waited for long enough: each wait once, and again each minute. To be called often.
pub fn tell() {
    for waiting in WAITS.lock().iter_mut() {
        let is_due = match waiting.told_at {
            None => waiting.since.elapsed() >= TELL_AFTER,
            Some(told_at) => told_at.elapsed() >= TELL_EVERY,
        };
        if is_due {
            waiting.told_at = Some(Instant::now());
            let (what, since, why) = (&waiting.what, waiting.since_at, &waiting.why);
            tracing::warn!(wait.r#for = what, wait.since = %since, error = why, "waiting");
        }
    }
}

/// What is waited for, since when, and why; none if nothing is.
pub fn all() -> Option<String> {
    let waits = WAITS.lock();
    let said = waits.iter().map(|wait| {
        let why = wait.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{} since {}{why}", wait.what, wait.since_at)
    });
    (!waits.is_empty()).then(|| said.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_shown_until_they_are_over() {
        let one = wait_for("MariaDB at h:3306/d");
        one.because("connection refused");
        let two = wait_for("Kafka at k:9092");
        let said = all().unwrap();
        for part in ["MariaDB at h:3306/d since 2", "Z (connection refused)", "Kafka at k:9092 since 2"] {
            assert!(said.contains(part), "{said}");
        }
        drop(one);
        assert!(!all().unwrap().contains("MariaDB"));
        drop(two);
    }
}
