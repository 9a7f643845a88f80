//! Whether the wall clock can be believed. Monotonic time cannot be set. If the wall clock moves against it by more
//! than a correction does, it was set, and it is unknown whether rightly.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How large a step of the wall clock is believed at once, and how long a larger one must last before it is believed.
#[derive(Debug, Clone, Copy)]
pub struct ClockLimits {
    /// The largest step that is a correction.
    pub step_max: Duration,
    /// How long it must keep pace before it is believed again.
    pub settle: Duration,
}

impl Default for ClockLimits {
    fn default() -> Self {
        Self { step_max: Duration::from_secs(5), settle: Duration::from_secs(15 * 60) }
    }
}

/// A wall clock that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// By how much it is ahead of what is believed.
    pub ahead_ms: i64,
    /// For how long it has been ahead by that much.
    pub since_ms: i64,
}

/// Corrections change the believed time at a rate of at most one part in so many: far more than NTP's half a
/// thousandth.
const SLEW: i64 = 100;

/// Watches one clock.
#[derive(Debug)]
pub(super) struct ClockGuard {
    origin: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// How far the wall clock is believed to be above monotonic time; none before the first look.
    offset_ms: Option<i64>,
    /// When the offset was moved last.
    moved_ms: i64,
    /// The offset that is not believed, and since when the clock has had it.
    doubt: Option<(i64, i64)>,
    step_max_ms: i64,
    settle_ms: i64,
}

impl ClockGuard {
    pub(super) fn new(limits: ClockLimits) -> Self {
        let (step_max_ms, settle_ms) = (ms(limits.step_max), ms(limits.settle));
        let state = State { offset_ms: None, moved_ms: 0, doubt: None, step_max_ms, settle_ms };
        Self { origin: Instant::now(), state: Mutex::new(state) }
    }

    pub(super) fn limit(&self, limits: ClockLimits) {
        let mut state = self.state.lock();
        (state.step_max_ms, state.settle_ms) = (ms(limits.step_max), ms(limits.settle));
    }

    /// The time to use when the wall clock says `wall_ms`.
    pub(super) fn time(&self, wall_ms: i64) -> i64 {
        self.state.lock().time(wall_ms, ms(self.origin.elapsed()))
    }

    /// Why the wall clock is not believed, if it is not.
    pub(super) fn doubt(&self, wall_ms: i64) -> Option<Doubt> {
        let now_ms = ms(self.origin.elapsed());
        let mut state = self.state.lock();
        state.time(wall_ms, now_ms);
        let (offset_ms, since_ms) = state.doubt?;
        Some(Doubt { ahead_ms: offset_ms.saturating_sub(state.offset_ms?), since_ms: now_ms.saturating_sub(since_ms) })
    }
}

impl State {
    fn time(&mut self, wall_ms: i64, now_ms: i64) -> i64 {
        let found = wall_ms.saturating_sub(now_ms);
        let offset = *self.offset_ms.get_or_insert(found);
        let moved = found.saturating_sub(offset);
        if moved.saturating_abs() <= self.step_max_ms {
            if self.doubt.take().is_some() {
                tracing::warn!("the clock is back where it was");
            }
            let passed = now_ms.saturating_sub(self.moved_ms);
            if passed >= 1_000 {
                let most = passed / SLEW;
                self.offset_ms = Some(offset.saturating_add(moved.clamp(-most, most)));
                self.moved_ms = now_ms;
            }
            return wall_ms;
        }
        let since_ms = match self.doubt {
            Some((doubted, since_ms)) if found.saturating_sub(doubted).saturating_abs() <= self.step_max_ms => since_ms,
            _ => {
                tracing::error!(
                    clock.moved_ms = moved,
                    "the clock was set: it is not believed before it has stayed there"
                );
                self.doubt = Some((found, now_ms));
                now_ms
            }
        };
        if now_ms.saturating_sub(since_ms) < self.settle_ms {
            return now_ms.saturating_add(offset);
        }
        tracing::warn!(clock.moved_ms = moved, "the clock is believed");
        (self.offset_ms, self.moved_ms, self.doubt) = (Some(found), now_ms, None);
        wall_ms
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_800_000_000_000;
    const YEARS: i64 = 315_360_000_000;

    fn state() -> State {
        let mut state = State { offset_ms: None, moved_ms: 0, doubt: None, step_max_ms: 5_000, settle_ms: 900_000 };
        assert_eq!(state.time(START, 0), START);
        state
    }

    #[test]
    fn clock_step_is_ignored_and_forgotten_when_taken_back() {
        let mut state = state();
        assert_eq!(state.time(START + 100 + YEARS, 100), START + 100);
        assert_eq!(state.time(START + 2_000 + YEARS, 2_000), START + 2_000);
        assert!(state.doubt.is_some());
        assert_eq!(state.time(START + 2_100, 2_100), START + 2_100);
        assert!(state.doubt.is_none());
        assert_eq!(state.time(START + 3_000 - YEARS, 3_000), START + 3_000);
    }

    #[test]
    fn clock_step_that_stays_is_believed_and_one_that_moves_is_not() {
        let mut state = state();
        for now in (0..899_999).step_by(10_000) {
            assert_eq!(state.time(START + now + 3_600_000, now), START + now);
        }
        // The clock moves again, so the wait starts anew.
        assert_eq!(state.time(START + 900_000 + 7_200_000, 900_000), START + 900_000);
        assert_eq!(state.time(START + 1_799_999 + 7_200_000, 1_799_999), START + 1_799_999);
        assert_eq!(state.time(START + 1_800_000 + 7_200_000, 1_800_000), START + 1_800_000 + 7_200_000);
        assert!(state.doubt.is_none());
    }

    #[test]
    fn clock_corrections_are_followed_and_a_creeping_clock_is_not() {
        let mut state = state();
        // Half a thousandth for a day.
        for now in (0..86_400_000).step_by(1_000) {
            assert_eq!(state.time(START + now + now / 2_000, now), START + now + now / 2_000);
        }
        let mut state = self::state();
        let creep = (0..60).map(|second| second * 1_000).find(|now| {
            state.time(START + now + now * 4, *now);
            state.doubt.is_some()
        });
        assert!(creep.is_some(), "four seconds in each second is no correction");
    }
}
