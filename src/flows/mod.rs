//! What a caller can ask, one operation a file, as the steps of a payment's way through the program. Called by HTTP and
//! by tests alike.

mod app;
mod authorize;
mod capability;
mod change;
mod conditions;
mod dead_letters;
mod drill;
mod drill_record;
mod error;
mod idempotency;
mod idempotency_meter;
mod jobs;
mod listing;
mod look_up;
mod merchant_ledger;
mod operations;
mod readiness;
mod refunds;
mod trail;

pub use crate::actors::admission::Priority;
pub use crate::infra::database::LetterFilter;
pub use app::{App, Parts};
pub use authorize::AuthorizeRequest;
pub use capability::{Capabilities, Capability, Level, Readiness};
pub use change::ChangeRequest;
pub use conditions::Conditions;
pub use dead_letters::{DeadLetterView, DisposalView, Disposals, LetterPage, Selection};
pub use drill_record::{DrillError, DrillView, Drills, Step, StepStatus};
pub use error::FlowError;
pub use idempotency_meter::IdempotencyMeter;
pub use jobs::{JobError, JobLease, JobView};
pub use listing::{Cursor, Page, Window};
pub use look_up::{Expand, ExpandCursor, ListQuery, PAGE_DEFAULT, PaymentDetails, PaymentEvent, TimelinePart};
pub use merchant_ledger::EntriesQuery;
pub use operations::{Operations, UnknownBreaker};
pub use refunds::RefundsQuery;
pub use trail::ActionView;

use std::time::Duration;

use crate::domain::TraceContext;
use crate::domain::dead_letter::Operator;
use crate::domain::outcome::StoredResponse;

/// One call: which request it is, and where it stands in its trace.
#[derive(Debug, Clone)]
pub struct Call {
    pub request_id: String,
    pub trace: TraceContext,
}

impl Call {
    /// The operator of this name who makes it, for the trail.
    fn by(&self, operator: &str) -> Operator {
        Operator { name: operator.to_owned(), request_id: self.request_id.clone() }
    }
}

/// What is left of a merchant's rate limit (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls in a window.
    pub limit: u32,
    pub window: Duration,
    /// Calls that are left at once.
    pub remaining: u32,
    /// Until all are there again; after a refusal, until one is.
    pub reset: Duration,
}

/// What a call that changes something came to.
#[derive(Debug)]
pub struct CallResult {
    /// None when nobody could say.
    pub quota: Option<Quota>,
    pub result: Result<Response, FlowError>,
}

/// An answer, fresh or repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub recorded: StoredResponse,
    /// Whether it is that of an earlier call under the same key.
    pub replayed: bool,
}
