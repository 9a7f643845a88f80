//! The texts of multi-row statements. They depend on the table, on what is done with a row that is there, and on the
//! number of rows: each is built once and kept, and a batch only fills in its values.

use std::collections::HashMap;

use parking_lot::Mutex;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue, DbBackend, EntityName, Insert, Iterable, QueryTrait, Value};

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
    /// The text that inserts so many rows with the columns of this one, with placeholders for their values. `purpose`
    /// names `conflict` among those that are used with the table.
    pub fn text<A: ActiveModelTrait>(
        &self,
        backend: DbBackend,
        row: &A,
        rows: usize,
        purpose: &'static str,
        conflict: impl Fn() -> Option<OnConflict>,
    ) -> String {
        let shape = Shape { table: A::Entity::default().table_name().to_owned(), purpose, rows };
        let build = || {
            let mut insert = Insert::many(std::iter::repeat_n(row.clone(), rows)).into_query();
            if let Some(conflict) = conflict() {
                insert.on_conflict(conflict);
            }
            backend.build(&insert).sql
        };
        self.0.lock().entry(shape).or_insert_with(build).clone()
    }
}

/// A row's values in the order of its columns, without those that are left to the database.
pub fn values<A: ActiveModelTrait>(mut row: A) -> Vec<Value> {
    let columns = <A::Entity as sea_orm::EntityTrait>::Column::iter();
    let set = columns.filter_map(|column| match row.take(column) {
        ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some(value),
        ActiveValue::NotSet => None,
    });
    set.collect()
}
