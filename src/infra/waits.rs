//! What the process waits for while it starts, and why: shown by whoever ends a start, and told once an attempt has
//! failed, or it takes long.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::{TcpStream, ToSocketAddrs};

use crate::domain::Timestamp;
use crate::runtime::Clock;

/// How long a wait is nobody's business unless something has failed: longer than the first attempt may take.
const TELL_AFTER: Duration = Duration::from_secs(3);
/// How often one that goes on is told again.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// There is one start in a process.
static WAITS: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());

struct Waiting {
    what: String,
    since: Instant,
    since_at: Timestamp,
    /// The last failure, or what can be said before there is one.
    why: Cow<'static, str>,
    has_failed: bool,
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
    waits.push(Waiting {
        what: what.to_string(),
        since,
        since_at,
        why: "no error yet".into(),
        has_failed: false,
        told_at: None,
    });
    Wait { since }
}

/// How long a look for a server may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Whether a server takes connections: a client says no more of one that does not than that there was no answer.
///
/// # Errors
/// Why none could be made, for people.
pub async fn look_for(address: impl ToSocketAddrs) -> Result<(), String> {
    match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
        Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("no connection within {CONNECT_WITHIN:?}")),
    }
}

/// As [`wait_for`], until SQLite has opened the file.
pub fn wait_for_file(path: &Path) -> Wait {
    wait_for(format_args!("the file {}", path.display())).that_locks_prolong()
}

impl Wait {
    /// Whoever waits for a lock on a SQLite file hears nothing before SQLite gives up.
    pub fn that_locks_prolong(self) -> Self {
        self.change(|waiting| waiting.why = "no error yet: another program may hold a lock on it".into());
        self
    }

    /// Why it is not over yet: an attempt has failed.
    pub fn because(&self, why: impl Display) {
        self.change(|waiting| (waiting.why, waiting.has_failed) = (why.to_string().into(), true));
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        if let Some(waiting) = WAITS.lock().iter_mut().find(|wait| wait.since == self.since) {
            change(waiting);
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

/// Logs what is waited for since an attempt failed, or long enough: each wait once, and again each minute, with the
/// last failure. To be called often.
pub fn tell() {
    for waiting in WAITS.lock().iter_mut() {
        let is_due = match waiting.told_at {
            None => waiting.has_failed || waiting.since.elapsed() >= TELL_AFTER,
            Some(told_at) => told_at.elapsed() >= TELL_EVERY,
        };
        if is_due {
            waiting.told_at = Some(Instant::now());
            let (what, since, why) = (&waiting.what, waiting.since_at, &*waiting.why);
            tracing::warn!(wait.r#for = what, wait.since = %since, error = why, "waiting");
        }
    }
}

/// What is waited for, since when, and why; none if nothing is.
pub fn all() -> Option<String> {
    let waits = WAITS.lock();
    let said = waits.iter().map(|wait| format!("{} since {} ({})", wait.what, wait.since_at, wait.why));
    (!waits.is_empty()).then(|| said.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infra::telemetry::logs::testing::captured;

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

    #[test]
    fn wait_is_told_with_its_reason_once_an_attempt_has_failed() {
        let (lines, _logging) = captured();
        let wait = wait_for("Redis at r:6379");
        let of_file = wait_for_file(Path::new("/data/shard-7.db"));
        tell();
        assert!(!lines.text().contains("r:6379"), "nothing has failed yet");
        wait.because("Connection refused");
        tell();
        wait.because("no answer");
        tell();
        let text = lines.text();
        let told: Vec<_> = text.lines().filter(|line| line.contains("r:6379")).collect();
        assert!(told.len() == 1 && told[0].contains("Connection refused"), "{text}");
        let said = all().unwrap();
        for part in ["(no answer)", "shard-7.db since 2", "(no error yet: another program may hold a lock on it)"] {
            assert!(said.contains(part), "{said}");
        }
        drop((wait, of_file));
    }
}
