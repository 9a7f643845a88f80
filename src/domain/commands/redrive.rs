//! Try again what a dead letter is about.

use crate::domain::command::{Command, key_of};
use crate::domain::dead_letter::{DeadLetterKind, Disposal, LetterStatus, Operator, StoredDeadLetter};
use crate::domain::event::known_topic;
use crate::domain::id::{EventId, LetterId};
use crate::domain::request::{PspRequest, RequestStatus, Task};
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Redrive a letter, or say why not. The answer is none if there is no such letter.
#[derive(Debug, Clone)]
pub struct Redrive {
    pub letter_id: LetterId,
    /// Only say what would be done.
    pub is_trial: bool,
    /// None for the schedule.
    pub operator: Option<Operator>,
    pub trace: TraceContext,
}

impl Command for Redrive {
    type Answer = Option<Disposal>;
    const KIND: &'static str = "redrive";

    fn key(&self) -> u128 {
        key_of(self.letter_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.letters.insert(self.letter_id);
        let request = self.letter_id.event();
        read_set.settlements.insert(request);
        read_set.refund_requests.insert(request);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Option<Disposal> {
        let id = self.letter_id;
        let mut letter = unit.letters.get(&id)?.clone();
        let disposal = disposal_of(&letter, unit);
        if self.is_trial || !disposal.is_change() {
            return Some(disposal);
        }
        letter.due_at = (disposal == Disposal::Redelivered).then_some(unit.now);
        if disposal == Disposal::Due {
            make_due(id.event(), unit);
        }
        letter.status = LetterStatus::Redriven;
        letter.redrives = letter.redrives.saturating_add(1);
        unit.letters.put(id, letter);
        // What the schedule did is on the letter; the trail is of people.
        if let Some(operator) = &self.operator {
            unit.record_action(operator, "dead_letter.redrive", id.bucket(), &id.to_string(), disposal.name());
        }
        Some(disposal)
    }
}

/// What a redrive of the letter comes to.
fn disposal_of(letter: &StoredDeadLetter, unit: &UnitOfWork<'_>) -> Disposal {
    match letter.status {
        LetterStatus::Open => {}
        LetterStatus::Redriven => return Disposal::AlreadyRedriven,
        LetterStatus::Discarded => return Disposal::AlreadyDiscarded,
    }
    let id = letter.letter.id.event();
    match letter.matter {
        DeadLetterKind::Foreign => Disposal::NotAnEvent,
        DeadLetterKind::Event { .. } if known_topic(&letter.letter.source.topic).is_none() => Disposal::NotAnEvent,
        DeadLetterKind::Event { .. } if letter.payment_id().is_none() => Disposal::NotAnEvent,
        DeadLetterKind::Event { .. } => Disposal::Redelivered,
        DeadLetterKind::Request => {
            let request = unit.settlements.get(&id).or_else(|| unit.refund_requests.get(&id));
            request.map_or(Disposal::NothingLeft, disposal_of_request)
        }
    }
}

/// Whether a request's letter can be redriven: not after the merchant was told that it failed.
fn disposal_of_request(request: &PspRequest) -> Disposal {
    match (request.status, request.task) {
        (RequestStatus::Pending, _) => Disposal::Due,
        (RequestStatus::Done, _) => Disposal::DoneMeanwhile,
        // The payment is voided or expired already; what failed is the release at the PSP, which no merchant was told
        // of.
        (RequestStatus::Failed, Task::Void) => Disposal::Due,
        (RequestStatus::Failed, Task::Capture(_) | Task::Refund(_)) => Disposal::ToldAsFailed,
    }
}

/// Makes a request due now, also one whose tries were used up.
fn make_due(id: EventId, unit: &mut UnitOfWork<'_>) {
    let now = unit.now;
    let due = |request: &PspRequest| PspRequest {
        status: RequestStatus::Pending,
        attempts: if request.status == RequestStatus::Failed { 0 } else { request.attempts },
        due_at: Some(now),
        updated_at: now,
        ..request.clone()
    };
    if let Some(request) = unit.settlements.get(&id).map(due) {
        unit.settlements.put(id, request);
    } else if let Some(request) = unit.refund_requests.get(&id).map(due) {
        unit.refund_requests.put(id, request);
    }
}
