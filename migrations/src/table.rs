//! What every migration needs so that one description of a table serves MariaDB and SQLite.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, custom, custom_null, integer};
use sea_orm_migration::sea_orm::DbBackend;

/// Starts a table. On MariaDB its text compares by bytes, as SQLite's does: `MERCHANT-1` is not `merchant-1`.
///
/// `IF NOT EXISTS`, because MariaDB commits each DDL statement for itself: a migration that was cut off runs again.
pub(crate) fn create(manager: &SchemaManager<'_>, table: impl IntoTableRef) -> TableCreateStatement {
    let mut statement = Table::create();
    statement.table(table).if_not_exists();
    if manager.get_database_backend() == DbBackend::MySql {
        statement.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    statement
}

/// As [`create`], for small rows under a composite primary key: SQLite then keeps one B-tree (the rows within the key)
/// instead of two, as InnoDB always does.
pub(crate) fn create_clustered(manager: &SchemaManager<'_>, table: impl IntoTableRef) -> TableCreateStatement {
    let mut statement = create(manager, table);
    if manager.get_database_backend() == DbBackend::Sqlite {
        statement.extra("WITHOUT ROWID");
    }
    statement
}

/// A 64-bit primary key. SQLite clusters a table by its key only if the type is spelled `integer` (64 bits there);
/// with `bigint` every row would be found through a second B-tree.
/// Source: <https://www.sqlite.org/lang_createtable.html#rowid>
pub(crate) fn id(manager: &SchemaManager<'_>, column: impl IntoIden) -> ColumnDef {
    let mut id = match manager.get_database_backend() {
        DbBackend::Sqlite => integer(column),
        DbBackend::MySql | DbBackend::Postgres => big_integer(column),
    };
    id.primary_key().take()
}

/// Text without a limit of its own. MariaDB's `text` ends at 64 KiB, its `mediumtext` at 16 MiB; to SQLite both are
/// text.
pub(crate) fn long_text(column: impl IntoIden) -> ColumnDef {
    custom(column, Alias::new("mediumtext"))
}

/// As [`long_text`], nullable.
pub(crate) fn long_text_null(column: impl IntoIden) -> ColumnDef {
    custom_null(column, Alias::new("mediumtext"))
}

/// Creates an index unless it is there (MySQL's dialect in sea-query has no `IF NOT EXISTS` for an index).
pub(crate) async fn index<C: IntoIden>(
    manager: &SchemaManager<'_>,
    table: impl Iden + 'static,
    name: &str,
    columns: impl IntoIterator<Item = C>,
) -> Result<(), DbErr> {
    let mut statement = Index::create();
    for column in columns {
        statement.col(column);
    }
    create_index(manager, table, name, statement).await
}

/// As [`index`], refusing a second row with the same values.
pub(crate) async fn unique_index<C: IntoIden>(
    manager: &SchemaManager<'_>,
    table: impl Iden + 'static,
    name: &str,
    columns: impl IntoIterator<Item = C>,
) -> Result<(), DbErr> {
    let mut statement = Index::create().unique().take();
    for column in columns {
        statement.col(column);
    }
    create_index(manager, table, name, statement).await
}

async fn create_index(
    manager: &SchemaManager<'_>,
    table: impl Iden + 'static,
    name: &str,
    mut statement: IndexCreateStatement,
) -> Result<(), DbErr> {
    if manager.has_index(table.to_string(), name).await? {
        return Ok(());
    }
    manager.create_index(statement.name(name).table(table).take()).await
}

/// Drops a table with its indexes and triggers.
pub(crate) async fn drop(manager: &SchemaManager<'_>, table: impl IntoTableRef) -> Result<(), DbErr> {
    manager.drop_table(Table::drop().table(table).if_exists().take()).await
}

/// Adds a column unless it is there; SQLite takes one at a time.
pub(crate) async fn add_column(
    manager: &SchemaManager<'_>,
    table: impl Iden + 'static,
    mut column: ColumnDef,
) -> Result<(), DbErr> {
    if manager.has_column(table.to_string(), column.get_column_name()).await? {
        return Ok(());
    }
    manager.alter_table(Table::alter().table(table).add_column(&mut column).take()).await
}

/// Gives a column of text a greater length: at once on MariaDB. To SQLite a length means nothing.
pub(crate) async fn widen_column(
    manager: &SchemaManager<'_>,
    table: impl IntoTableRef,
    mut column: ColumnDef,
) -> Result<(), DbErr> {
    match manager.get_database_backend() {
        DbBackend::Sqlite => Ok(()),
        DbBackend::MySql | DbBackend::Postgres => {
            manager.alter_table(Table::alter().table(table).modify_column(&mut column).take()).await
        }
    }
}

/// Drops a column unless it is gone.
pub(crate) async fn drop_column(
    manager: &SchemaManager<'_>,
    table: impl Iden + 'static,
    column: impl Iden + 'static,
) -> Result<(), DbErr> {
    if !manager.has_column(table.to_string(), column.to_string()).await? {
        return Ok(());
    }
    manager.alter_table(Table::alter().table(table).drop_column(column).take()).await
}

/// Drops an index unless it is gone.
pub(crate) async fn drop_index(
    manager: &SchemaManager<'_>,
    table: impl Iden + 'static,
    name: &str,
) -> Result<(), DbErr> {
    if !manager.has_index(table.to_string(), name).await? {
        return Ok(());
    }
    let mut statement = Index::drop();
    statement.table(table).name(name);
    manager.drop_index(statement).await
}
