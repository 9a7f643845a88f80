//! The control store in a database: a SQLite file or MariaDB. Each is opened, locked and written as a shard is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use entities::operator_action;
use parking_lot::Mutex;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use tokio::time::timeout;

use super::{ControlError, ControlPlace, ControlStore, Given, StoredForce, forced, identity};
use crate::domain::Timestamp;
use crate::domain::identity::SystemId;
use crate::infra::data_guard::{self, DataGuard, GuardError};
use crate::infra::database::file::{self, FilePools};
use crate::infra::database::identity::tables;
use crate::infra::database::{DatabaseError, PacketMax, Pool, StoredAction, Transaction, in_time, lost, mariadb};
use crate::infra::telemetry::pools::{PoolUse, Pools};
use crate::runtime::Clock;
use migrations::{ControlMigrator, SchemaStatus};

/// How long opening it, or finding out whether it answers, may take.
const CHECK_WITHIN: Duration = Duration::from_secs(5);
/// How many connections read it.
const READERS: u32 = 2;

/// See the module.
pub struct SqlControl {
    place: ControlPlace,
    system: SystemId,
    clock: Clock,
    /// Whether it is to be new, as everything else is.
    is_new_system: bool,
    /// None as long as it could not be opened.
    opened: Mutex<Option<Opened>>,
}

#[derive(Debug, Clone)]
struct Opened {
    writer: Pool,
    readers: Pool,
    /// Of the file; of nothing where the data are on a server.
    guard: DataGuard,
}

impl SqlControl {
    /// The control store of `system` at this place, which is not opened yet.
    pub fn new(place: ControlPlace, system: SystemId, clock: Clock) -> Self {
        Self { place, system, clock, is_new_system: false, opened: Mutex::default() }
    }

    /// As [`new`](Self::new), of a system that is made now.
    pub fn of_new_system(self) -> Self {
        Self { is_new_system: true, ..self }
    }

    async fn open(&self) -> Result<Opened, ControlError> {
        match &self.place {
            ControlPlace::File(path) => {
                if let Some(directory) = path.parent() {
                    let failed = |error| GuardError::Io { path: directory.to_owned(), error };
                    data_guard::create_directory(directory).map_err(failed)?;
                }
                let opened = file::open(path, READERS, async |opening| self.prepare(opening).await).await;
                let FilePools { writer, readers, guard } = opened?;
                Ok(Opened { writer, readers, guard })
            }
            ControlPlace::Server(url) => {
                let opening = mariadb::open_now(url).await?;
                self.prepare(&opening).await?;
                opening.close().await?;
                let (writer, readers) =
                    (mariadb::writers(url, &PacketMax::default())?, mariadb::readers(url, READERS)?);
                Ok(Opened { writer, readers, guard: DataGuard::default() })
            }
        }
    }

    /// Brings the schema up to this version, and makes it the system's.
    async fn prepare(&self, db: &DatabaseConnection) -> Result<(), ControlError> {
        let is_new = !tables(db).await?.iter().any(|table| table == "operator_action");
        for name in migrations::migrate::<ControlMigrator>(db).await.map_err(DatabaseError::from)? {
            tracing::info!(migration = name, "migration applied to the control store");
        }
        if is_new && self.is_new_system {
            tracing::info!("the control store is new, as the shards are");
        } else if is_new {
            tracing::warn!("the control store is new: the trail of operators' actions begins here");
        }
        is_current(db).await?;
        identity::claim(db, &self.system, Timestamp(self.clock.now_ms())).await
    }

    /// Writes something; it is durable when this returns.
    async fn write<T>(&self, write: impl AsyncFnOnce(&Transaction) -> Result<T, DbErr>) -> Result<T, ControlError> {
        let opened = self.opened()?;
        let tx = opened.writer.begin().await?;
        let written = in_time(async {
            // It may have become another system's since it was opened: by a restore, for one.
            identity::verify(&tx, &self.system).await?;
            Ok::<_, ControlError>(write(&tx).await?)
        });
        let written = written.await??;
        tx.commit().await?;
        // Committed to a file that is gone is committed nowhere.
        opened.guard.check().map_err(lost)?;
        Ok(written)
    }

