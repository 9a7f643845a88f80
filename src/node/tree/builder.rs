//! What all branches of the tree are built with.

use std::time::Duration;

use crate::actors::job::JobBoard;
use crate::config::Config;
use crate::domain::IdGenerator;
use crate::runtime::{Environment, Intensity, Options, Strategy, Supervisor};

/// Slots, which share the threads there are. Each shard's writer has one, those in front of it another, and those
/// behind it a third.
pub const FRONT: &str = "front";
pub const PIPELINE: &str = "pipeline";

pub(super) struct TreeBuilder<'a> {
    pub environment: &'a Environment,
    pub config: &'a Config,
    /// Where the jobs show how they stand.
    pub jobs: JobBoard,
}

impl TreeBuilder<'_> {
    pub fn supervisor(&self, name: &str) -> Supervisor {
        let settings = &self.config.supervision;
        let within = Duration::from_millis(settings.within_ms);
        let intensity = Intensity { restarts: settings.restarts_max, within };
        Supervisor::new(name, Strategy::OneForOne, intensity, self.environment)
    }

    /// What all actors have in common, over what each has of its own.
    pub fn common(&self, options: Options, slot: &str) -> Options {
        let drain = Duration::from_millis(self.config.node.drain_ms);
        let hang_after = Duration::from_millis(self.config.supervision.hang_after_ms);
        options.slot(slot).hang_after(hang_after).drain_deadline(drain)
    }

    pub fn options(&self, name: &'static str, slot: &str) -> Options {
        self.common(Options::new(name), slot)
    }

    /// How long a call takes at most that asks its shard twice and the PSP once.
    pub fn patience(&self) -> Duration {
        let (shard, psp) = (self.config.shard.ask_deadline_ms, self.config.psp.timeout_ms);
        Duration::from_millis(shard.saturating_mul(3).saturating_add(psp))
    }

    pub fn ids(&self) -> IdGenerator {
        IdGenerator::new(self.config.node.id)
    }
}
