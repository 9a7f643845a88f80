//! Work that is owed to the PSP: a capture, the release of an authorization, or a refund. It is written in the
//! transaction that promises it and stays until the PSP has done it or will never do it.

use super::failure::{Failure, FailureCode};
use super::id::{EventId, PaymentId, RefundId};
use super::money::Money;
use super::policy::Policy;
use super::psp::{PspKey, Verdict};
use super::time::Timestamp;
use super::trace::TraceContext;

/// What the PSP is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Which capture of the payment, from 1: another one is asked for only after the one before has failed.
    Capture(u32),
    /// Release an authorization that was voided or has expired.
    Void,
    Refund(RefundId),
}

impl Task {
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture(_) => "capture",
            Self::Void => "void",
            Self::Refund(_) => "refund",
        }
    }

    /// A capture's or a void's name among those of its payment, of 7 characters at most.
    pub fn kind(self) -> String {
        match self {
            Self::Capture(number) if number > 1 => format!("cap-{number}"),
            _ => self.name().to_owned(),
        }
    }

    /// The capture or void of this [`Self::kind`].
    pub fn of_kind(kind: &str) -> Option<Self> {
        match kind {
            "capture" => Some(Self::Capture(1)),
            "void" => Some(Self::Void),
            _ => kind.strip_prefix("cap-")?.parse().ok().filter(|number| *number > 1).map(Self::Capture),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestStatus {
    Pending,
    Done,
    Failed,
}

impl RequestStatus {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Done, Self::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// One piece of work owed to the PSP. Its id is that of the event which asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PspRequest {
    pub id: EventId,
    pub payment_id: PaymentId,
    pub task: Task,
    pub money: Money,
    pub status: RequestStatus,
    /// Tries that have failed so far.
    pub attempts: u32,
    /// Whether some try may have had an effect that is not known of.
    pub unsure: bool,
    /// When the retrier takes it; none once it has ended.
    pub due_at: Option<Timestamp>,
    pub last_error: Option<String>,
    pub trace: TraceContext,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// What an attempt means for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PspProgress {
    /// The PSP has done it.
    Done,
    /// The PSP will never do it.
    Failed { failure: Failure },
    /// It is tried again at `due_at`; `exhausted` the one time that the tries have run out while the effect is unknown.
    Again { exhausted: bool },
}

impl PspRequest {
    pub fn key(&self) -> PspKey {
        #[cfg(test)]
        if self.attempts > 0 && super::planted::is_planted(super::planted::Bug::FreshPspKey) {
            return PspKey(format!("again_{}_{}", self.id, self.attempts));
        }
        match self.task {
            Task::Capture(number) => PspKey::capture(self.payment_id, number),
            Task::Void => PspKey::void(self.payment_id),
            Task::Refund(refund_id) => PspKey::refund(refund_id),
        }
    }

    /// Takes in an attempt's verdict. A request fails only when it is certain that nothing was done: refused by the
    /// PSP, or out of tries with no try in doubt. Out of tries with one in doubt, it goes on at the longest interval.
    pub fn take(&mut self, verdict: &Verdict, policy: &Policy, chance: u64, now: Timestamp) -> PspProgress {
        self.updated_at = now;
        match verdict {
            Verdict::Approved { money, .. } if *money == self.money => {
                self.end(RequestStatus::Done);
                return PspProgress::Done;
            }
            Verdict::Approved { .. } => self.unsure = true,
            Verdict::Declined { reason } => {
                self.end(RequestStatus::Failed);
                self.last_error = Some(reason.clone());
                return PspProgress::Failed { failure: Failure::refused(reason) };
            }
            Verdict::Unknown { .. } => self.unsure = true,
            Verdict::Absent => self.unsure = false,
            Verdict::NotSent { .. } => {}
        }
        self.attempts = self.attempts.saturating_add(1);
        self.last_error = Some(format!("{} {}", verdict.word(), verdict.why()).trim_end().to_owned());
        if self.attempts >= policy.retry.tries_max && !self.unsure {
            self.end(RequestStatus::Failed);
            return PspProgress::Failed { failure: FailureCode::PspUnavailable.into() };
        }
        self.due_at = Some(now.after(policy.retry.delay(self.attempts, chance)));
        PspProgress::Again { exhausted: self.attempts == policy.retry.tries_max }
    }

    fn end(&mut self, status: RequestStatus) {
        self.status = status;
        self.due_at = None;
    }

    /// Whether the next failed try would be the last, with an earlier one in doubt: then the PSP is asked by key first.
    pub fn needs_lookup(&self, policy: &Policy) -> bool {
        self.unsure && self.attempts.saturating_add(1) >= policy.retry.tries_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn request() -> PspRequest {
        PspRequest {
            id: EventId::from_stored(1),
            payment_id: PaymentId::from_stored(2),
            task: Task::Capture(1),
            money: Money::new(100, Currency::parse("KRW").unwrap()),
            status: RequestStatus::Pending,
            attempts: 0,
            unsure: false,
            due_at: None,
            last_error: None,
            trace: TraceContext { trace_id: 1, span_id: 1, sampled: false },
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            version: 0,
        }
    }

    #[test]
    fn each_capture_has_a_kind_and_a_key_of_its_own_and_the_first_keeps_those_it_always_had() {
        let payment = PaymentId::from_stored(2);
        for (task, kind, key) in [
            (Task::Capture(1), "capture", format!("cap_{payment}")),
            (Task::Capture(2), "cap-2", format!("cap_{payment}_2")),
            (Task::Capture(99), "cap-99", format!("cap_{payment}_99")),
            (Task::Void, "void", format!("void_{payment}")),
        ] {
            assert_eq!((task.kind().as_str(), Task::of_kind(kind)), (kind, Some(task)));
            assert_eq!(PspRequest { task, ..request() }.key(), PspKey(key));
        }
        for unknown in ["cap-1", "cap-", "refund", ""] {
            assert_eq!(Task::of_kind(unknown), None, "{unknown}");
        }
    }

    fn not_sent() -> Verdict {
        Verdict::NotSent { why: "refused".into() }
    }

    #[test]
    fn fails_after_the_last_try_when_nothing_can_have_happened() {
        let (mut request, policy) = (request(), Policy::default());
        for try_ in 1..policy.retry.tries_max {
            assert_eq!(
                request.take(&not_sent(), &policy, 7, Timestamp(0)),
                PspProgress::Again { exhausted: false },
                "{try_}"
            );
            assert!(request.due_at > Some(Timestamp(0)));
        }
        assert!(matches!(request.take(&not_sent(), &policy, 7, Timestamp(0)), PspProgress::Failed { .. }));
        assert_eq!((request.status, request.due_at), (RequestStatus::Failed, None));
    }

    #[test]
    fn never_fails_while_a_try_is_in_doubt() {
        let (mut request, policy) = (request(), Policy::default());
        request.take(&Verdict::Unknown { why: "timeout".into() }, &policy, 7, Timestamp(0));
        let mut exhausted = 0;
        for _ in 0..30 {
            match request.take(&not_sent(), &policy, 7, Timestamp(0)) {
                PspProgress::Again { exhausted: true } => exhausted += 1,
                PspProgress::Again { exhausted: false } => {}
                ended => panic!("{ended:?}"),
            }
        }
        assert_eq!((request.status, exhausted), (RequestStatus::Pending, 1));
        assert!(request.needs_lookup(&policy));
        assert!(matches!(request.take(&Verdict::Absent, &policy, 7, Timestamp(0)), PspProgress::Failed { .. }));
    }

    #[test]
    fn an_approval_of_another_amount_is_no_approval() {
        let (mut request, policy) = (request(), Policy::default());
        let other = Verdict::Approved { reference: "x".into(), money: Money { minor: 99, ..request.money } };
        assert!(matches!(request.take(&other, &policy, 7, Timestamp(0)), PspProgress::Again { .. }));
        assert!(request.unsure);
    }
}
