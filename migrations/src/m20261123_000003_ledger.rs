//! The double-entry ledger and its running totals.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, char_len, string_len};
use sea_orm_migration::sea_orm::DbBackend;

use crate::table;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let entry = table::create(manager, LedgerEntry::Table)
            .col(table::id(manager, LedgerEntry::Id))
            .col(big_integer(LedgerEntry::EventId))
            .col(big_integer(LedgerEntry::PaymentId))
            .col(big_integer_null(LedgerEntry::RefundId))
            .col(string_len(LedgerEntry::MerchantId, 32))
            .col(string_len(LedgerEntry::DebitAccount, 32))
            .col(string_len(LedgerEntry::CreditAccount, 32))
            .col(big_integer(LedgerEntry::Amount))
            .col(char_len(LedgerEntry::Currency, 3))
            .col(big_integer(LedgerEntry::CreatedAt))
            .check(Expr::col(LedgerEntry::Amount).gt(0))
            .check(Expr::col(LedgerEntry::DebitAccount).ne(Expr::col(LedgerEntry::CreditAccount)))
            .take();
        manager.create_table(entry).await?;
        table::unique_index(manager, LedgerEntry::Table, "ledger_entry_event_id", [LedgerEntry::EventId]).await?;
        table::index(manager, LedgerEntry::Table, "ledger_entry_payment_id", [LedgerEntry::PaymentId]).await?;
        for (name, event) in [("ledger_entry_no_update", "UPDATE"), ("ledger_entry_no_delete", "DELETE")] {
            let sql = refusing_trigger(manager.get_database_backend(), name, event)?;
            // MariaDB takes no CREATE TRIGGER through its prepared-statement protocol.
            manager.get_connection().execute_unprepared(&sql).await?;
        }

        let balance = table::create_clustered(manager, AccountBalance::Table)
            .col(string_len(AccountBalance::MerchantId, 32))
            .col(string_len(AccountBalance::Account, 32))
            .col(char_len(AccountBalance::Currency, 3))
            .col(big_integer(AccountBalance::Debits))
            .col(big_integer(AccountBalance::Credits))
            .col(big_integer(AccountBalance::Version))
            .primary_key(
                Index::create()
                    .col(AccountBalance::MerchantId)
                    .col(AccountBalance::Account)
                    .col(AccountBalance::Currency),
            )
            .check(Expr::col(AccountBalance::Debits).gte(0))
            .check(Expr::col(AccountBalance::Credits).gte(0))
            .take();
        manager.create_table(balance).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        table::drop(manager, AccountBalance::Table).await?;
        table::drop(manager, LedgerEntry::Table).await
    }
}

/// A trigger that refuses `event` (`UPDATE` or `DELETE`) on the ledger. Triggers are what sea-query has no builder for.
fn refusing_trigger(backend: DbBackend, name: &str, event: &str) -> Result<String, DbErr> {
    const REFUSAL: &str = "a ledger entry is never updated or deleted";
    let refuse = match backend {
        DbBackend::MySql => format!("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{REFUSAL}'"),
        DbBackend::Sqlite => format!("BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"),
        DbBackend::Postgres => return Err(DbErr::Migration("the schema is for MariaDB and SQLite".to_owned())),
    };
    Ok(format!("CREATE TRIGGER IF NOT EXISTS {name} BEFORE {event} ON ledger_entry FOR EACH ROW {refuse}"))
}

#[derive(DeriveIden)]
enum LedgerEntry {
    Table,
    Id,
    EventId,
    PaymentId,
    RefundId,
    MerchantId,
    DebitAccount,
    CreditAccount,
    Amount,
    Currency,
    CreatedAt,
}

#[derive(DeriveIden)]
enum AccountBalance {
    Table,
    MerchantId,
    Account,
    Currency,
    Debits,
    Credits,
    Version,
}
