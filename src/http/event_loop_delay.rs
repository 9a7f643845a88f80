//! How late a thread of the server is: how long requests wait for it to read them. One that is refused as soon as it is
//! read is cheap, so that those that are let in and those that come next wait for little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// A thread that is later than this twice in a row is overloaded: once may be anything.
const LATE: Duration = Duration::from_millis(25);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The lag of one of the server's threads, in microseconds.
pub struct EventLoopDelay(Arc<Looks>);

#[derive(Default)]
struct Looks {
    last: AtomicU64,
    /// The smaller one of the last two.
    standing: AtomicU64,
}

impl Looks {
    fn note(&self, lag: Duration) {
        let lag = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        let before = self.last.swap(lag, Relaxed);
        self.standing.store(lag.min(before), Relaxed);
    }
}

impl EventLoopDelay {
    /// Watches the thread that calls it, which runs an actix system, for as long as the value is there.
    pub fn of_this_thread() -> Self {
        let looks = Arc::new(Looks::default());
        let watched = Arc::downgrade(&looks);
        actix_web::rt::spawn(async move {
            while let Some(looks) = watched.upgrade() {
                let due = Instant::now() + LOOK_EVERY;
                tokio::time::sleep_until(due).await;
                // A timer wakes in the queue of whatever else is ready: it waits as long as a request that has just
                // come.
                looks.note(due.elapsed());
            }
        });
        Self(looks)
    }

    /// Whether requests have been waiting too long, and not only for a moment.
    pub fn is_late(&self) -> bool {
        Duration::from_micros(self.0.standing.load(Relaxed)) > LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_who_was_late_twice_in_a_row() {
        let lag = EventLoopDelay(Arc::default());
        assert!(!lag.is_late());
        lag.0.note(Duration::from_millis(500));
        assert!(!lag.is_late(), "once is a moment");
        lag.0.note(Duration::from_millis(101));
        assert!(lag.is_late());
        lag.0.note(Duration::from_millis(3));
        assert!(!lag.is_late());
    }
}
