//! Whether this process is the one to do a certain work, for those who do it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::infra::lease::Grant;

/// How long a lease outlives its holder. With [`super::leases::RENEW_EVERY`] and a poll of the worker's, another host
/// is at work within 5 s of the holder's death.
pub const LEASE_TTL: Duration = Duration::from_millis(3_500);
/// By how much the holder's own view ends before the store's: clocks that run unevenly, and work that is begun late.
const MARGIN: Duration = Duration::from_millis(500);

/// Where a process stands with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It is the one, with this fencing token.
    Held(i64),
    /// The store has not answered for so long that nobody holds the lease for sure: everyone works. It costs double
    /// work and no money, for which unique keys, versions and idempotency keys answer.
    Degraded,
    /// Another is the one, or nobody knows yet.
    NotMine,
}

/// A lease as its process sees it: what the store said last, and when.
pub struct Lease {
    name: Arc<str>,
    view: Arc<Mutex<View>>,
}

#[derive(Clone, Copy)]
struct View {
    /// When the question was asked that the store answered last; at first, when the process began to wait for an
    /// answer.
    answered: Instant,
    grant: Option<Grant>,
}

impl View {
    fn standing(&self, now: Instant) -> LeaseState {
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
        Self { name: name.into(), view: Arc::new(Mutex::new(View { answered: now, grant: None })) }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// For a holder. It follows the lease.
    pub fn lease_guard(&self) -> LeaseGuard {
        LeaseGuard(Some(self.view.clone()))
    }

    pub fn standing(&self, now: Instant) -> LeaseState {
        self.view.lock().standing(now)
    }

    /// What the store said to a question asked at `asked`, which is before its time began to run.
    pub(super) fn settle(&self, grant: Option<Grant>, asked: Instant) {
        *self.view.lock() = View { answered: asked, grant };
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

    /// Whether to work at this moment: see [`LeaseState`].
    pub fn is_to_work(&self, now: Instant) -> bool {
        self.0.as_ref().is_none_or(|view| view.lock().standing(now) != LeaseState::NotMine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_ends_before_the_lease_and_without_a_store_everyone_works() {
        let start = Instant::now();
        let lease = Lease::new("publisher:shard-1", start);
        let lease_guard = lease.lease_guard();
        let at = |ms| start + Duration::from_millis(ms);
        let expect = |ms, standing| {
            assert_eq!(lease.standing(at(ms)), standing, "at {ms}");
            assert_eq!(lease_guard.is_to_work(at(ms)), standing != LeaseState::NotMine, "at {ms}");
        };
        expect(0, LeaseState::NotMine);
        expect(3_500, LeaseState::NotMine);
        expect(3_501, LeaseState::Degraded);
        lease.settle(Some(Grant { token: 7 }), at(4_000));
        expect(4_000, LeaseState::Held(7));
        expect(6_999, LeaseState::Held(7));
        expect(7_000, LeaseState::NotMine);
        expect(7_500, LeaseState::NotMine);
        expect(7_501, LeaseState::Degraded);
        lease.settle(None, at(8_000));
        expect(8_000, LeaseState::NotMine);
        expect(11_501, LeaseState::Degraded);
    }

    #[test]
    fn the_only_process_always_works() {
        assert!(LeaseGuard::always().is_to_work(Instant::now()));
    }
}
