//! Time is given to actors: none reads a clock of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::guard::{ClockGuard, ClockLimits, Doubt};

/// The clock of one tree: the machine's, or one that starts where a test says and follows tokio's paused time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { ahead_ms: Arc<AtomicI64>, guard: Arc<ClockGuard> },
    Simulated { start_ms: i64, origin: Instant },
}

impl Clock {
    /// The machine's wall clock, as far as it can be believed.
    pub fn system() -> Self {
        let guard = Arc::new(ClockGuard::new(ClockLimits::default()));
        Self(Source::System { ahead_ms: Arc::default(), guard })
    }

    /// When the wall clock is believed, for all clones.
    pub fn limit(&self, limits: ClockLimits) {
        if let Source::System { guard, .. } = &self.0 {
            guard.limit(limits);
        }
    }

    /// Why the wall clock is not believed, if it is not. Meanwhile time continues as before the step.
    pub fn doubt(&self) -> Option<Doubt> {
        match &self.0 {
            Source::System { ahead_ms, guard } => guard.doubt(wall_ms(ahead_ms)),
            Source::Simulated { .. } => None,
        }
    }

    /// A clock that reads `start_ms` (UTC epoch milliseconds) now and follows tokio's time, paused or not.
    /// Call it inside the runtime whose time it is to follow.
    pub fn simulated(start_ms: i64) -> Self {
        Self(Source::Simulated { start_ms, origin: Instant::now() })
    }

    /// UTC epoch milliseconds. A clock that was set is not followed before it is believed: a wrong step forward would
    /// make things expire too early, and work scheduled during it would wait for years after the step is taken back.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System { ahead_ms, guard } => guard.time(wall_ms(ahead_ms)),
            Source::Simulated { start_ms, origin } => {
                start_ms.saturating_add(saturating_ms(origin.elapsed().as_millis()))
            }
        }
    }

    /// Shifts what the machine's clock reads by so much, for all clones, as if the clock had been set: a fault on
    /// purpose. Monotonic time is not affected, as on a real machine.
    pub fn jump(&self, ahead_ms: i64) {
        if let Source::System { ahead_ms: ahead, .. } = &self.0 {
            ahead.store(ahead_ms, Ordering::Relaxed);
        }
    }

    /// Monotonic time, for intervals and deadlines.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// What the machine's clock says, shifted by so much.
fn wall_ms(ahead_ms: &AtomicI64) -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the clock is the one place that reads the system's time")]
    let now = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => saturating_ms(since.as_millis()),
        Err(before) => -saturating_ms(before.duration().as_millis()),
    };
    now.saturating_add(ahead_ms.load(Ordering::Relaxed))
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
    fn clock_step_reaches_all_clones_once_it_is_believed() {
        let clock = Clock::system();
        let before = clock.now_ms();
        clock.jump(3_600_000);
        assert!(clock.now_ms() < before + 60_000 && clock.clone().doubt().is_some());
        clock.jump(0);
        assert!(clock.doubt().is_none());
        clock.limit(ClockLimits { settle: Duration::ZERO, ..ClockLimits::default() });
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
