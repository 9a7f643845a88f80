//! What outlives the processes, and the process that there is at the moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::acknowledged::Acknowledged;
use super::faults::{FaultRates, SeededFaults};
use super::outside::{Books, MemoryCache, MemoryPsp, NoLimits};
use super::store::Store;
use crate::actors::breaker::{ForceOrder, Forced};
use crate::config::{Config, Roles};
use crate::domain::Timestamp;
use crate::domain::commands::RecordOperatorAction;
use crate::domain::dead_letter::Operator;
use crate::domain::testing::TRACE;
use crate::flows::{App, Call};
use crate::node::simulated::build;
use crate::runtime::{Chance, Environment, Fault, Running};

/// See the module. Clones share everything.
#[derive(Clone)]
pub struct Cluster {
    pub store: Store,
    pub books: Books,
    pub weather: FaultRates,
    environment: Environment,
    config: Arc<Config>,
    process: Arc<Mutex<Option<App>>>,
    /// Wakes in the order of waiting. A `watch` wakes in an order that it draws itself, and a seed would not repeat.
    change: Arc<Notify>,
    told: Arc<Mutex<Vec<Acknowledged>>>,
    history: Arc<Mutex<Vec<String>>>,
}

impl Cluster {
    pub fn new(environment: Environment) -> Self {
        let mut config = Config::default();
        // Whoever measures would read the tables in between.
        config.telemetry.metrics = false;
        config.psp.timeout_ms = 1_000;
        config.resolver.after_ms = 4_000;
        config.resolver.ladder_ms = [500, 2_000, 2_000, 2_000, 3_000];
        config.requests.retry_base_ms = 100;
        config.requests.retry_cap_ms = 1_000;
        config.requests.grace_ms = 1_000;
        config.breaker.open_ms = 500;
        // Not at its end before the term of what is quarantined is.
        config.dead_letters.redrive_every_ms = 10_000;
        // Fewer looks at nothing: half of a seed's time would go there.
        config.outbox.poll_ms = 200;
        Self {
            store: Store::new(&config),
            books: Arc::default(),
            weather: FaultRates::default(),
            environment,
            config: Arc::new(config),
            process: Arc::default(),
            change: Arc::default(),
            told: Arc::default(),
            history: Arc::default(),
        }
    }

    /// The process that runs, and what ends when it dies.
    pub async fn process(&self) -> (App, Notified<'_>) {
        loop {
            let change = self.change.notified();
            let process = self.process.lock().clone();
            match process {
                Some(app) => return (app, change),
                None => change.await,
            }
        }
    }

    fn change_process(&self, process: Option<App>) {
        *self.process.lock() = process;
        self.change.notify_waiters();
    }

    pub fn tell(&self, told: Acknowledged) {
        self.note(format!("{told:?}"));
        self.told.lock().push(told);
    }

    pub fn note(&self, what: String) {
        self.history.lock().push(format!("{} {what}", self.environment.clock.now_ms()));
    }

    pub fn told(&self) -> Vec<Acknowledged> {
        self.told.lock().clone()
    }

    pub fn history(&self) -> Vec<String> {
        self.history.lock().clone()
    }

