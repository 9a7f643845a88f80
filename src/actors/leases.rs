//! Leases: holds this process's leases, by which one host works on a shard's outbox, retries and unknown outcomes.
//! Receives: a tick.   Sends: nothing; holders read their `LeaseGuard` at each wake. All leases are renewed in one
//! call. Durable: nothing.   In memory: which leases were held at the last look; what the store said is in the
//! `Lease`s. A panic costs one renewal, which a lease survives. A clean stop gives the leases back, so others take over
//! at once. Limits: one call each [`RENEW_EVERY`]; a store that is out for longer than [`LEASE_TTL`] has every process
//! work.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge};

use super::lease_guard::{LEASE_TTL, Lease, LeaseState};
use super::outage::{Outage, Outages};
use crate::infra::lease::LeaseStore;
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Clock, Context, Failure, Never, Options, Wake};

/// How often leases are renewed, and tried for by processes that do not hold them.
pub const RENEW_EVERY: Duration = Duration::from_millis(500);

/// See the file's header.
pub struct Leases {
    store: Arc<dyn LeaseStore>,
    holder: Arc<str>,
    leases: Arc<[Lease]>,
    names: Vec<Arc<str>>,
    outage: Outage,
    /// The state of each lease at the last look.
    seen: Vec<Option<LeaseState>>,
    meter: LeaseMeter,
}

/// How the keeper of the leases runs.
pub fn options() -> Options {
    Options::new("leases").tick(RENEW_EVERY)
}

impl Leases {
    /// Holds `leases` as `holder`, which must be unique among all processes. The leases outlive the actor.
    pub fn new(store: Arc<dyn LeaseStore>, holder: Arc<str>, leases: Arc<[Lease]>, outages: Outages) -> Self {
        let names = leases.iter().map(|lease| lease.name().clone()).collect();
        let outage = Outage::new("leases", "hold", catalogue::LEASES_DEGRADED, outages);
        let seen = vec![None; leases.len()];
        Self { store, holder, names, outage, seen, meter: LeaseMeter::of(&leases), leases }
    }

    async fn renew(&mut self, clock: &Clock) {
        // The store's time starts when it is reached; this process counts from before that, so its view ends sooner.
        let asked = clock.instant();
        let call = self.store.hold_many(&self.holder, LEASE_TTL, &self.names);
        if let Some(answers) = self.outage.ask(clock, call).await {
            for (lease, answer) in self.leases.iter().zip(answers) {
                lease.settle(answer, asked);
            }
        }
        self.measure(clock);
    }

    fn measure(&mut self, clock: &Clock) {
        let now = clock.instant();
        for (lease, seen) in self.leases.iter().zip(&mut self.seen) {
            let state = lease.state(now);
            let Some(before) = seen.replace(state) else {
                self.meter.record(lease, state);
                continue;
            };
            if state != before {
                tracing::info!(lease.name = &**lease.name(), ?before, standing = ?state, "lease has changed");
                self.meter.record(lease, state);
                if matches!(before, LeaseState::Held(_)) && !matches!(state, LeaseState::Held(_)) {
                    self.meter.losses.add(1, &[label(lease)]);
                }
            }
        }
    }
}

impl Actor for Leases {
    type Message = Never;

    async fn started(&mut self, ctx: &Context) -> Result<(), Failure> {
        self.renew(ctx.clock()).await;
        Ok(())
    }

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
        self.renew(ctx.clock()).await;
        Ok(Wake::Idle)
    }

    async fn stopping(&mut self, ctx: &Context) {
        let now = ctx.clock().instant();
        for lease in &*self.leases {
            lease.give_up(now);
            self.meter.record(lease, LeaseState::NotMine);
        }
        if self.outage.ask(ctx.clock(), self.store.release_many(&self.holder, &self.names)).await.is_none() {
            tracing::info!("leases not released; they expire by themselves");
        }
    }
}

/// What is measured of the leases.
struct LeaseMeter {
    held: Gauge<u64>,
    losses: Counter<u64>,
}

impl LeaseMeter {
    fn of(leases: &[Lease]) -> Self {
        let series: Vec<_> = leases.iter().map(|lease| [label(lease)]).collect();
        let losses = catalogue::LEASE_LOSSES.to_counter_from_zero(series.iter().map(<[_; 1]>::as_slice));
        Self { held: catalogue::LEASE_HELD.to_gauge(), losses }
    }

