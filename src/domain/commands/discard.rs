//! Put a dead letter away.

use crate::domain::command::{Command, key_of};
use crate::domain::dead_letter::{Disposal, LetterStatus, Operator};
use crate::domain::id::LetterId;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Discard a letter: nothing is to be done about it. The answer is none if there is no such letter.
#[derive(Debug, Clone)]
pub struct Discard {
    pub letter_id: LetterId,
    pub reason: String,
    /// Only say what would be done.
    pub is_trial: bool,
    pub operator: Operator,
    pub trace: TraceContext,
}

impl Command for Discard {
    type Answer = Option<Disposal>;
    const KIND: &'static str = "discard";

    fn key(&self) -> u128 {
        key_of(self.letter_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.letters.insert(self.letter_id);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Option<Disposal> {
        let id = self.letter_id;
        let mut letter = unit.letters.get(&id)?.clone();
        if letter.status == LetterStatus::Discarded {
            return Some(Disposal::AlreadyDiscarded);
        }
        if !self.is_trial {
            letter.status = LetterStatus::Discarded;
            letter.note = Some(self.reason.clone());
            letter.due_at = None;
            unit.letters.put(id, letter);
            unit.record_action(&self.operator, "dead_letter.discard", id.bucket(), &id.to_string(), &self.reason);
        }
        Some(Disposal::Discarded)
    }
}
