//! What could not be applied is kept with its cause, so that people can see it, mend the cause and try again.
//!
//! A letter has the id of the event that it is about, so that the same failure met twice is one letter, and a letter
//! that was redriven in vain is open again. What a redrive does: an event is delivered once more, to the consumer that
//! could not apply it and under its own id, so that it is applied once; work owed to the PSP is made due, and the PSP's
//! key makes it one effect. What a merchant was told has failed stays failed: the merchant may have acted on it.

use serde::Serialize;

use super::event::DeadLetterTopic;
use super::id::{ActionId, EventId, LetterId, PaymentId};
use super::shard_map::Bucket;
use super::time::Timestamp;
use super::trace::TraceContext;

/// One dead letter: what failed, where it came from, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub id: LetterId,
    /// Where it is published.
    #[serde(serialize_with = "topic_name")]
    pub topic: DeadLetterTopic,
    pub source: Source,
    /// The original event's payload, as it was.
    pub payload: String,
    pub error_type: String,
    pub error_message: String,
    /// Tries that have failed, over all redrives.
    pub retry_count: u32,
    pub first_failed_at: Timestamp,
    pub last_failed_at: Timestamp,
    /// 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// Where a dead letter came from. Position and offset are known for what was read from the event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    pub topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<i64>,
    pub key: String,
}

fn topic_name<S: serde::Serializer>(topic: &DeadLetterTopic, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(topic.name())
}

/// What a letter is about, and with it what a redrive can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterKind {
    /// An event of ours that a consumer could not apply.
    Event { occurred_at: Timestamp, trace: TraceContext },
    /// Work owed to the PSP; the letter's id is the request's.
    Request,
    /// A record that is no event of ours: nobody can apply it.
    Foreign,
}

impl DeadLetterKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Event { .. } => "event",
            Self::Request => "request",
            Self::Foreign => "foreign",
        }
    }
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LetterStatus {
    /// It waits for somebody.
    Open,
    /// It is tried again, or was, and has not failed since.
    Redriven,
    /// Somebody has decided that nothing is to be done.
    Discarded,
}

impl LetterStatus {
    pub const ALL: [Self; 3] = [Self::Open, Self::Redriven, Self::Discarded];

    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A dead letter as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    pub letter: DeadLetter,
    pub matter: DeadLetterKind,
    pub status: LetterStatus,
    /// How often it was redriven.
    pub redrives: u32,
    /// When it is delivered again: soon after a redrive, or on the schedule; none if it is not.
    pub due_at: Option<Timestamp>,
    /// Why it was discarded.
    pub note: Option<String>,
    pub version: i64,
}

impl StoredDeadLetter {
    /// A letter that nobody has looked at yet.
    pub fn new(letter: DeadLetter, matter: DeadLetterKind) -> Self {
        let status = LetterStatus::Open;
        Self { letter, matter, status, redrives: 0, due_at: None, note: None, version: 0 }
    }

    /// The payment that it is about, if it is about one.
    pub fn payment_id(&self) -> Option<PaymentId> {
        self.letter.source.key.parse().ok()
    }
}

impl LetterId {
    /// The letter about this event, or about the request that the event asks for.
    pub fn of(event: EventId) -> Self {
        Self::from_stored(event.get())
    }

    /// The letter about a record that is no event of ours: the same each time that the record is read. Its time means
    /// nothing; its bucket is the partition's.
    pub fn of_record(topic: &str, partition: u32, offset: i64) -> Self {
        let place = super::key::Fingerprint::of([
            ("topic", topic),
            ("partition", &partition.to_string()),
            ("offset", &offset.to_string()),
        ]);
        let mut number = [0; 8];
        number.copy_from_slice(&place.0[..8]);
        Self::from_stored(i64::from_be_bytes(number) & i64::MAX).in_bucket(Bucket::wrapping(u64::from(partition)))
    }

    /// The event, or the request, that the letter is about.
    pub fn event(self) -> EventId {
        EventId::from_stored(self.get())
    }
}

/// What an operator did, for the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub id: ActionId,
    pub at: Timestamp,
    /// Who, as they named themselves; at most 64 characters.
    pub operator: String,
    /// Such as `dead_letter.redrive`; at most 40 characters.
    pub kind: &'static str,
    /// To what; at most 64 characters.
    pub target: String,
    /// What came of it; at most 1024 characters.
    pub detail: String,
    /// The request with which it was done.
    pub request_id: String,
}

/// Who asks for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub name: String,
    pub request_id: String,
}

/// What a redrive or a discard comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disposal {
    /// It is delivered again.
    Redelivered,
    /// The work is due again, now.
    Due,
    /// What it is about has been done meanwhile: the letter is closed.
    DoneMeanwhile,
    /// It is put away.
    Discarded,
    /// It was redriven before and has not failed since: nothing is done a second time.
    AlreadyRedriven,
    /// It was discarded before.
    AlreadyDiscarded,
    /// It is no event of ours, so there is nobody to apply it: discard it.
    NotAnEvent,
    /// The merchant was told that it failed, and may have acted on it: discard it.
    ToldAsFailed,
    /// There is nothing left that it is about.
    NothingLeft,
    /// There is no such letter.
    NotFound,
    /// No decision was recorded, or nobody knows of one: its shard is away, or refuses this letter. Ask again.
    Failed,
}

impl Disposal {
    /// Whether something changes.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Redelivered | Self::Due | Self::DoneMeanwhile | Self::Discarded)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Redelivered => "redelivered",
            Self::Due => "due",
            Self::DoneMeanwhile => "done_meanwhile",
            Self::Discarded => "discarded",
            Self::AlreadyRedriven => "already_redriven",
            Self::AlreadyDiscarded => "already_discarded",
            Self::NotAnEvent => "not_an_event",
            Self::ToldAsFailed => "told_as_failed",
            Self::NothingLeft => "nothing_left",
            Self::NotFound => "not_found",
            Self::Failed => "failed",
        }
    }
}
