//! The supervision tree: who there is, who supervises whom, and in which order they start. A branch is a file.

mod builder;
mod control;
mod guards;
mod pipeline;
mod shards;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::builder::{FRONT, TreeBuilder};
use self::shards::Nudges;
use super::adapters::{Adapters, is_embedded};
use super::lease_registry::LeaseRegistry;
use crate::actors::breaker::{ForceOrder, Forces};
use crate::actors::control_keeper::ForcedBreakers;
use crate::actors::guarded_psp::{GuardedPsp, PspBreakers};
use crate::actors::job::JobBoard;
use crate::actors::ledger_writer::LedgerWriter;
use crate::actors::psp_work::{PspWork, RequestMeter};
use crate::actors::psp_worker::PspWorker;
use crate::actors::shards::Shards;
use crate::config::{Config, Role, Roles};
use crate::domain::event::Consumer;
use crate::flows::{App, Conditions, IdempotencyMeter, Operations, Parts};
use crate::infra::control::ControlStore;
use crate::infra::event_log::EventLog;
use crate::runtime::{Environment, Escalation, Executor, Running, Supervisor};

/// The names of the breakers, by what they guard.
const PSP: &str = "psp";
const PSP_LOOKUP: &str = "psp_lookup";
const EVENT_LOG: &str = "event_log";

/// How long a start waits for the operators' orders.
const FORCES_WITHIN: Duration = Duration::from_secs(1);

/// Writes down the tree of these roles and starts it.
///
/// # Errors
/// The root has given up before all were up.
pub async fn build(
    environment: &Environment,
    config: &Config,
    roles: Roles,
    adapters: Adapters,
) -> Result<(App, Arc<Running>), Escalation> {
    let builder = TreeBuilder { environment, config, jobs: JobBoard::default() };
    let policy = Arc::new(config.policy());
    let mut leases = LeaseRegistry::new(adapters.leases.is_none(), environment.clock.instant());

    let mut guards = builder.supervisor("guards");
    let forces = known_forces(&*adapters.control).await;
    let psp_breaker = builder.breaker(&mut guards, "breaker_psp", PSP, &forces);
    let lookup_breaker = builder.breaker(&mut guards, "breaker_psp_lookup", PSP_LOOKUP, &forces);
    let log_breaker = builder.breaker(&mut guards, "breaker_event_log", EVENT_LOG, &forces);
    let breakers =
        vec![(PSP, psp_breaker.clone()), (EVENT_LOG, log_breaker.clone()), (PSP_LOOKUP, lookup_breaker.clone())];
    let forced = ForcedBreakers { breakers, forces };
    let free_min_bytes = if is_embedded(config) { config.storage.free_min_bytes } else { 0 };
    let storage = adapters.storage.map(|storage| (storage, free_min_bytes));
    let mut conditions = Conditions { storage, ..Conditions::default() };
    let limiter = builder.rate_limiter(&mut guards, adapters.limits, &conditions.outages);
    let cache = builder.idempotency_cache(&mut guards, adapters.answers, &conditions.outages);

    let (mut writers, nudges) = (builder.supervisor("shards"), Nudges::default());
    let shards = builder.shards(&mut writers, adapters.map, adapters.databases, &policy, &nudges);
    let readers = builder.readers(&mut writers, &shards);
    let claim_readers = builder.readers(&mut writers, &shards);

    let breakers = PspBreakers { operations: psp_breaker, lookups: lookup_breaker };
    let timeout = Duration::from_millis(config.psp.timeout_ms);
    let psp = GuardedPsp::new(adapters.psp, breakers, environment.clock.clone(), timeout);
    let (psp_work, meter) = (psp.clone(), RequestMeter::default());
    let work = PspWork { psp: psp_work, shards: shards.clone(), policy: policy.clone(), meter };
    let mut behind = Vec::new();
    if let Some(log) = &adapters.log {
        if roles.has(Role::Publisher) {
            let mut publishers = builder.supervisor("publishers");
            conditions.refusals = builder.publishers(&mut publishers, &shards, log, &log_breaker, &mut leases, &nudges);
            behind.push(publishers);
        }
        behind.extend(builder.consumers(roles, log, &work, &mut leases));
    }
    behind.push(builder.control(&adapters.control, &shards, &mut leases, &conditions.outages, &forced));
    behind.extend(builder.watchers(roles, &shards, &psp, &mut leases));
    if let Some(store) = adapters.leases {
        builder.leases(&mut guards, store, leases, &conditions.outages);
    }

    // Who is in front starts first and stops last.
    let mut root = builder.supervisor("rialto");
    [guards, writers].into_iter().chain(behind).for_each(|supervisor| root.adopt(supervisor));
    let running = Arc::new(root.start().await);
    if let Some(escalation) = futures_util::FutureExt::now_or_never(running.failed()) {
        return Err(escalation);
    }
    let (board, fault_switch) = (builder.jobs.clone(), adapters.fault_switch);
    let operations = Operations::new(running.clone(), forced, board, shards.clone(), adapters.control, fault_switch);
    let app = App::new(Parts {
        roles,
        clock: environment.clock.clone(),
        chance: environment.chance.clone(),
        executor: Executor::at(FRONT, environment),
        patience: builder.patience(),
        policy,
        ids: Mutex::new(builder.ids()),
        shards: shards.clone(),
        readers,
        claim_readers,
        admission: builder.admission(&shards),
        limiter,
        cache,
        idempotency: IdempotencyMeter::default(),
        psp,
        conditions,
        operations,
        files: adapters.files,
    });
    Ok((app, running))
}

