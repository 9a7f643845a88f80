//! Reads of which one row that cannot be read spoils none.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};

use super::ShardDatabase;
use super::error::DatabaseError;
use super::rows::Damaged;
use super::unreadable::{ROUNDS_MAX, each, table};

impl ShardDatabase {
    /// What can be read of what was found; the rest is noted.
    pub(super) fn readable<T>(&self, found: Vec<Result<T, Damaged>>) -> Vec<T> {
        found.into_iter().filter_map(|row| row.inspect_err(|damaged| self.unreadable.note(damaged)).ok()).collect()
    }

    /// All of what was found, if all of it can be read.
    pub(super) fn all_readable<T>(&self, found: Vec<Result<T, Damaged>>) -> Result<Vec<T>, DatabaseError> {
        let read: Result<Vec<T>, Damaged> = found.into_iter().collect();
        Ok(read.inspect_err(|damaged| self.unreadable.note(damaged))?)
    }

    /// The first rows of a query that can be read, up to `limit`: those that cannot take no one's place.
    pub(super) async fn first_readable<E: EntityTrait, T>(
        &self,
        query: Select<E>,
        key: E::Column,
        limit: u64,
        read: impl Fn(E::Model) -> Result<T, Damaged>,
    ) -> Result<Vec<T>, DatabaseError> {
        let mut round = 0;
        loop {
            round += 1;
            let mut query = query.clone().limit(limit);
            let left_alone = self.unreadable.left_alone(table::<E>());
            if !left_alone.is_empty() {
                query = query.filter(key.is_not_in(left_alone));
            }
            let found = each(&self.readers, query, key, &read).await?;
            let is_full = found.len() as u64 == limit;
            let readable = self.readable(found);
            if !is_full || readable.len() as u64 == limit || round == ROUNDS_MAX {
                return Ok(readable);
            }
        }
    }

    /// Leaves a row alone for a while that cannot be worked on because of another one.
    pub fn set_aside(&self, table: &'static str, id: i64) {
        self.unreadable.leave_alone(table, id.to_string());
    }
}
