//! Control keeper: opens the control store as soon as that can be done, finds out whether it answers and takes writes,
//! and brings the breakers what operators have ordered on any node.
//! Receives: nothing but a tick.   Sends: to breakers, that an order of theirs has changed.
//! Durable: nothing.   In memory: nothing; whether the store is out is in [`Outages`], the orders are in [`Forces`],
//! where the last known ones stay while the store is away.
//! A panic costs one look. A store that is away is no failure of this actor's. Limit: one look at a time, which is
//! bounded by the store.

use std::sync::Arc;

use opentelemetry::metrics::Gauge;

use super::breaker::{Breaker, BreakerMessage, ForcedBy, Forces};
use super::outage::Outages;
use crate::infra::control::ControlStore;
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Context, Failure, Handle, Never, Wake};

/// The store's name among those that one can do without.
pub const CONTROL: &str = "control";

/// See the file's header.
pub struct ControlKeeper {
    store: Arc<dyn ControlStore>,
    outages: Outages,
    breakers: ForcedBreakers,
    up: Gauge<u64>,
}

/// The breakers that operators can hold, and the orders that are known of them.
#[derive(Clone)]
pub struct ForcedBreakers {
    pub breakers: Vec<(&'static str, Handle<Breaker>)>,
    pub forces: Forces,
}

impl ForcedBreakers {
    /// Brings the store what was ordered while it was away, reads what is kept, and has the breakers obey what is news.
    /// What cannot be read changes nothing.
    async fn learn(&self, store: &dyn ControlStore) {
        for (name, order) in self.forces.pending() {
            if store.force_breaker(&order.stored(name)).await.is_ok() {
                self.forces.kept(name, &order);
            }
        }
        let generation = self.forces.generation();
        let Ok(kept) = store.forced_breakers().await else { return };
        for (name, breaker) in &self.breakers {
            let row = kept.iter().find(|row| row.name == *name).cloned();
            let is_news = self.forces.learn(name, row.and_then(ForcedBy::from_stored), generation);
            // A full mailbox: the order is in the board, and the breaker is told with the next one, or when it looks.
            if is_news && let Err(error) = breaker.tell(BreakerMessage::Obey) {
                tracing::warn!(breaker.name = name, %error, "breaker not told of an operator's order");
            }
        }
    }
}

impl ControlKeeper {
    pub fn new(store: Arc<dyn ControlStore>, outages: Outages, breakers: ForcedBreakers) -> Self {
        Self { store, outages, breakers, up: catalogue::CONTROL_STORE_UP.to_gauge() }
    }
}

impl Actor for ControlKeeper {
    type Message = Never;

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, _: &Context) -> Result<Wake, Failure> {
        let why = self.store.check().await.err().map(|error| error.to_string());
        self.up.record(why.is_none().into(), &[]);
        let before = self.outages.why(CONTROL);
        match (&before, &why) {
            (None, Some(why)) => {
                tracing::warn!(error = why, "control store is out: operators' actions wait in the shards")
            }
            (Some(_), None) => tracing::info!("control store is back"),
            _ => {}
        }
        self.outages.set(CONTROL, "check", why);
        // One that takes no writes can still be read.
        self.breakers.learn(&*self.store).await;
        Ok(Wake::Idle)
    }
}
