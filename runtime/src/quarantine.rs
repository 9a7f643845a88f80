//! Which messages have killed their actor.
//!
//! A message that was in hand when the actor died is a *suspect*, though another message of its batch may have been the
//! cause. It is handled alone when it comes again. If it survives it is acquitted; if it dies again it is *convicted*.
//! Since the second death is always alone, no other message is convicted in its place. A conviction has a term, after
//! which the message is a suspect once more: if the cause of the deaths has passed, the message must not be refused for
//! as long as the process lives.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::message::Identity;

/// Deaths after which a message is refused.
const DEATHS_TO_CONVICT: u32 = 2;
/// The term of a first conviction; each further death doubles it.
const TERM: Duration = Duration::from_secs(60);
const TERM_MAX: Duration = Duration::from_secs(3_600);
/// Messages remembered; beyond them the oldest is forgotten.
const MEMORY_MAX: usize = 4_096;

/// The deaths of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    Clean,
    Suspect,
    Convicted,
}

#[derive(Debug)]
pub(super) struct Quarantine {
    records: HashMap<Identity, Record>,
    /// The messages in `records`, oldest first.
    order: VecDeque<Identity>,
    memory_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    deaths: u32,
    last: Instant,
}

impl Record {
    fn suspicion(self, now: Instant) -> Suspicion {
        let Some(again) = self.deaths.checked_sub(DEATHS_TO_CONVICT) else { return Suspicion::Suspect };
        let term = TERM.saturating_mul(2_u32.saturating_pow(again)).min(TERM_MAX);
        if now.saturating_duration_since(self.last) < term { Suspicion::Convicted } else { Suspicion::Suspect }
    }
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { records: HashMap::new(), order: VecDeque::new(), memory_max: MEMORY_MAX }
    }
}

impl Quarantine {
    /// Whether no message has any deaths: the usual case, and a cheap check.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn suspicion(&self, whose: Identity, now: Instant) -> Suspicion {
        self.records.get(&whose).map_or(Suspicion::Clean, |record| record.suspicion(now))
    }

    /// Counts a death and returns how many there are now.
    pub(super) fn record_death(&mut self, whose: Identity, now: Instant) -> u32 {
        if let Some(record) = self.records.get_mut(&whose) {
            *record = Record { deaths: record.deaths.saturating_add(1), last: now };
            return record.deaths;
        }
        if self.order.len() >= self.memory_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.records.remove(&oldest);
        }
        self.records.insert(whose, Record { deaths: 1, last: now });
        self.order.push_back(whose);
        1
    }

    /// Forgets the deaths of a message.
    pub(super) fn acquit(&mut self, whose: Identity) {
        if self.records.remove(&whose).is_some() {
            self.order.retain(|held| *held != whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: u128) -> Identity {
        Identity { kind: "note", key }
    }

    #[test]
    fn second_death_convicts_a_message() {
        let (mut quarantine, now) = (Quarantine::default(), Instant::now());
        assert!(quarantine.is_empty());
        assert_eq!(quarantine.suspicion(message(1), now), Suspicion::Clean);
        assert_eq!(quarantine.record_death(message(1), now), 1);
        assert_eq!(quarantine.suspicion(message(1), now), Suspicion::Suspect);
        assert_eq!(quarantine.record_death(message(1), now), 2);
        assert_eq!(quarantine.suspicion(message(1), now), Suspicion::Convicted);
        assert_eq!(quarantine.suspicion(message(2), now), Suspicion::Clean);
        assert_eq!(quarantine.suspicion(Identity { kind: "bury", key: 1 }, now), Suspicion::Clean);
    }

    #[test]
    fn conviction_ends_with_its_term_and_each_death_doubles_the_next() {
        let (mut quarantine, start) = (Quarantine::default(), Instant::now());
        quarantine.record_death(message(1), start);
        let mut now = start;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            quarantine.record_death(message(1), now);
            let term = Duration::from_secs(60 * minutes);
            assert_eq!(quarantine.suspicion(message(1), now + term - Duration::from_nanos(1)), Suspicion::Convicted);
            now += term;
            assert_eq!(quarantine.suspicion(message(1), now), Suspicion::Suspect, "after {minutes} min");
        }
        (0..100).for_each(|_| _ = quarantine.record_death(message(1), now));
        assert_eq!(quarantine.suspicion(message(1), now + TERM_MAX), Suspicion::Suspect);
    }

    #[test]
    fn surviving_message_is_acquitted() {
        let (mut quarantine, now) = (Quarantine::default(), Instant::now());
        quarantine.record_death(message(1), now);
        quarantine.acquit(message(1));
        quarantine.acquit(message(1));
        assert!(quarantine.is_empty() && quarantine.order.is_empty());
        assert_eq!(quarantine.record_death(message(1), now), 1);
    }

    #[test]
    fn quarantine_is_bounded_and_forgets_the_oldest() {
        let (mut quarantine, now) = (Quarantine { memory_max: 2, ..Quarantine::default() }, Instant::now());
        for key in 1..=3 {
            quarantine.record_death(message(key), now);
        }
        assert_eq!(quarantine.suspicion(message(1), now), Suspicion::Clean);
        assert_eq!(quarantine.suspicion(message(3), now), Suspicion::Suspect);
        assert_eq!((quarantine.records.len(), quarantine.order.len()), (2, 2));
    }
}
