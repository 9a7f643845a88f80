//! How many connections each pool has, asked when the metrics are.

use std::sync::Arc;

use opentelemetry::KeyValue;

use super::catalogue::{POOL_CONNECTIONS, POOL_CONNECTIONS_MAX};
use crate::runtime::meter;

/// Connections of a pool at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct PoolUse {
    pub idle: u32,
    pub used: u32,
    pub max: u32,
}

type Look = Box<dyn Fn() -> PoolUse + Send + Sync>;

/// Pools by name.
#[derive(Default)]
pub struct Pools(Vec<(String, Look)>);

impl Pools {
    pub fn add(&mut self, name: String, look: impl Fn() -> PoolUse + Send + Sync + 'static) {
        self.0.push((name, Box::new(look)));
    }

    /// Shows them for as long as what is returned is held: the metrics keep no pool open.
    pub fn export(self) -> Arc<Self> {
        let pools = Arc::new(self);
        let seen = Arc::downgrade(&pools);
        let meter = meter();
        let open = meter.u64_observable_gauge(POOL_CONNECTIONS.name).with_description(POOL_CONNECTIONS.about);
        let observed = open.with_callback(move |gauge| {
            for (name, look) in seen.upgrade().iter().flat_map(|pools| &pools.0) {
                let PoolUse { idle, used, .. } = look();
                for (state, connections) in [("idle", idle), ("used", used)] {
                    let labels = [KeyValue::new("pool", name.clone()), KeyValue::new("state", state)];
                    gauge.observe(connections.into(), &labels);
                }
            }
        });
        observed.build();
        let seen = Arc::downgrade(&pools);
        let max = meter.u64_observable_gauge(POOL_CONNECTIONS_MAX.name).with_description(POOL_CONNECTIONS_MAX.about);
        let observed = max.with_callback(move |gauge| {
            for (name, look) in seen.upgrade().iter().flat_map(|pools| &pools.0) {
                gauge.observe(look().max.into(), &[KeyValue::new("pool", name.clone())]);
            }
        });
        observed.build();
        pools
    }
}
