//! Time, given to actors and never taken by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The clock of one tree: the machine's, or one that starts where a test says and follows tokio's paused time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { ahead_ms: Arc<AtomicI64> },
    Simulated { start_ms: i64, origin: Instant },
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self(Source::System { ahead_ms: Arc::default() })
    }

    /// A clock that reads `start_ms` (UTC epoch milliseconds) now and follows tokio's time, paused or not.
    /// Call it inside the runtime whose time it is to follow.
    pub fn simulated(start_ms: i64) -> Self {
        Self(Source::Simulated { start_ms, origin: Instant::now() })
    }

    /// UTC epoch milliseconds.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System { ahead_ms } => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the clock is the one place that reads the system's time"
                )]
                let now = match SystemTime::now().duration_since(UNIX_EPOCH) {
                    Ok(since) => saturating_ms(since.as_millis()),
                    Err(before) => -saturating_ms(before.duration().as_millis()),
                };
                now.saturating_add(ahead_ms.load(Ordering::Relaxed))
            }
            Source::Simulated { start_ms, origin } => {
                start_ms.saturating_add(saturating_ms(origin.elapsed().as_millis()))
            }
        }
    }

    /// Has the machine's clock read so much more (or less) than it does, for all clones: what a clock that is set looks
    /// like. A fault on purpose; monotonic time goes on as it does on a machine whose clock is set.
    pub fn jump(&self, ahead_ms: i64) {
        if let Source::System { ahead_ms: ahead } = &self.0 {
            ahead.store(ahead_ms, Ordering::Relaxed);
        }
    }

    /// Monotonic time, for intervals and deadlines.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

fn saturating_ms(ms: u128) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_follows_paused_time() {
        let clock = Clock::simulated(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(clock.now_ms(), 3_601_000);
    }

    #[test]
    fn a_clock_that_is_set_is_set_for_all() {
        let clock = Clock::system();
        let (other, before) = (clock.clone(), clock.now_ms());
        clock.jump(3_600_000);
        assert!(other.now_ms() >= before + 3_600_000);
        clock.jump(-3_600_000);
        assert!(other.now_ms() < before);
    }

    #[test]
    fn the_system_clock_is_in_this_century() {
        assert!(Clock::system().now_ms() > 1_577_836_800_000);
    }
}
