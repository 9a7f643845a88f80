//! Reads of which one row that cannot be read spoils none.

use sea_orm::sea_query::Iden;
use sea_orm::{
    ColumnTrait, ConnectionTrait, FromQueryResult, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait,
    Select, Value,
};

use super::ShardDatabase;
use super::error::DatabaseError;
use super::row::Damaged;
use super::table::Table;
use crate::infra::sqlite::even_chunks;

/// How often a query is asked again because what it found could not be read.
const ROUNDS_MAX: usize = 8;

/// The rows that a query finds, each read by itself.
pub async fn each<E: Table>(
    db: &impl ConnectionTrait,
    query: Select<E>,
) -> Result<Vec<Result<E::Row, Damaged>>, DatabaseError> {
    let found = db.query_all(query.build(db.get_database_backend())).await?;
    Ok(found.iter().map(|row| decoded::<E, E::Model>(row).and_then(E::read)).collect())
}

/// The rows with these keys that exist, in key order. On MariaDB that locks them, so that batches of several hosts that
/// touch the same rows wait for each other, in one order, and do not write past each other; SQLite has one writer.
///
/// # Errors
/// [`DatabaseError::Damaged`] if one of them cannot be read.
pub async fn by_key<E: Table, V: Into<Value> + Clone>(
    db: &impl ConnectionTrait,
    keys: &[V],
) -> Result<Vec<E::Row>, DatabaseError> {
    let mut found = Vec::with_capacity(keys.len());
    for chunk in even_chunks(keys) {
        let query = E::find().filter(E::KEY.is_in(chunk.iter().cloned())).order_by_asc(E::KEY);
        for row in each(db, query.lock_exclusive()).await? {
            found.push(row?);
        }
    }
    Ok(found)
}

/// A table's row as a model, or as some of its columns; values of another type than their column's are damage like any
/// other.
pub fn decoded<E: Table, M: FromQueryResult>(row: &QueryResult) -> Result<M, Damaged> {
    M::from_query_result(row, "").map_err(|_| {
        let key = Iden::to_string(&E::KEY);
        let number = row.try_get::<i64>("", &key).map(|number| number.to_string());
        let id = number.or_else(|_| row.try_get::<String>("", &key)).unwrap_or_else(|_| "?".to_owned());
        Damaged { table: E::NAME, id, column: "value" }
    })
}

impl ShardDatabase {
    /// What can be read of what was found; the rest is noted.
    pub(super) fn readable<T>(&self, found: Vec<Result<T, Damaged>>) -> Vec<T> {
        found.into_iter().filter_map(|row| row.inspect_err(|damaged| self.unreadable.note(damaged)).ok()).collect()
    }

    /// Notes what cannot be read of what was found.
    pub(super) fn note_all<T>(&self, found: &[Result<T, Damaged>]) {
        found.iter().filter_map(|row| row.as_ref().err()).for_each(|damaged| self.unreadable.note(damaged));
    }

    /// All of what was found, if all of it can be read.
    pub(super) fn all_readable<T>(&self, found: Vec<Result<T, Damaged>>) -> Result<Vec<T>, DatabaseError> {
        let read: Result<Vec<T>, Damaged> = found.into_iter().collect();
        Ok(read.inspect_err(|damaged| self.unreadable.note(damaged))?)
    }

    /// The first rows of a query that can be read, up to `limit`: those that cannot take no one's place.
    pub(super) async fn first_readable<E: Table>(
        &self,
        query: Select<E>,
        limit: u64,
    ) -> Result<Vec<E::Row>, DatabaseError> {
        let mut round = 0;
        loop {
            round += 1;
            let mut query = query.clone().limit(limit);
            let left_alone = self.unreadable.left_alone(E::NAME);
            if !left_alone.is_empty() {
                query = query.filter(E::KEY.is_not_in(left_alone));
            }
            let found = each(&self.readers, query).await?;
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