/// The operators' orders to breakers that the control store has, so that a node begins with them. Of a store that is
/// not open they are learned once it is.
async fn known_forces(control: &dyn ControlStore) -> Forces {
    let forces = Forces::default();
    if let Ok(Ok(kept)) = tokio::time::timeout(FORCES_WITHIN, control.forced_breakers()).await {
        for row in kept {
            if let Some(name) = [PSP, PSP_LOOKUP, EVENT_LOG].into_iter().find(|name| *name == row.name) {
                forces.learn(name, Some(ForceOrder::from_stored(row)), forces.generation());
            }
        }
    }
    forces
}

impl TreeBuilder<'_> {
    /// The consumer groups that these roles have: their workers, and those who look after what these could not do.
    fn consumers(
        &self,
        roles: Roles,
        log: &Arc<dyn EventLog>,
        work: &PspWork,
        leases: &mut LeaseRegistry,
    ) -> Vec<Supervisor> {
        let (mut consumers, shards) = (Vec::new(), &work.shards);
        if roles.has(Role::Ledger) {
            let mut ledger = self.supervisor("ledger");
            let booking = LedgerWriter(shards.clone());
            self.workers(&mut ledger, "ledger_writer", log, shards, &booking);
            self.redrivers(&mut ledger, ("ledger_redriver", "redrive_ledger"), shards, booking, leases);
            consumers.push(ledger);
        }
        let psp_workers = [
            (
                (Role::Settlement, Consumer::Settlement, "settlement"),
                ("settlement_redriver", "redrive_settlements"),
                ("settlement_retrier", "retrier:settlement", "retry_settlements"),
            ),
            (
                (Role::Refund, Consumer::Refund, "refund"),
                ("refund_redriver", "redrive_refunds"),
                ("refund_retrier", "retrier:refund", "retry_refunds"),
            ),
        ];
        for ((role, consumer, name), redriver, retrier) in psp_workers {
            if roles.has(role) {
                let mut supervisor = self.supervisor(name);
                let worker = PspWorker { work: work.clone(), consumer };
                self.workers(&mut supervisor, name, log, shards, &worker);
                self.redrivers(&mut supervisor, redriver, shards, worker.clone(), leases);
                self.retriers(&mut supervisor, retrier, &worker, leases);
                consumers.push(supervisor);
            }
        }
        consumers
    }

    /// Those who look at the shards from time to time.
    fn watchers(&self, roles: Roles, shards: &Shards, psp: &GuardedPsp, leases: &mut LeaseRegistry) -> Vec<Supervisor> {
        let mut watchers = Vec::new();
        if roles.has(Role::Resolver) {
            let mut resolver = self.supervisor("resolver");
            self.resolvers(&mut resolver, shards, psp, leases);
            watchers.push(resolver);
        }
        let mut pruners = self.supervisor("pruners");
        self.pruners(&mut pruners, shards, leases);
        watchers.push(pruners);
        if self.config.telemetry.metrics {
            let mut observers = self.supervisor("observers");
            self.observers(&mut observers, shards);
            watchers.push(observers);
        }
        watchers
    }
}
