//! Close a dead letter whose event was applied after all.

use crate::domain::command::{Command, key_of};
use crate::domain::dead_letter::{LetterStatus, StoredDeadLetter};
use crate::domain::id::LetterId;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Take a redriven letter off the schedule: what it is about was applied.
#[derive(Debug, Clone)]
pub struct CloseDeadLetter {
    pub letter_id: LetterId,
    pub trace: TraceContext,
}

impl Command for CloseDeadLetter {
    type Answer = ();
    const KIND: &'static str = "close_dead_letter";

    fn key(&self) -> u128 {
        key_of(self.letter_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.letters.insert(self.letter_id);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) {
        let redriven = unit.letters.get(&self.letter_id).filter(|letter| letter.status == LetterStatus::Redriven);
        if let Some(letter) = redriven.cloned() {
            unit.letters.put(self.letter_id, StoredDeadLetter { due_at: None, ..letter });
        }
    }
}