    fn record(&self, lease: &Lease, state: LeaseState) {
        self.held.record(u64::from(matches!(state, LeaseState::Held(_))), &[label(lease)]);
    }
}

fn label(lease: &Lease) -> KeyValue {
    KeyValue::new("lease", lease.name().to_string())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::Notify;

    use super::*;
    use crate::actors::testing::story;
    use crate::infra::lease::redis::RedisLeases;
    use crate::infra::redis::RedisPool;
    use crate::infra::redis::testing::{RedisServer, eventually};

    /// What a call may take: much for a healthy Redis on a busy machine.
    const PATIENCE: Duration = Duration::from_millis(200);
    /// Within which another host must be at work.
    const TAKEOVER: Duration = Duration::from_secs(5);

    /// What a process knows.
    struct Process {
        leases: Arc<[Lease]>,
        clock: Clock,
    }

    impl Process {
        fn standings(&self) -> [LeaseState; 2] {
            [0, 1].map(|i| self.leases[i].state(self.clock.instant()))
        }

        /// Waits until it holds all, and returns the first token.
        async fn holds(&self) -> i64 {
            eventually(async || match self.standings() {
                [LeaseState::Held(token), LeaseState::Held(_)] => Some(token),
                _ => None,
            })
            .await
        }
    }

    /// Runs a process until `tell` is done, then stops it in order.
    async fn process<T>(redis: RedisPool, holder: &str, tell: impl AsyncFnOnce(Process) -> T) -> T {
        let (store, holder): (_, Arc<str>) = (Arc::new(RedisLeases::new(redis)), holder.into());
        let now = Clock::system().instant();
        let leases: Arc<[Lease]> = ["publisher:shard-1", "resolver:shard-1"].map(|name| Lease::new(name, now)).into();
        let given = leases.clone();
        let factory = move || Leases::new(store.clone(), holder.clone(), given.clone(), Outages::default());
        story(options(), factory, |_, environment| tell(Process { leases, clock: environment.clock })).await
    }

    #[tokio::test]
    async fn another_process_takes_over_within_5_s_of_a_death() {
        let server = RedisServer::start().await;
        let alive = Notify::new();
        let mut first = Box::pin(process(server.impatient_pool(PATIENCE), "host 1", async |first| {
            first.holds().await;
            alive.notify_one();
            pending::<()>().await;
        }));
        tokio::select! { () = &mut first => unreachable!("it waits forever"), () = alive.notified() => {} }
        process(server.impatient_pool(PATIENCE), "host 2", async |second| {
            let refused = async {
                let until = second.clock.instant() + LEASE_TTL + RENEW_EVERY;
                while second.clock.instant() < until {
                    assert_eq!(second.standings(), [LeaseState::NotMine; 2]);
                    tokio::time::sleep(RENEW_EVERY / 10).await;
                }
            };
            tokio::select! { () = &mut first => unreachable!("it waits forever"), () = refused => {} }
            // Dropped without an orderly stop.
            drop(first);
            let died = second.clock.instant();
            second.holds().await;
            let took = second.clock.instant() - died;
            assert!(took <= TAKEOVER, "{took:?}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_clean_stop_hands_over_at_once_with_a_higher_token() {
        let server = RedisServer::start().await;
        let first = process(server.pool(), "host 1", async |first| first.holds().await).await;
        let stopped = Clock::system().instant();
        let second = process(server.pool(), "host 2", async |second| second.holds().await).await;
        assert!(stopped.elapsed() < LEASE_TTL / 2, "{:?}", stopped.elapsed());
        assert!(second > first);
    }

    #[tokio::test]
    async fn everyone_works_without_a_store_and_one_once_it_is_back() {
        let mut server = RedisServer::start().await;
        let pools = [server.impatient_pool(PATIENCE), server.impatient_pool(PATIENCE)];
        let [pool_1, pool_2] = pools;
        process(pool_1, "host 1", async |first| {
            process(pool_2, "host 2", async |second| {
                first.holds().await;
                server.kill();
                let all = async |expected: fn([LeaseState; 2]) -> bool| {
                    eventually(async || expected([first.standings()[0], second.standings()[0]]).then_some(())).await;
                };
                all(|standings| standings == [LeaseState::Degraded; 2]).await;
                server.restart().await;
                all(|standings| {
                    matches!(
                        standings,
                        [LeaseState::Held(_), LeaseState::NotMine] | [LeaseState::NotMine, LeaseState::Held(_)]
                    )
                })
                .await;
            })
            .await;
        })
        .await;
    }
}
