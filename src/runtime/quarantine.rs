//! Which messages have killed their actor, by key.
//!
//! A key that was in hand when the actor died is a *suspect*, though a neighbour in its batch may have been the cause:
//! it is handled alone when it comes again. If it survives that it is acquitted; if it dies again it is *convicted*,
//! and since the second death is always alone, no neighbour is convicted in its place.

use std::collections::{HashMap, VecDeque};

/// Deaths after which a key is refused.
const DEATHS_TO_CONVICT: u32 = 2;
/// Keys remembered; beyond them the oldest is forgotten.
const KEYS_MAX: usize = 4_096;

/// What is held against a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Clean,
    Suspect,
    Convicted,
}

#[derive(Debug)]
pub(super) struct Quarantine {
    deaths: HashMap<u128, u32>,
    /// The keys of `deaths`, oldest first.
    order: VecDeque<u128>,
    keys_max: usize,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { deaths: HashMap::new(), order: VecDeque::new(), keys_max: KEYS_MAX }
    }
}

impl Quarantine {
    /// Whether nothing is held against any key: the usual case, and a cheap one.
    pub(super) fn is_empty(&self) -> bool {
        self.deaths.is_empty()
    }

    pub(super) fn standing(&self, key: u128) -> Standing {
        match self.deaths.get(&key) {
            None => Standing::Clean,
            Some(&deaths) if deaths < DEATHS_TO_CONVICT => Standing::Suspect,
            Some(_) => Standing::Convicted,
        }
    }

    /// Counts a death and returns how many there are now.
    pub(super) fn record_death(&mut self, key: u128) -> u32 {
        if let Some(deaths) = self.deaths.get_mut(&key) {
            *deaths = deaths.saturating_add(1);
            return *deaths;
        }
        if self.order.len() >= self.keys_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.deaths.remove(&oldest);
        }
        self.deaths.insert(key, 1);
        self.order.push_back(key);
        1
    }

    /// Forgets what is held against a key; returns whether there was anything.
    pub(super) fn acquit(&mut self, key: u128) -> bool {
        let was_held = self.deaths.remove(&key).is_some();
        if was_held {
            self.order.retain(|held| *held != key);
        }
        was_held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_death_convicts() {
        let mut quarantine = Quarantine::default();
        assert!(quarantine.is_empty());
        assert_eq!(quarantine.standing(1), Standing::Clean);
        assert_eq!(quarantine.record_death(1), 1);
        assert_eq!(quarantine.standing(1), Standing::Suspect);
        assert_eq!(quarantine.record_death(1), 2);
        assert_eq!(quarantine.standing(1), Standing::Convicted);
        assert_eq!(quarantine.standing(2), Standing::Clean);
    }

    #[test]
    fn a_survivor_is_acquitted() {
        let mut quarantine = Quarantine::default();
        quarantine.record_death(1);
        assert!(quarantine.acquit(1));
        assert!(!quarantine.acquit(1));
        assert!(quarantine.is_empty());
        assert_eq!(quarantine.record_death(1), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let mut quarantine = Quarantine { keys_max: 2, ..Quarantine::default() };
        for key in 1..=3 {
            quarantine.record_death(key);
        }
        assert_eq!(quarantine.standing(1), Standing::Clean);
        assert_eq!(quarantine.standing(3), Standing::Suspect);
        assert_eq!((quarantine.deaths.len(), quarantine.order.len()), (2, 2));
    }
}
