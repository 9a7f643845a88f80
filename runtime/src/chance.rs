//! Chance is given to actors: none draws it from elsewhere.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A stream of random numbers; clones draw from the same stream. Not for secrets.
#[derive(Debug, Clone)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl Chance {
    /// Seeded by the operating system.
    pub fn from_entropy() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_os_rng())))
    }

    /// The same stream for the same seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Any 64 bits.
    pub fn u64(&self) -> u64 {
        self.0.lock().random()
    }

    /// A number from 0 to `n - 1`, each as likely; 0 if `n` is 0.
    pub fn below(&self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.0.lock().random_range(0..n) }
    }

    /// Something between half of `duration` and all of it.
    pub fn jitter(&self, duration: Duration) -> Duration {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let half = nanos / 2;
        Duration::from_nanos(nanos - self.below(half.saturating_add(1)))
    }

    /// True `p` times out of 1000.
    pub fn permille(&self, p: u32) -> bool {
        self.below(1_000) < u64::from(p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_numbers() {
        let (a, b) = (Chance::from_seed(7), Chance::from_seed(7));
        assert!((0..100).all(|_| a.u64() == b.u64()));
        assert_ne!(Chance::from_seed(7).u64(), Chance::from_seed(8).u64());
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let chance = Chance::from_seed(1);
        for _ in 0..1_000 {
            assert!(chance.below(3) < 3);
            let jittered = chance.jitter(Duration::from_millis(10));
            assert!(jittered >= Duration::from_millis(5) && jittered <= Duration::from_millis(10));
        }
        assert_eq!(chance.below(0), 0);
        assert_eq!(chance.jitter(Duration::ZERO), Duration::ZERO);
        assert!(!chance.permille(0) && chance.permille(1_000));
    }
}
