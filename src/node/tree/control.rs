//! The branch of the control store: who opens it, and who brings operators' actions there.

use std::sync::Arc;
use std::time::Duration;

use super::builder::{PIPELINE, TreeBuilder};
use super::pipeline::Schedule;
use crate::actors::action_mover::ActionMover;
use crate::actors::control_keeper::{ControlKeeper, ForcedBreakers};
use crate::actors::outage::Outages;
use crate::actors::shards::Shards;
use crate::infra::control::ControlStore;
use crate::node::lease_registry::LeaseRegistry;
use crate::runtime::Supervisor;

/// How often the control store is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How often a shard's actions are moved. Operators see them before that, too.
const MOVE_EVERY: Duration = Duration::from_secs(1);

impl TreeBuilder<'_> {
    pub(super) fn control(
        &self,
        store: &Arc<dyn ControlStore>,
        shards: &Shards,
        leases: &mut LeaseRegistry,
        outages: &Outages,
        breakers: &ForcedBreakers,
    ) -> Supervisor {
        let mut control = self.supervisor("control");
        let (checked, outages, breakers, lines) = (store.clone(), outages.clone(), breakers.clone(), shards.clone());
        let options = self.options("control_keeper", PIPELINE).tick(CHECK_EVERY);
        let keeper = control.actor(options, move || {
            ControlKeeper::new(checked.clone(), outages.clone(), breakers.clone(), lines.clone())
        });
        // The first look is not a tick away.
        keeper.nudge();
        // Without a store there is nowhere to move them to.
        let moved = if self.config.has_shared_control() { shards.all() } else { &[] };
        for shard in moved {
            let (id, database, store) = (shard.database.id, shard.database.clone(), store.clone());
            let lease_guard = leases.of("action_mover", id);
            let schedule = Schedule { name: "action_mover", job: "move_actions", every: MOVE_EVERY, lease_guard };
            self.job(&mut control, id, schedule, move || ActionMover::new(database.clone(), store.clone()));
        }
        control
    }
}