    fn opened(&self) -> Result<Opened, ControlError> {
        self.opened.lock().clone().ok_or(ControlError::NotOpen)
    }

    /// Adds its pools to those that the metrics show.
    pub fn show_in(self: &Arc<Self>, pools: &mut Pools) {
        let (writers, readers) = (self.clone(), self.clone());
        pools.add("control_writer".to_owned(), move || writers.in_use(|opened| &opened.writer));
        pools.add("control_readers".to_owned(), move || readers.in_use(|opened| &opened.readers));
    }

    fn in_use(&self, pool_of: impl Fn(&Opened) -> &Pool) -> PoolUse {
        self.opened().map_or_else(|_| PoolUse::default(), |opened| pool_of(&opened).in_use())
    }
}

/// Refuses a schema that is not of this version.
pub(super) async fn is_current(db: &DatabaseConnection) -> Result<(), ControlError> {
    match migrations::status::<ControlMigrator>(db).await? {
        SchemaStatus::Current => Ok(()),
        status => Err(DatabaseError::Schema(status).into()),
    }
}

#[async_trait]
impl ControlStore for SqlControl {
    async fn check(&self) -> Result<(), ControlError> {
        let is_read = AtomicBool::new(false);
        let checked = async {
            let Ok(opened) = self.opened() else {
                let opened = self.open().await?;
                *self.opened.lock() = Some(opened);
                return Ok(());
            };
            identity::verify(&opened.readers, &self.system).await?;
            is_read.store(true, Ordering::Relaxed);
            // One that can only be read keeps nothing. The write is taken back, so that looking costs no disk.
            let tx = opened.writer.begin().await?;
            identity::touch(&tx).await?;
            tx.rollback().await;
            Ok(())
        };
        let checked = timeout(CHECK_WITHIN, checked).await.unwrap_or(Err(ControlError::Late));
        // A server's database may have been made anew: it is then opened as one that was never open. One that can be
        // read and takes no writes has not been.
        if checked.is_err() && !is_read.into_inner() && matches!(self.place, ControlPlace::Server(_)) {
            *self.opened.lock() = None;
        }
        checked
    }

    async fn keep_actions(&self, actions: &[StoredAction]) -> Result<Vec<StoredAction>, ControlError> {
        use operator_action::Column::Id;
        if actions.is_empty() {
            return Ok(Vec::new());
        }
        let mut keep = OnConflict::column(Id);
        keep.do_nothing_on([Id]);
        let rows = actions.iter().map(|action| action.clone().into_active_model());
        let insert = operator_action::Entity::insert_many(rows).on_conflict(keep);
        let of_these = Id.is_in(actions.iter().map(|action| action.id));
        let keep = async |tx: &Transaction| {
            match insert.exec_without_returning(tx).await {
                Ok(_) | Err(DbErr::RecordNotInserted) => {}
                Err(error) => return Err(error),
            }
            operator_action::Entity::find().filter(of_these).all(tx).await
        };
        self.write(keep).await
    }

    async fn actions(&self, limit: u64) -> Result<Vec<StoredAction>, ControlError> {
        let query = operator_action::Entity::find().order_by_desc(operator_action::Column::Id).limit(limit);
        Ok(query.all(&self.opened()?.readers).await?)
    }

    async fn forced_breakers(&self) -> Result<Vec<StoredForce>, ControlError> {
        Ok(forced::all(&self.opened()?.readers).await?)
    }

    async fn force_breaker(
        &self,
        order: &StoredForce,
        given: Given,
        now: Timestamp,
    ) -> Result<StoredForce, ControlError> {
        self.write(async |tx| forced::keep(tx, order, given, now).await).await
    }
}
