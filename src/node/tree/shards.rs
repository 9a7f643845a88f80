//! The branch of the shards: each one's writer and readers, and how full it may be.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::builder::{FRONT, TreeBuilder};
use crate::actors::admission::{self, Admission};
use crate::actors::row_reader::{self, RowKey, RowReader};
use crate::actors::shard_writer::ShardWriter;
use crate::actors::shards::{Shard, Shards};
use crate::domain::policy::Policy;
use crate::domain::{IdGenerator, ShardId, ShardMap};
use crate::infra::database::ShardDatabase;
use crate::runtime::{Handle, Nudger, Supervisor};

/// How often a shard's writer sees to itself: whether a database that failed takes writes again.
const WRITER_TICK: Duration = Duration::from_secs(1);

/// How a shard's writer reaches the shard's publisher, where this process has one.
#[derive(Default)]
pub(super) struct Nudges(RefCell<HashMap<ShardId, Arc<OnceLock<Nudger>>>>);

impl Nudges {
    pub(super) fn of(&self, shard: ShardId) -> Arc<OnceLock<Nudger>> {
        self.0.borrow_mut().entry(shard).or_default().clone()
    }
}

impl TreeBuilder<'_> {
    pub(super) fn shards(
        &self,
        writers: &mut Supervisor,
        map: ShardMap,
        databases: Vec<ShardDatabase>,
        policy: &Arc<Policy>,
        nudges: &Nudges,
    ) -> Shards {
        let settings = &self.config.shard;
        let shard = |database: ShardDatabase| {
            let id = database.id.0;
            let options = self
                .options("shard_writer", &format!("shard-{id}"))
                .shard(id)
                .capacity(settings.mailbox_capacity)
                .max_batch(settings.max_batch)
                .ask_deadline(Duration::from_millis(settings.ask_deadline_ms))
                .tick(WRITER_TICK);
            let (node, policy, writes) = (self.config.node.id, policy.clone(), database.clone());
            let publisher = nudges.of(database.id);
            let writer = writers.actor(options, move || {
                let publisher = publisher.clone();
                let nudger = Nudger::from_fn(move || {
                    if let Some(publisher) = publisher.get() {
                        publisher.nudge();
                    }
                });
                ShardWriter::new(writes.clone(), policy.clone(), IdGenerator::new(node), nudger)
            });
            Shard { writer, database }
        };
        Shards::new(map, databases.into_iter().map(shard).collect())
    }

    pub(super) fn readers<K: RowKey>(&self, supervisor: &mut Supervisor, shards: &Shards) -> Vec<Handle<RowReader<K>>> {
        let reader = |shard: &Shard| {
            let options = self.common(row_reader::options::<K>().shard(shard.database.id.0), FRONT);
            let database = shard.database.clone();
            supervisor.actor(options, move || RowReader::new(database.clone()))
        };
        shards.all().iter().map(reader).collect()
    }

    pub(super) fn admission(&self, shards: &Shards) -> Admission {
        let settings = &self.config.shard;
        let limits = admission::ShedLimits {
            shed_above: settings.shed_above,
            shed_after: Duration::from_millis(settings.shed_after_ms),
            shed_target: Duration::from_millis(settings.shed_target_ms),
        };
        Admission::new(shards.clone(), limits, self.environment.clock.clone())
    }
}
