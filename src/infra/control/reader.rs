//! A control store that is only read, whoever writes it.

use entities::operator_action;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::sql::is_current;
use super::{ControlError, ControlPlace};
use crate::infra::data_guard::DataGuard;
use crate::infra::database::{Pool, StoredAction, file, mariadb};
use crate::infra::sqlite;

/// See the module.
#[derive(Debug)]
pub struct ControlReader(Pool);

impl ControlReader {
    /// Opens an existing one.
    ///
    /// # Errors
    /// [`ControlError`] also for a schema that is not of this version.
    pub async fn open(place: &ControlPlace) -> Result<Self, ControlError> {
        let (db, readers) = match place {
            ControlPlace::File(path) => {
                (sqlite::open_readers(path, 1).await?, { file::readers(path, 1, DataGuard::default()) })
            }
            ControlPlace::Server(url) => (mariadb::open_now(url).await?, mariadb::readers(url, 1)?),
        };
        is_current(&db).await?;
        db.close().await?;
        Ok(Self(readers))
    }

    /// What operators did, of ids above `after`, in their order.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn actions_after(&self, after: i64, limit: u64) -> Result<Vec<StoredAction>, ControlError> {
        use operator_action::Column::Id;
        let query = operator_action::Entity::find().filter(Id.gt(after)).order_by_asc(Id).limit(limit);
        Ok(query.all(&self.0).await?)
    }

    /// The action of this id.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn action(&self, id: i64) -> Result<Option<StoredAction>, ControlError> {
        Ok(operator_action::Entity::find_by_id(id).one(&self.0).await?)
    }
}