    /// Runs one process after the other, each until it dies.
    pub async fn keep_running(self) {
        loop {
            let fates = SeededFaults::new(self.environment.chance.clone(), self.weather.clone());
            let running = self.start(&fates).await;
            tokio::select! {
                biased;
                () = self.weather.death.notified() => self.note("death".to_owned()),
                escalation = running.failed() => self.note(format!("gave up: {escalation}")),
            }
            fates.die();
            self.change_process(None);
            self.store.shards.iter().for_each(|shard| shard.lock().crash());
            tokio::task::spawn_local(async move { running.stop(Duration::ZERO).await });
            // Whoever died told of it; who gave up has nobody to tell.
            let _ = futures_util::FutureExt::now_or_never(self.weather.death.notified());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn start(&self, fates: &Arc<SeededFaults>) -> Arc<Running> {
        let psp = MemoryPsp { books: self.books.clone(), fate: fates.clone(), chance: self.environment.chance.clone() };
        let answers = MemoryCache { answers: Arc::default(), fate: fates.clone() };
        let adapters = self.store.adapters(&self.config, fates, Arc::new(psp), Arc::new(answers), Arc::new(NoLimits));
        // A process has faults, clock and chance of the cluster, and dead letters and meters of its own.
        let Environment { clock, chance, placement, .. } = self.environment.clone();
        let environment = Environment::new(clock, chance, placement);
        environment.faults.enable();
        tokio::task::spawn_local(mischief(environment.clone(), fates.clone()));
        let (app, running) = build(&environment, &self.config, Roles::all(), adapters).await.expect("the tree starts");
        tokio::task::spawn_local(leave_psp_alone(app.clone(), environment.chance.clone(), fates.clone()));
        tokio::task::spawn_local(self.clone().operate(app.clone(), fates.clone()));
        self.change_process(Some(app));
        running
    }

    /// An operator acts now and then, and remembers what was noted for good.
    async fn operate(self, app: App, fates: Arc<SeededFaults>) {
        let chance = self.environment.chance.clone();
        while fates.may_strike() {
            tokio::time::sleep(chance.jitter(Duration::from_secs(4))).await;
            let shards = app.shards.all();
            let shard = &shards[usize::try_from(chance.below(shards.len() as u64)).unwrap_or_default()];
            let target = format!("target {:016x}", chance.u64());
            let noting = RecordOperatorAction {
                bucket: app.shards.bucket_of(shard),
                kind: "test.act",
                target: target.clone(),
                detail: String::new(),
                operator: Operator { name: "kim".to_owned(), request_id: "req_1".to_owned() },
                trace: TRACE,
            };
            if shard.write(noting).await.is_ok() {
                self.tell(Acknowledged::Noted { target });
            }
        }
    }

    /// No more faults.
    pub fn clear_up(&self) {
        self.weather.is_fair.store(true, Ordering::Relaxed);
    }
}

/// Has actors of a process panic, lose what they hold, or be slow, as long as it lives and the weather is bad.
async fn mischief(environment: Environment, fates: Arc<SeededFaults>) {
    let Environment { chance, faults, .. } = environment;
    while fates.may_strike() {
        tokio::time::sleep(chance.jitter(Duration::from_secs(2))).await;
        let place = usize::try_from(chance.below(ACTORS.len() as u64)).unwrap_or_default();
        let fault = match chance.below(4) {
            0 | 1 => Fault::Panic,
            2 => Fault::Drop,
            _ => Fault::Delay(chance.jitter(Duration::from_secs(1))),
        };
        // A process on its way up or down has no such actor.
        let _ = faults.inject(ACTORS[place], None, fault, 1);
    }
}

/// Forces the PSP's breaker open now and then, most of all when the process has just begun, and gives it back to
/// itself.
async fn leave_psp_alone(app: App, chance: Chance, fates: Arc<SeededFaults>) {
    let order = |state| ForceOrder {
        state,
        reason: "to see".to_owned(),
        operator: "simulation".to_owned(),
        source: "here".to_owned(),
        at: Timestamp(app.clock.now_ms()),
    };
    // The control store may refuse either.
    let call = Call { request_id: "req_simulation".to_owned(), trace: TRACE };
    let force = async |state| app.operations().force_breaker("psp", order(state), &call).await;
    while fates.may_strike() {
        if chance.permille(300) {
            let _ = force(Some(Forced::Open)).await;
            tokio::time::sleep(chance.jitter(Duration::from_secs(2))).await;
            let _ = force(None).await;
        }
        tokio::time::sleep(chance.jitter(Duration::from_secs(5))).await;
    }
    // An order outlives the process that died with it.
    while force(None).await.is_err() {
        tokio::time::sleep(chance.jitter(Duration::from_secs(1))).await;
    }
}

const ACTORS: [&str; 9] = [
    "action_mover",
    "shard_writer",
    "outbox_publisher",
    "settlement",
    "refund",
    "ledger_writer",
    "resolver",
    "settlement_retrier",
    "refund_retrier",
];
