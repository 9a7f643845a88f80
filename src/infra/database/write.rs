//! Writes a decided unit of work: one multi-row statement a table, in key order, each row guarded by the version that
//! was read.

use sea_orm::sea_query::{Alias, Expr, Func, Iden, IntoIden, OnConflict, Values};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, PrimaryKeyToColumn, QueryTrait, Statement,
    UpdateMany,
};

use super::connection::Transaction;
use super::error::DatabaseError;
use super::script::Script;
use super::statements::{Statements, values};
use crate::infra::sqlite::even_sizes;

/// One way in which stored rows change: its name among those of the table, and the columns, `version` last, because
/// MariaDB sets columns from left to right and reads what it has set. The others are as they were written first; naming
/// them would cost their indexes a rewrite.
pub struct Update<C: 'static> {
    pub name: &'static str,
    pub columns: &'static [C],
}

/// What a batch writes with: statements that run one by one on SQLite, and all together on MariaDB, where a round trip
/// costs more than a statement.
pub struct BatchWriter<'a> {
    tx: &'a Transaction,
    statements: &'a Statements,
    /// MariaDB's.
    script: Option<Script>,
    /// Rows that the database will say it wrote if nobody else has changed one of them, and those that it has.
    expected: u64,
    written: u64,
}

impl<'a> BatchWriter<'a> {
    pub fn begin(tx: &'a Transaction, statements: &'a Statements, packet_max: usize) -> Self {
        let script = (tx.get_database_backend() == DbBackend::MySql).then(|| Script::new(packet_max));
        Self { tx, statements, script, expected: 0, written: 0 }
    }

    /// Writes new rows.
    pub async fn insert<A: ActiveModelTrait>(&mut self, rows: impl Iterator<Item = A>) -> Result<(), DatabaseError> {
        self.put(rows.collect(), 1, "insert", || None).await
    }

    /// Writes rows, new ones and changed ones, each with the version that was read (0 for a new one) and as it is to
    /// be: one above. One statement for many rows: an insert whose conflict is an update, which applies only to the
    /// version before.
    pub async fn save<A: ActiveModelTrait>(
        &mut self,
        rows: impl Iterator<Item = (i64, A)>,
        update: &Update<<A::Entity as EntityTrait>::Column>,
    ) -> Result<(), DatabaseError> {
        let backend = self.tx.get_database_backend();
        // MariaDB counts a row that the guard leaves alone as one, as if it were inserted; so there what is new has a
        // statement of its own, in which a row that is there is an error.
        let is_apart = backend == DbBackend::MySql;
        let (new, changed): (Vec<_>, Vec<_>) = rows.partition(|(version, _)| is_apart && *version == 0);
        self.insert(new.into_iter().map(|(_, row)| row)).await?;
        let changed = changed.into_iter().map(|(_, row)| row).collect();
        // It counts a row that it updates as two, SQLite as one.
        let each = if is_apart { 2 } else { 1 };
        self.put(changed, each, update.name, || Some(overwrite::<A::Entity>(backend, update.columns))).await
    }

    /// Writes rows each of which counts so many times if it is written.
    async fn put<A: ActiveModelTrait>(
        &mut self,
        rows: Vec<A>,
        each: u64,
        purpose: &'static str,
        conflict: impl Fn() -> Option<OnConflict>,
    ) -> Result<(), DatabaseError> {
        self.expected += rows.len() as u64 * each;
        let sizes = even_sizes(rows.len());
        let mut rows = rows.into_iter().peekable();
        for size in sizes {
            let Some(first) = rows.peek() else { break };
            let backend = self.tx.get_database_backend();
            let text = |rows| self.statements.text(backend, first, rows, purpose, &conflict);
            if let Some(script) = &mut self.script {
                let text = text(1);
                let mut waiting = rows.by_ref().take(size).map(values).peekable();
                while waiting.peek().is_some() {
                    script.insert(&text, &mut waiting)?;
                    if script.is_long() || waiting.peek().is_some() {
                        self.written += script.send(self.tx).await?;
                    }
                }
            } else {
                let sql = text(size);
                let bound = Some(Values(rows.by_ref().take(size).flat_map(values).collect()));
                let statement = Statement { sql, values: bound, db_backend: backend };
                self.written += self.tx.execute(statement).await?.rows_affected();
            }
        }
        Ok(())
    }

    /// Changes so many stored rows by a statement of its own.
    pub async fn update<E: EntityTrait>(&mut self, update: UpdateMany<E>, rows: usize) -> Result<(), DatabaseError> {
        self.expected += rows as u64;
        match &mut self.script {
            Some(script) => {
                script.add(&update.build(DbBackend::MySql).to_string());
                if script.is_long() {
                    self.written += script.send(self.tx).await?;
                }
            }
            None => self.written += update.exec(self.tx).await?.rows_affected,
        }
        Ok(())
    }

    /// Sends what waits, and finds out whether all of it was written. A row that was not makes for fewer, never for
    /// more.
    pub async fn end(mut self) -> Result<u64, DatabaseError> {
        if let Some(script) = &mut self.script {
            self.written += script.send(self.tx).await?;
        }
        if self.written == self.expected { Ok(self.written) } else { Err(DatabaseError::Conflict) }
    }
}

fn overwrite<E: EntityTrait>(backend: DbBackend, mutable: &[E::Column]) -> OnConflict {
    let table = Alias::new(E::default().table_name());
    let stored = |column: &str| Expr::col((table.clone(), Alias::new(column)));
    // Written out: the values of a statement are those of its rows.
    let one = || Expr::cust("1");
    let keys = E::PrimaryKey::iter().map(|key| key.into_column().into_iden());
    let mut conflict = OnConflict::columns(keys);
    if backend == DbBackend::MySql {
        let offered = |column: &str| Expr::cust(format!("VALUES(`{column}`)"));
        for column in mutable {
            let choice = Func::cust(Alias::new("IF"))
                .arg(stored("version").eq(offered("version").sub(one())))
                .arg(offered(&name(column)))
                .arg(stored(&name(column)));
            conflict.value(*column, choice);
        }
    } else {
        let offered = Expr::col((Alias::new("excluded"), Alias::new("version")));
        conflict.update_columns(mutable.iter().copied()).action_and_where(stored("version").eq(offered.sub(one())));
    }
    conflict
}

fn name(column: &impl Iden) -> String {
    column.to_string()
}
