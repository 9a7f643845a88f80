//! Whether this process may do certain work, for the actors that do it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::infra::lease::{Grant, LeaseAnswer};

/// How long a lease outlives its holder. With [`super::leases::RENEW_EVERY`] and a poll of the worker's, another host
/// is at work within 5 s of the holder's death.
pub const LEASE_TTL: Duration = Duration::from_millis(3_500);
/// How much earlier the holder's view ends than the store's: clocks run unevenly, and work may begin late.
const MARGIN: Duration = Duration::from_millis(500);

/// The state of a lease for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// This process holds it, with this fencing token.
    Held(i64),
    /// The store has not answered for so long that no holder is known for sure: every process works. That doubles work
    /// and never money, because unique keys, versions and idempotency keys prevent it.
    Degraded,
    /// Another process holds it, or the holder is not known yet.
    NotMine,
}

/// A lease as its process sees it: the store's last answer, and when.
pub struct Lease {
    name: Arc<str>,
    view: Arc<Mutex<View>>,
}

#[derive(Clone)]
struct View {
    /// When the question was asked that the store answered last; at first, when the process began to wait for an
    /// answer.
    answered: Instant,
    grant: Option<Grant>,
    /// Its holder at that time, if it was another process.
    other: Option<Arc<str>>,
}

/// The holder of a lease, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseHolder {
    /// There is one process, and no leases.
    Alone,
    /// This process.
    This,
    /// The process of this name.
    Other(Arc<str>),
    /// Unknown: the store does not answer, and every process works.
    Everyone,
    /// No holder is known.
    Nobody,
}

impl LeaseHolder {
    /// Whether this process should work.
    pub fn is_to_work(&self) -> bool {
        matches!(self, Self::Alone | Self::This | Self::Everyone)
    }
}

impl View {
    fn state(&self, now: Instant) -> LeaseState {
        let age = now.saturating_duration_since(self.answered);
        match self.grant {
            Some(grant) if age < LEASE_TTL - MARGIN => LeaseState::Held(grant.token),
            _ if age > LEASE_TTL => LeaseState::Degraded,
            _ => LeaseState::NotMine,
        }
    }
}

impl Lease {
    /// A lease that nobody has asked for yet. `now` is monotonic time, as all times here.
    pub fn new(name: impl Into<Arc<str>>, now: Instant) -> Self {
        Self { name: name.into(), view: Arc::new(Mutex::new(View { answered: now, grant: None, other: None })) }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// For a holder. It follows the lease.
    pub fn lease_guard(&self) -> LeaseGuard {
        LeaseGuard(Some(self.view.clone()))
    }

    pub fn state(&self, now: Instant) -> LeaseState {
        self.view.lock().state(now)
    }

    /// Takes in the store's answer to a question asked at `asked`, which is before the lease's time began.
    pub(super) fn settle(&self, answer: LeaseAnswer, asked: Instant) {
        let (grant, other) = match answer {
            LeaseAnswer::Granted(grant) => (Some(grant), None),
            LeaseAnswer::HeldBy(other) => (None, Some(other)),
        };
        *self.view.lock() = View { answered: asked, grant, other };
    }

    /// This process stops working, whatever the store says.
    pub(super) fn give_up(&self, now: Instant) {
        *self.view.lock() = View { answered: now, grant: None, other: None };
    }
}

/// A holder's view of its lease. Cheap to clone and to ask.
#[derive(Clone)]
pub struct LeaseGuard(Option<Arc<Mutex<View>>>);

impl LeaseGuard {
    /// For a process that is the only one.
    pub fn always() -> Self {
        Self(None)
    }

    /// Its holder at this moment: see [`LeaseState`].
    pub fn holder(&self, now: Instant) -> LeaseHolder {
        let Some(view) = &self.0 else { return LeaseHolder::Alone };
        let view = view.lock();
        match view.state(now) {
            LeaseState::Held(_) => LeaseHolder::This,
            LeaseState::Degraded => LeaseHolder::Everyone,
            LeaseState::NotMine => view.other.clone().map_or(LeaseHolder::Nobody, LeaseHolder::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_ends_before_the_lease_and_without_a_store_everyone_works() {
        let start = Instant::now();
        let lease = Lease::new("publisher:shard-1", start);
        let lease_guard = lease.lease_guard();
        let at = |ms| start + Duration::from_millis(ms);
        let expect = |ms, state| {
            assert_eq!(lease.state(at(ms)), state, "at {ms}");
            assert_eq!(lease_guard.holder(at(ms)).is_to_work(), state != LeaseState::NotMine, "at {ms}");
        };
        expect(0, LeaseState::NotMine);
        expect(3_500, LeaseState::NotMine);
        expect(3_501, LeaseState::Degraded);
        lease.settle(LeaseAnswer::Granted(Grant { token: 7 }), at(4_000));
        expect(4_000, LeaseState::Held(7));
        expect(6_999, LeaseState::Held(7));
        expect(7_000, LeaseState::NotMine);
        expect(7_500, LeaseState::NotMine);
        expect(7_501, LeaseState::Degraded);
        lease.settle(LeaseAnswer::HeldBy("host 2".into()), at(8_000));
        expect(8_000, LeaseState::NotMine);
        expect(11_501, LeaseState::Degraded);
    }

    #[test]
    fn the_only_process_always_works() {
        assert!(LeaseGuard::always().holder(Instant::now()).is_to_work());
    }
}
