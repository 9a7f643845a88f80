//! What a tree of actors is given by the world.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::meter::Meters;
use super::{Chance, Clock, DeadLetters, Faults, Placement};

/// Time, chance and placement for one tree, with its dead letters and faults. Clones share everything.
///
/// Nothing in the runtime reads a clock, draws a number or starts a thread except through here: with
/// [`Environment::simulated`] a whole tree runs on one thread in virtual time and repeats itself for the same seed.
#[derive(Clone)]
pub struct Environment {
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub chance: Chance,
    /// Threads.
    pub placement: Placement,
    /// What died in an actor's hand.
    pub dead_letters: DeadLetters,
    /// Faults on purpose; off until enabled.
    pub faults: Faults,
    pub(super) meters: Arc<Meters>,
}

impl Environment {
    /// The machine's clock, the operating system's entropy, one thread for each slot.
    pub fn service() -> Self {
        Self::new(Clock::system(), Chance::from_entropy(), Placement::arbiters())
    }

    /// The same with so many threads for all slots.
    pub fn service_on(threads: NonZeroUsize) -> Self {
        Self::new(Clock::system(), Chance::from_entropy(), Placement::threads(threads))
    }

    /// Virtual time from `start_ms` (UTC epoch milliseconds), chance from `seed`, one thread. Call it inside the
    /// (paused) runtime.
    pub fn simulated(seed: u64, start_ms: i64) -> Self {
        Self::new(Clock::simulated(start_ms), Chance::from_seed(seed), Placement::current_thread())
    }

    /// Any combination, with empty dead letters and disabled faults.
    pub fn new(clock: Clock, chance: Chance, placement: Placement) -> Self {
        Self {
            clock,
            chance,
            placement,
            dead_letters: DeadLetters::default(),
            faults: Faults::default(),
            meters: Arc::default(),
        }
    }
}
