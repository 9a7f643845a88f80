//! The branch of those whom calls ask first: breakers, the rate limiter, the cache of answers, and the leases.

use std::sync::Arc;
use std::time::Duration;

use super::builder::{FRONT, TreeBuilder};
use crate::actors::breaker::{self, Breaker, Forces};
use crate::actors::idempotency_cache::{self, IdempotencyCache};
use crate::actors::leases::{self, Leases};
use crate::actors::outage::Outages;
use crate::actors::rate_limiter::{self, RateLimiter};
use crate::infra::cache::limits::MemoryLimits;
use crate::infra::cache::{AnswerCache, LimitStore};
use crate::infra::lease::LeaseStore;
use crate::node::lease_registry::LeaseRegistry;
use crate::runtime::{Handle, Supervisor};

impl TreeBuilder<'_> {
    pub(super) fn breaker(
        &self,
        guards: &mut Supervisor,
        name: &'static str,
        guarded: &'static str,
        forces: &Forces,
    ) -> Handle<Breaker> {
        let figures = &self.config.breaker;
        let settings = breaker::Settings {
            window: Duration::from_millis(figures.window_ms),
            minimum_calls: figures.minimum_calls,
            streak_calls: figures.streak_calls,
            failure_rate_percent: figures.failure_rate_percent,
            slow_rate_percent: figures.slow_rate_percent,
            slow_call: Duration::from_millis(figures.slow_call_ms),
            open: Duration::from_millis(figures.open_ms),
            trial_calls: figures.trial_calls,
        };
        let forces = forces.clone();
        guards.actor(self.common(breaker::options(name), FRONT), move || {
            Breaker::new(guarded, settings.clone(), forces.clone())
        })
    }

    pub(super) fn rate_limiter(
        &self,
        guards: &mut Supervisor,
        store: Arc<dyn LimitStore>,
        outages: &Outages,
    ) -> Handle<RateLimiter> {
        let figures = &self.config.limits;
        let limits = rate_limiter::RateLimits {
            authorize_per_minute: figures.authorize_per_minute,
            capture_per_minute: figures.capture_per_minute,
            refund_per_minute: figures.refund_per_minute,
        };
        let hosts = figures.hosts;
        let local = Arc::new(MemoryLimits::default());
        let options = self.common(rate_limiter::options(), FRONT);
        let outages = outages.clone();
        guards.actor(options, move || RateLimiter::new(store.clone(), local.clone(), limits, hosts, outages.clone()))
    }

    pub(super) fn idempotency_cache(
        &self,
        guards: &mut Supervisor,
        answers: Arc<dyn AnswerCache>,
        outages: &Outages,
    ) -> Handle<IdempotencyCache> {
        let outages = outages.clone();
        guards.actor(self.common(idempotency_cache::options(), FRONT), move || {
            IdempotencyCache::new(answers.clone(), outages.clone())
        })
    }

    /// Renews this process's leases.
    pub(super) fn leases(
        &self,
        guards: &mut Supervisor,
        store: Arc<dyn LeaseStore>,
        leases: LeaseRegistry,
        outages: &Outages,
    ) {
        let outages = outages.clone();
        // Another one for every process, also for one that starts anew.
        let holder: Arc<str> = format!("node-{}-{:016x}", self.config.node.id, self.environment.chance.u64()).into();
        let leases = leases.into_leases();
        guards.actor(self.common(leases::options(), FRONT), move || {
            Leases::new(store.clone(), holder.clone(), leases.clone(), outages.clone())
        });
    }
}
