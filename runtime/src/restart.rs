//! When to restart and when to give up: two values without a clock of their own.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::Chance;

/// Who is restarted with a child that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The child alone.
    OneForOne,
    /// The child and those that started after it: they are stopped in reverse and restarted in order.
    RestForOne,
}

/// How many restarts a supervisor allows: at one more within the window it gives up and fails to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts allowed within the window.
    pub restarts: u32,
    /// The window.
    pub within: Duration,
}

impl Default for Intensity {
    /// 5 restarts in 30 s.
    fn default() -> Self {
        Self { restarts: 5, within: Duration::from_secs(30) }
    }
}

/// The recent restarts of one supervisor.
#[derive(Debug)]
pub(super) struct RestartLog {
    intensity: Intensity,
    recent: VecDeque<Instant>,
}

impl RestartLog {
    pub(super) fn new(intensity: Intensity) -> Self {
        Self { intensity, recent: VecDeque::new() }
    }

    /// Counts a restart that is about to happen; false when it is one too many.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        while self.recent.front().is_some_and(|first| now.saturating_duration_since(*first) > self.intensity.within) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        u32::try_from(self.recent.len()).is_ok_and(|restarts| restarts <= self.intensity.restarts)
    }
}

/// The pause before the first restart.
const FIRST: Duration = Duration::from_millis(10);
/// The longest pause: whatever happens, an actor is back within a second of its death.
const LONGEST: Duration = Duration::from_secs(1);
/// A child that lived this long before it died starts again from the first pause.
const QUIET: Duration = Duration::from_secs(30);

/// The pause before each restart of one child: 10 ms, doubling to 1 s. Jitter keeps children that died of one cause
/// from restarting at the same time.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    restarts: u32,
}

impl Backoff {
    /// The next pause for a child that lived this long.
    pub(super) fn next(&mut self, lived: Duration, chance: &Chance) -> Duration {
        if lived >= QUIET {
            self.restarts = 0;
        }
        let pause = FIRST.saturating_mul(1_u32.checked_shl(self.restarts.min(16)).unwrap_or(u32::MAX)).min(LONGEST);
        self.restarts = self.restarts.saturating_add(1);
        chance.jitter(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn intensity_counts_within_its_window() {
        let start = Instant::now();
        let table: &[(u32, &[u64], &[bool])] = &[
            (0, &[0], &[false]),
            (2, &[0, 1, 2], &[true, true, false]),
            (2, &[0, 1, 11, 11], &[true, true, true, false]),
            (2, &[0, 10, 21, 31, 31], &[true, true, true, true, false]),
        ];
        for (restarts, at_s, expected) in table {
            let mut log = RestartLog::new(Intensity { restarts: *restarts, within: Duration::from_secs(10) });
            let seen: Vec<bool> = at_s.iter().map(|at| log.admits(start + Duration::from_secs(*at))).collect();
            assert_eq!(&seen, expected, "{restarts} restarts, deaths at {at_s:?}");
        }
    }

    #[test]
    fn backoff_doubles_to_a_second_and_starts_again_after_quiet() {
        let chance = Chance::from_seed(1);
        let mut backoff = Backoff::default();
        for expected_ms in [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            let full = Duration::from_millis(expected_ms);
            let pause = backoff.next(Duration::ZERO, &chance);
            assert!(pause >= full / 2 && pause <= full, "{pause:?} for {full:?}");
        }
        assert!(backoff.next(QUIET, &chance) <= FIRST);
        let mut worn = Backoff { restarts: u32::MAX };
        assert!(worn.next(Duration::ZERO, &chance) <= LONGEST);
    }
}
