//! `/admin`: for operators.

mod actions;
mod actors;
mod breakers;
mod dead_letters;
mod drill;
mod faults;
mod jobs;
mod reason;

use super::endpoint::Entry;

/// A path with fixed names stands before one with parameters in their place.
pub const ENDPOINTS: &[Entry] = &[
    Entry::of::<actors::ShowActors>(),
    Entry::of::<actors::ListActorDeadLetters>(),
    Entry::of::<jobs::ListJobs>(),
    Entry::of::<breakers::ListBreakers>(),
    Entry::of::<drill::ShowDrill>(),
    Entry::of::<drill::BeginDrill>(),
    Entry::of::<breakers::ForceBreaker>(),
    Entry::of::<dead_letters::ListDeadLetters>(),
    Entry::of::<dead_letters::RedriveDeadLetters>(),
    Entry::of::<dead_letters::DiscardDeadLetters>(),
    Entry::of::<dead_letters::ShowDeadLetter>(),
    Entry::of::<actions::ListActions>(),
    Entry::of::<faults::ListFaults>(),
    Entry::of::<faults::InjectFault>(),
    Entry::of::<faults::ClearFaults>(),
    Entry::of::<faults::JumpClock>(),
];
