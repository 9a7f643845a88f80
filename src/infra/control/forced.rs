//! The rows of the breakers that operators hold.

use entities::forced_breaker::{Column, Entity};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryOrder};

/// A breaker that is held, as it is kept.
pub type StoredForce = entities::forced_breaker::Model;

pub(super) async fn all(db: &impl ConnectionTrait) -> Result<Vec<StoredForce>, DbErr> {
    Entity::find().order_by_asc(Column::Name).all(db).await
}

pub(super) async fn put(db: &impl ConnectionTrait, force: &StoredForce) -> Result<(), DbErr> {
    use Column::{ForcedAt, Operator, Reason, Source, State};
    let mut replace = OnConflict::column(Column::Name);
    replace.update_columns([State, Operator, Source, Reason, ForcedAt]);
    let insert = Entity::insert(force.clone().into_active_model()).on_conflict(replace);
    insert.exec_without_returning(db).await.map(drop)
}

pub(super) async fn delete(db: &impl ConnectionTrait, name: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(name.to_owned()).exec(db).await.map(drop)
}
