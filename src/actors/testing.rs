//! One actor under a real supervisor, on one thread in virtual time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::LocalSet;

use super::shard_writer::ShardWriter;
use super::shards::Shard;
use crate::domain::IdGenerator;
use crate::domain::policy::Policy;
use crate::infra::database::ShardDatabase;
use crate::runtime::{Actor, Environment, Handle, Intensity, Nudger, Options, Strategy, Supervisor};

/// A shard whose writer belongs to `root`; nobody is nudged.
pub fn shard(root: &mut Supervisor, database: ShardDatabase, policy: Arc<Policy>) -> Shard {
    let writes = database.clone();
    let writer = root.actor(Options::new("shard_writer"), move || {
        ShardWriter::new(writes.clone(), policy.clone(), IdGenerator::new(0), Nudger::from_fn(|| {}))
    });
    Shard { writer, database }
}

/// The wall clock at the start of a test.
pub const START_MS: i64 = 1_795_426_200_000;

/// Runs a test of one actor. Call it in a paused runtime.
pub async fn story<A: Actor, F: Future>(
    options: Options,
    factory: impl Fn() -> A + Send + 'static,
    tell: impl FnOnce(Handle<A>, Environment) -> F,
) -> F::Output {
    let story = async {
        let environment = Environment::simulated(7, START_MS);
        let mut root = Supervisor::new("story", Strategy::OneForOne, Intensity::default(), &environment);
        let handle = root.actor(options, factory);
        let running = root.start().await;
        let end = tell(handle, environment).await;
        running.stop(Duration::from_secs(1)).await;
        end
    };
    LocalSet::new().run_until(story).await
}
