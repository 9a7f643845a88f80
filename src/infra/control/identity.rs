//! Whose control store it is: read before anything is written there, and written once it is known to be the right one.

use std::time::Duration;

use entities::control_identity;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel};
use tokio::time::timeout;

use super::{ControlError, ControlPlace};
use crate::domain::Timestamp;
use crate::domain::identity::{SystemId, judge_control};
use crate::infra::database::identity::tables;
use crate::infra::database::{DatabaseError, mariadb};
use crate::infra::sqlite;
use migrations::{ControlMigrator, SchemaStatus};

/// The row's key.
const ONLY: i64 = 1;

/// How long finding out may take: a start waits for it, and no payment needs the control store.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// The system that the control store at this place says it is of, if it is there and knows. Creates nothing, and does
/// not wait for a server that is not up.
///
/// # Errors
/// [`ControlError`] also for a schema that is newer than this program.
pub async fn system_of(place: &ControlPlace) -> Result<Option<SystemId>, ControlError> {
    timeout(LOOK_WITHIN, look(place)).await.unwrap_or(Err(ControlError::Late))
}

async fn look(place: &ControlPlace) -> Result<Option<SystemId>, ControlError> {
    let db = match place {
        ControlPlace::File(path) if !path.exists() => return Ok(None),
        ControlPlace::File(path) => sqlite::open_readers(path, 1).await?,
        ControlPlace::Server(url) => mariadb::open_now(url).await?,
    };
    if let ahead @ SchemaStatus::Ahead { .. } = migrations::status::<ControlMigrator>(&db).await? {
        return Err(DatabaseError::Schema(ahead).into());
    }
    let is_there = tables(&db).await?.iter().any(|table| table == "control_identity");
    let system = if is_there { row(&db).await? } else { None };
    db.close().await?;
    Ok(system)
}

/// Makes it the control store of this system, unless it is one's already.
///
/// # Errors
/// [`ControlError::Misfit`] if it is another's: of processes that come together the first one decides.
pub(super) async fn claim(db: &DatabaseConnection, system: &SystemId, now: Timestamp) -> Result<(), ControlError> {
    let wanted = control_identity::Model { id: ONLY, system_id: system.as_str().to_owned(), created_at: now.0 };
    let mut keep = OnConflict::column(control_identity::Column::Id);
    // MariaDB has no way to do nothing; this is SeaORM's for it.
    keep.do_nothing_on([control_identity::Column::Id]);
    let insert = control_identity::Entity::insert(wanted.into_active_model()).on_conflict(keep);
    match insert.exec_without_returning(db).await {
        Ok(_) | Err(DbErr::RecordNotInserted) => {}
        Err(error) => return Err(error.into()),
    }
    verify(db, system).await
}

/// Whether it still is the control store of this system.
///
/// # Errors
/// [`ControlError::Misfit`] if it is another's by now.
pub(super) async fn verify(db: &impl ConnectionTrait, system: &SystemId) -> Result<(), ControlError> {
    Ok(judge_control(Some(system), row(db).await?.as_ref())?)
}

/// Writes without changing anything.
pub(super) async fn touch(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let same = control_identity::Entity::update_many()
        .col_expr(control_identity::Column::CreatedAt, Expr::col(control_identity::Column::CreatedAt).into());
    same.exec(db).await.map(drop)
}

async fn row(db: &impl ConnectionTrait) -> Result<Option<SystemId>, DbErr> {
    let row = control_identity::Entity::find_by_id(ONLY).one(db).await?;
    Ok(row.map(|row| SystemId::from_stored(row.system_id)))
}
