//! Actors that need a lease do nothing without it, and everything once it is there.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::LocalSet;

use super::breaker::{self, Breaker};
use super::guarded_psp::{GuardedPsp, PspBreakers};
use super::held_back::Refusals;
use super::job::{Job, JobBoard};
use super::lease_guard::{Lease, LeaseGuard};
use super::outbox_publisher::OutboxPublisher;
use super::psp_work::{PspWork, RequestMeter};
use super::resolver::Resolver;
use super::retrier::Retrier;
use super::shards::{Shard, Shards};
use super::testing::{self, START_MS};
use crate::config::SimulatorConfig;
use crate::domain::commands::{Change, ChangePayment};
use crate::domain::event::topics;
use crate::domain::policy::Policy;
use crate::domain::testing::{TRACE, approved, concluded, order};
use crate::domain::{ShardId, ShardMap, Timestamp};
use crate::infra::database::ShardDatabase;
use crate::infra::event_log::embedded::EmbeddedLog;
use crate::infra::lease::{Grant, LeaseAnswer};
use crate::infra::psp::simulator::Simulator;
use crate::infra::redis::testing::eventually;
use crate::runtime::{Clock, Environment, Intensity, Options, Strategy, Supervisor};

const TICK: Duration = Duration::from_millis(5);

/// Work that is due at a shard: events to publish, requests to the PSP, payments of unknown outcome.
async fn due(database: &ShardDatabase, clock: &Clock) -> [usize; 3] {
    let now = Timestamp(clock.now_ms());
    [
        database.unpublished(10).await.unwrap().len(),
        database.requests_due(now, false, 10).await.unwrap().len(),
        database.payments_due(now, None, 10).await.unwrap().len(),
    ]
}

/// One payment authorized and to be captured, another whose authorization has no outcome.
async fn fill(shard: &Shard) {
    let authorize = async |id| {
        let order = order(id, 100);
        shard.write(order.clone()).await.unwrap();
        order
    };
    let first = authorize(1).await;
    authorize(2).await;
    let conclusion = concluded(&first, approved(100));
    shard.write(conclusion).await.unwrap().unwrap();
    let capture = ChangePayment {
        payment_id: first.payment_id,
        merchant_id: first.merchant_id,
        change: Change::Capture { amount: None },
        keyed_request: None,
        request_id: "r".into(),
        trace: TRACE,
    };
    shard.write(capture).await.unwrap();
}

#[tokio::test]
async fn publisher_retriers_and_resolver_work_only_under_a_lease() {
    LocalSet::new().run_until(story()).await;
}

async fn story() {
    let dir = tempfile::tempdir().unwrap();
    let environment = Environment::simulated(7, START_MS);
    let clock = environment.clock.clone();
    let lease = Lease::new("all", clock.instant());
    let database = ShardDatabase::open_sqlite(ShardId(1), &dir.path().join("shard.db"), true).await.unwrap();
    let log = EmbeddedLog::open(&dir.path().join("events.db"), &topics().collect::<Vec<_>>()).await.unwrap();
    let (books, config) = (dir.path().join("psp.db"), SimulatorConfig::default());
    let psp = Simulator::start(&books, config, clock.clone(), environment.chance.clone());
    let (log, psp) = (Arc::new(log), Arc::new(psp.unwrap()));
    // Everything is due at once.
    let at_once = Policy { resolve_after: Duration::ZERO, request_grace: Duration::ZERO, ..Policy::default() };
    let policy = Arc::new(at_once);

    let mut root = Supervisor::new("story", Strategy::OneForOne, Intensity::default(), &environment);
    let breaker = root.actor(breaker::options("breaker"), || {
        Breaker::new("all", breaker::Settings::default(), breaker::Forces::default())
    });
    let shard = testing::shard(&mut root, database, policy.clone());
    let shards = Shards::new(ShardMap::dealt(1.try_into().unwrap()), vec![shard.clone()]);
    let psp = GuardedPsp::new(
        psp,
        PspBreakers { operations: breaker.clone(), lookups: breaker.clone() },
        clock.clone(),
        Duration::from_secs(5),
    );
    let work = PspWork { psp: psp.clone(), shards, policy, meter: RequestMeter::default() };
    let place = |name| JobBoard::default().place(name, ShardId(1), TICK);
    let given = || (shard.clone(), lease.lease_guard());
    let (own, lease_guard): (Shard, LeaseGuard) = given();
    root.actor(Options::new("outbox_publisher").tick(TICK), move || {
        let (log, refusals) = (log.clone(), Refusals::default());
        Job::new(
            OutboxPublisher::new(own.clone(), log, breaker.clone(), 10, Duration::ZERO, refusals),
            lease_guard.clone(),
            place("publish"),
        )
    });
    let (own, lease_guard) = given();
    root.actor(Options::new("retrier").tick(TICK), move || {
        Job::new(Retrier::new(work.clone(), own.clone(), false, 10), lease_guard.clone(), place("retry"))
    });
    let (own, lease_guard) = given();
    root.actor(Options::new("resolver").tick(TICK), move || {
        Job::new(Resolver::new(own.clone(), psp.clone(), 10), lease_guard.clone(), place("resolve"))
    });
    let running = root.start().await;

    fill(&shard).await;
    let waiting = due(&shard.database, &clock).await;
    assert!(waiting.iter().all(|count| *count > 0), "{waiting:?}");
    tokio::time::sleep(40 * TICK).await;
    assert_eq!(due(&shard.database, &clock).await, waiting);
    eventually(async || {
        lease.settle(LeaseAnswer::Granted(Grant { token: 1 }), clock.instant());
        (due(&shard.database, &clock).await == [0; 3]).then_some(())
    })
    .await;
    running.stop(Duration::from_secs(1)).await;
}
