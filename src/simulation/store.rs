//! What outlives a process: the tables of its shards, the control store and the event log. The simulation's clusters
//! stand on it, and the tests of HTTP.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::Config;
use crate::domain::{ShardId, ShardMap};
use crate::infra::cache::{AnswerCache, LimitStore};
use crate::infra::control::memory::{KeptActions, KeptForces, MemoryControl};
use crate::infra::data_guard::DataFiles;
use crate::infra::database::ShardDatabase;
use crate::infra::database::memory::{Memory, Tables};
use crate::infra::event_log::fault_switch::{FaultSwitch, Linked};
use crate::infra::event_log::memory::{Held, MemoryLog};
use crate::infra::psp::Psp;
use crate::infra::telemetry::pools::Pools;
use crate::infra::testing::FaultPlan;
use crate::node::simulated::Adapters;

/// See the module. Clones share everything.
#[derive(Clone)]
pub struct Store {
    /// In the order of the shard map.
    pub shards: Vec<Arc<Mutex<Tables>>>,
    pub control: KeptActions,
    pub forces: KeptForces,
    pub log: Arc<Mutex<Held>>,
}

impl Store {
    /// As many shards as are configured.
    pub fn new(config: &Config) -> Self {
        let shards = (0..config.shard.count.get()).map(|_| Arc::default());
        Self { shards: shards.collect(), control: Arc::default(), forces: Arc::default(), log: Arc::default() }
    }

    /// One process's way to it and to the rest of the outside; the process meets these fates.
    pub fn adapters(
        &self,
        config: &Config,
        fate: &Arc<impl FaultPlan + 'static>,
        psp: Arc<dyn Psp>,
        answers: Arc<dyn AnswerCache>,
        limits: Arc<dyn LimitStore>,
    ) -> Adapters {
        let databases = self.shards.iter().zip(1..).map(|(tables, number)| {
            let memory = Memory::new(tables.clone(), fate.clone());
            ShardDatabase::in_memory(ShardId(number), memory)
        });
        let fault_switch = FaultSwitch::default();
        let log = Arc::new(MemoryLog { held: self.log.clone(), fate: fate.clone() });
        Adapters {
            map: ShardMap::dealt(config.shard.count),
            databases: databases.collect(),
            control: Arc::new(MemoryControl {
                actions: self.control.clone(),
                forces: self.forces.clone(),
                fate: fate.clone(),
            }),
            log: Some(Arc::new(Linked { log, fault_switch: fault_switch.clone() })),
            fault_switch,
            psp,
            answers,
            limits,
            leases: None,
            storage: None,
            pools: Pools::default(),
            files: DataFiles::default(),
        }
    }
}
