//! What the node knows of its surroundings that is no reason to refuse a payment, and yet to be told.

use super::capability::{Capability, Level};
use crate::actors::control_keeper::CONTROL;
use crate::actors::held_back::Refusals;
use crate::actors::outage::Outages;
use crate::infra::storage::Storage;

/// See the module. Cheap to clone; who finds something out tells it here.
#[derive(Clone, Default)]
pub struct Conditions {
    pub refusals: Refusals,
    pub outages: Outages,
    /// The disk of the data directory, and with how little room that is told; 0 tells nothing.
    pub storage: Option<(Storage, u64)>,
}

impl Conditions {
    /// Why there will soon be no room for what is embedded.
    pub(super) fn of_storage(&self) -> Option<String> {
        let (storage, free_min_bytes) = self.storage.as_ref().filter(|(_, free_min_bytes)| *free_min_bytes > 0)?;
        let directory = storage.directory().display();
        match storage.room() {
            Ok(room) if room.free_bytes >= *free_min_bytes => None,
            Ok(room) => {
                let free_mib = room.free_bytes / (1024 * 1024);
                Some(format!("the disk of {directory} is nearly full: {free_mib} MiB are left"))
            }
            Err(error) => Some(format!("the disk of {directory} cannot be asked: {error}")),
        }
    }

    /// Events that the event log refuses, though it takes others.
    pub(super) fn of_events(&self, publish: &mut Capability) {
        for (shard, topic, refusal) in self.refusals.all() {
            let (events, why) = (refusal.events, refusal.why);
            publish.worsen(
                Level::Degraded,
                format!("{events} events of shard {shard} are refused by the topic {topic}: {why}"),
            );
        }
    }

    /// Stores that the node does without.
    pub(super) fn of_stores(&self, authorize: &mut Capability, publish: &mut Capability, operate: &mut Capability) {
        for (store, call, why) in self.outages.all() {
            let without = match (store, call) {
                (CONTROL, _) => {
                    let reason = format!("the control store is away, operators' actions wait in the shards: {why}");
                    operate.worsen(Level::Degraded, reason);
                    continue;
                }
                ("leases", _) => {
                    publish.worsen(Level::Degraded, format!("leases are not shared, all processes work: {why}"));
                    continue;
                }
                ("limits", _) => "limits are local",
                ("answers", "put") => "answers are not cached",
                _ => "cached answers are not looked up",
            };
            authorize.worsen(Level::Degraded, format!("{without}: {why}"));
        }
    }
}
