//! Multi-row statements. Their texts depend on the table, on what they do with a row that is there, and on the number of
//! rows: each is built once and kept, and a batch only fills in its values.

use std::collections::HashMap;

use parking_lot::Mutex;
use sea_orm::sea_query::{OnConflict, Values};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectionTrait, DatabaseTransaction, DbErr, EntityName, Insert, Iterable,
    QueryTrait, Statement, Value,
};

use crate::infra::sqlite::even_sizes;

/// What is kept of one database's statements.
#[derive(Debug, Default)]
pub struct Statements(Mutex<HashMap<Shape, String>>);

/// What tells one text from another: the table, what is done with a row that is there, and the number of rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shape {
    table: String,
    purpose: &'static str,
    rows: usize,
}

impl Statements {
    /// Inserts rows, in few statements, and returns how many the database says it wrote. All rows must have the same
    /// columns set. `purpose` names `conflict` among those that are used with the table.
    pub async fn insert<A: ActiveModelTrait>(
        &self,
        tx: &DatabaseTransaction,
        rows: Vec<A>,
        purpose: &'static str,
        conflict: impl Fn() -> Option<OnConflict>,
    ) -> Result<u64, DbErr> {
        let mut written = 0;
        let sizes = even_sizes(rows.len());
        let mut rows = rows.into_iter();
        for size in sizes {
            let statement = self.statement(tx, rows.by_ref().take(size), size, purpose, &conflict);
            written += tx.execute(statement).await?.rows_affected();
        }
        Ok(written)
    }

    fn statement<A: ActiveModelTrait>(
        &self,
        tx: &DatabaseTransaction,
        rows: impl Iterator<Item = A>,
        size: usize,
        purpose: &'static str,
        conflict: impl Fn() -> Option<OnConflict>,
    ) -> Statement {
        let backend = tx.get_database_backend();
        let shape = Shape { table: A::Entity::default().table_name().to_owned(), purpose, rows: size };
        if let Some(sql) = self.0.lock().get(&shape).cloned() {
            return Statement { sql, values: Some(Values(rows.flat_map(values).collect())), db_backend: backend };
        }
        let mut insert = Insert::many(rows).into_query();
        if let Some(conflict) = conflict() {
            insert.on_conflict(conflict);
        }
        let statement = backend.build(&insert);
        self.0.lock().insert(shape, statement.sql.clone());
        statement
    }
}

/// A row's values in the order of its columns, without those that are left to the database.
fn values<A: ActiveModelTrait>(mut row: A) -> Vec<Value> {
    let columns = <A::Entity as sea_orm::EntityTrait>::Column::iter();
    let set = columns.filter_map(|column| match row.take(column) {
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some(value),
        ActiveValue::NotSet => None,
    });
    set.collect()
}
