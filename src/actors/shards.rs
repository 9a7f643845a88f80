//! Every shard's writer and database, found by bucket.

use std::sync::Arc;

use super::shard_writer::{ShardWriter, WriteError, write};
use crate::domain::command::Command;
use crate::domain::{Bucket, ShardMap};
use crate::infra::database::ShardDatabase;
use crate::runtime::Handle;

/// One shard: its writer for changes, and its database for reads.
#[derive(Clone)]
pub struct Shard {
    pub writer: Handle<ShardWriter>,
    pub database: ShardDatabase,
}

impl Shard {
    /// Has a command decided and committed.
    pub async fn write<C: Command>(&self, command: C) -> Result<C::Answer, WriteError> {
        write(&self.writer, command).await
    }
}

/// All shards of the map, in its order.
#[derive(Clone)]
pub struct Shards {
    map: Arc<ShardMap>,
    shards: Arc<[Shard]>,
}

impl Shards {
    /// `shards` in the order of the map's numbers, one for each.
    pub fn new(map: ShardMap, shards: Vec<Shard>) -> Self {
        debug_assert_eq!(map.shards().count(), shards.len());
        Self { map: Arc::new(map), shards: shards.into() }
    }

    pub fn of(&self, bucket: Bucket) -> &Shard {
        &self.shards[self.index_of(bucket)]
    }

    /// A bucket of this shard's.
    pub fn bucket_of(&self, shard: &Shard) -> Bucket {
        self.map.bucket_of(shard.database.id)
    }

    /// The place of the bucket's shard in `all`.
    pub fn index_of(&self, bucket: Bucket) -> usize {
        self.map.shard_of(bucket).0 as usize - 1
    }

    pub fn all(&self) -> &[Shard] {
        &self.shards
    }
}
