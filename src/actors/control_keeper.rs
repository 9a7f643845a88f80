//! Control keeper: opens the control store as soon as that can be done, and finds out whether it answers.
//! Receives: nothing but a tick.   Sends: nothing.
//! Durable: nothing.   In memory: nothing; whether the store is out is in [`Outages`].
//! A panic costs one look. A store that is away is no failure of this actor's. Limit: one look at a time, which is
//! bounded by the store.

use std::sync::Arc;

use opentelemetry::metrics::Gauge;

use super::outage::Outages;
use crate::infra::control::ControlStore;
use crate::infra::telemetry::catalogue;
use crate::runtime::{Actor, Context, Failure, Never, Wake};

/// The store's name among those that one can do without.
pub const CONTROL: &str = "control";

/// See the file's header.
pub struct ControlKeeper {
    store: Arc<dyn ControlStore>,
    outages: Outages,
    up: Gauge<u64>,
}

impl ControlKeeper {
    pub fn new(store: Arc<dyn ControlStore>, outages: Outages) -> Self {
        Self { store, outages, up: catalogue::CONTROL_STORE_UP.to_gauge() }
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
        Ok(Wake::Idle)
    }
}
