//! Control keeper: opens the control store as soon as that can be done, finds out whether it answers and takes writes,
//! and brings the breakers what operators have ordered on any node.
//! Receives: nothing but a tick.   Sends: to breakers, that an order of theirs has changed; to shards, the trail's line
//! of an order that was dropped.
//! Durable: nothing.   In memory: nothing; whether the store is out is in [`Outages`], the orders are in [`Forces`],
//! where the last known ones stay while the store is away.
//! A panic costs one look. A store that is away is no failure of this actor's. Limit: one look at a time, which is
//! bounded by the store.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::Gauge;

use super::breaker::{Breaker, BreakerMessage, ForceOrder, Forces, PendingOrder};
use super::outage::Outages;
use super::shards::Shards;
use super::trail_line::TrailLine;
use crate::domain::Timestamp;
use crate::infra::control::{ControlError, ControlStore, Given};
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Context, Failure, Handle, Never, Wake};

/// The store's name among those that one can do without.
pub const CONTROL: &str = "control";

/// See the file's header.
pub struct ControlKeeper {
    store: Arc<dyn ControlStore>,
    outages: Outages,
    breakers: ForcedBreakers,
    /// Where it is written that an order was dropped.
    shards: Shards,
    up: Gauge<u64>,
}

/// The breakers that operators can hold, and the orders that are known of them.
#[derive(Clone)]
pub struct ForcedBreakers {
    pub breakers: Vec<(&'static str, Handle<Breaker>)>,
    pub forces: Forces,
}

impl ForcedBreakers {
    /// Has a breaker obey what is known. With a full mailbox it is told with the next order, or obeys when it looks.
    fn tell(&self, name: &str) {
        let breaker = self.breakers.iter().find(|(known, _)| *known == name);
        if let Some(Err(error)) = breaker.map(|(_, breaker)| breaker.tell(BreakerMessage::Obey)) {
            tracing::warn!(breaker.name = name, %error, "breaker not told of an operator's order");
        }
    }
}

impl ControlKeeper {
    pub fn new(store: Arc<dyn ControlStore>, outages: Outages, breakers: ForcedBreakers, shards: Shards) -> Self {
        Self { store, outages, breakers, shards, up: catalogue::CONTROL_STORE_UP.to_gauge() }
    }

    /// Brings the store what was ordered while it was away, reads what is kept, and has the breakers obey what is news.
    /// What cannot be read changes nothing.
    async fn learn(&self, now: Timestamp) {
        let forces = &self.breakers.forces;
        for (name, pending) in forces.pending() {
            // If it cannot be done now, it is done at the next look.
            if let Ok(kept) = self.brought(name, &pending, now).await {
                self.settle(name, &pending, kept);
            }
        }
        let generation = forces.generation();
        let Ok(rows) = self.store.forced_breakers().await else { return };
        for (name, _) in &self.breakers.breakers {
            let row = rows.iter().find(|row| row.name == *name).cloned();
            if forces.learn(name, row.map(ForceOrder::from_stored), generation) {
                self.breakers.tell(name);
            }
        }
    }

    /// Brings the store an order, or what took it back if the store has it: its answer may have been lost. Returns what
    /// is kept then.
    async fn brought(
        &self,
        name: &str,
        pending: &PendingOrder,
        now: Timestamp,
    ) -> Result<Option<ForceOrder>, ControlError> {
        let bring = async |order: &ForceOrder| {
            let kept = self.store.force_breaker(&order.stored(name), Given::Earlier, now).await?;
            Ok(Some(ForceOrder::from_stored(kept)))
        };
        let Some(by) = &pending.taken_back else { return bring(&pending.order).await };
        let kept = self.store.forced_breakers().await?.into_iter().find(|row| row.name == name);
        match kept.map(ForceOrder::from_stored) {
            Some(kept) if kept.is_same(&pending.order) => {
                let at = by.at.max(kept.at.after(Duration::from_millis(1)));
                bring(&ForceOrder { at, ..by.clone() }).await
            }
            kept => Ok(kept),
        }
    }

    /// Goes by what the store has, and says so if it is not what was ordered here.
    fn settle(&self, name: &'static str, pending: &PendingOrder, kept: Option<ForceOrder>) {
        if !self.breakers.forces.brought(name, pending, kept.clone()) {
            return;
        }
        self.breakers.tell(name);
        let PendingOrder { order, operator, trace, taken_back } = pending;
        let Some(newer) = kept.filter(|kept| taken_back.is_none() && !kept.is_same(order)) else { return };
        let detail = format!("{}, on one node; dropped, since a newer order holds: {}", order.said(), newer.said());
        tracing::warn!(
            breaker.name = name,
            detail,
            "an order of this node is older than the cluster's, and is dropped"
        );
        let (operator, target) = (operator.clone(), name.to_owned());
        let line = TrailLine { kind: "breaker.superseded", target, detail, operator, trace: *trace };
        tokio::spawn(line.write(self.shards.clone()));
    }
}

impl Actor for ControlKeeper {
    type Message = Never;

    async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
        Ok(())
    }

    async fn wake(&mut self, ctx: &Context) -> Result<Wake, Failure> {
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
        self.learn(Timestamp(ctx.clock().now_ms())).await;
        Ok(Wake::Idle)
    }
}

#[cfg(test)]
mod tests;
