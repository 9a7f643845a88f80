//! The calls of the last seconds, counted.

use std::collections::VecDeque;
use std::time::Duration;

/// The width of a bucket.
const BUCKET_MS: u64 = 1_000;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub calls: u64,
    pub failures: u64,
    /// Successes and failures alike.
    pub slow_calls: u64,
}

impl Tally {
    /// Failures in a hundred calls, rounded down; 0 without calls.
    pub fn failure_rate_percent(&self) -> u64 {
        percent(self.failures, self.calls)
    }

    /// Slow calls in a hundred, rounded down; 0 without calls.
    pub fn slow_rate_percent(&self) -> u64 {
        percent(self.slow_calls, self.calls)
    }

    pub(super) fn add(&mut self, other: Tally) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.slow_calls += other.slow_calls;
    }

    fn subtract(&mut self, other: Tally) {
        self.calls -= other.calls;
        self.failures -= other.failures;
        self.slow_calls -= other.slow_calls;
    }
}

/// Rounding down cannot hide a rate that has reached a whole number of percent.
fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

/// The calls of the last seconds: at most one bucket for each, the oldest first, and their sum.
#[derive(Debug)]
pub struct Window {
    /// Buckets that count at a time, the one that is being filled among them.
    seconds: u64,
    buckets: VecDeque<(u64, Tally)>,
    sum: Tally,
}

impl Window {
    /// An empty window of so many whole seconds, rounded up, at least one.
    pub fn new(length: Duration) -> Self {
        let seconds = ms(length).div_ceil(BUCKET_MS).max(1);
        Self { seconds, buckets: VecDeque::new(), sum: Tally::default() }
    }

    /// Drops what is too old; returns the sum of what is left.
    pub fn slide(&mut self, now_ms: u64) -> Tally {
        let first = (now_ms / BUCKET_MS).saturating_add(1).saturating_sub(self.seconds);
        while let Some((_, old)) = self.buckets.pop_front_if(|(second, _)| *second < first) {
            self.sum.subtract(old);
        }
        self.sum
    }

    /// Adds a call that ends now; returns the sum with it.
    pub fn count(&mut self, call: Tally, now_ms: u64) -> Tally {
        self.slide(now_ms);
        let second = now_ms / BUCKET_MS;
        match self.buckets.back_mut() {
            Some((last, tally)) if *last == second => tally.add(call),
            _ => self.buckets.push_back((second, call)),
        }
        self.sum.add(call);
        self.sum
    }
}

/// Whole milliseconds.
pub fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_drops_old_buckets_whole() {
        let mut window = Window::new(Duration::from_millis(9_001));
        let failure = Tally { calls: 1, failures: 1, slow_calls: 0 };
        // (when a call ends, calls in the window with it)
        for (now_ms, calls) in [(0, 1), (1_999, 2), (9_999, 3), (10_000, 3), (10_999, 4), (11_000, 4), (99_000, 1)] {
            assert_eq!(window.count(failure, now_ms).calls, calls, "at {now_ms}");
            assert!(window.buckets.len() <= 10);
        }
        assert_eq!(window.slide(108_999), failure);
        assert_eq!(window.slide(109_000), Tally::default());
    }

    #[test]
    fn rates_are_whole_percents() {
        for (calls, failures, percent) in [(0, 0, 0), (3, 1, 33), (2, 1, 50), (101, 50, 49), (5, 5, 100)] {
            assert_eq!(Tally { calls, failures, slow_calls: 0 }.failure_rate_percent(), percent);
        }
    }
}
