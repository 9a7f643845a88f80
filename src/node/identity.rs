//! That databases, event log and PSP belong together is known before anything is written to any of them, and written
//! down before anybody is served.

use std::path::{Path, PathBuf};

use super::data_dir::{event_log_path, psp_books_path};
use super::places::{control_place, kafka_settings, shard_places};
use crate::config::{Config, Roles};
use crate::domain::event::topics;
use crate::domain::identity::{
    Companion, CompanionMisfit, FoundCompanion, FoundShard, ShardIdentity, ShardMisfit, SystemId, is_same,
    judge_companion, judge_control, judge_shards,
};
use crate::domain::{ShardId, ShardMap, Timestamp};
use crate::infra::control::{ControlError, system_of};
use crate::infra::database::DatabaseError;
use crate::infra::database::identity::ShardRecord;
use crate::infra::event_log::embedded::EmbeddedLog;
use crate::infra::event_log::kafka::{self, KafkaLog};
use crate::infra::file_identity::IdentityError;
use crate::infra::psp::simulator::Simulator;
use crate::runtime::Environment;

/// What a node takes on though it is another one than before, since somebody said so.
#[derive(Debug, Clone, Copy, Default)]
pub struct Accept {
    /// An empty database of a shard beside others that hold data.
    pub new_shard: bool,
    pub new_event_log: bool,
    pub new_psp: bool,
}

impl Accept {
    fn companion(self, what: Companion) -> bool {
        match what {
            Companion::EventLog => self.new_event_log,
            Companion::Psp => self.new_psp,
        }
    }
}

/// Why a node does not work with what it was given.
#[derive(Debug, thiserror::Error)]
pub enum MisfitError {
    #[error(transparent)]
    Shards(#[from] ShardMisfit),
    #[error(transparent)]
    Companion(#[from] CompanionMisfit),
    #[error("shard {shard}: {error}")]
    Database { shard: ShardId, error: DatabaseError },
    #[error("the database of shard {0} does not say what it is: no node has started on it yet")]
    Nameless(ShardId),
    #[error(
        "data directory {path} has a database of shard {found}, shard.count is {wanted}; payments stay on the shard \
         that they were made on"
    )]
    ShardCount { path: PathBuf, found: u32, wanted: u32 },
    #[error("data directory {path}: {error}")]
    Directory { path: PathBuf, error: std::io::Error },
    #[error("control store (control.database): {0}")]
    Control(#[from] ControlError),
    #[error("the control store does not say what it is: no node has started on it yet")]
    NamelessControl,
    #[error(transparent)]
    File(#[from] IdentityError),
    #[error("event log: {0}")]
    Kafka(#[from] kafka::OpenError),
}

/// What the configuration names, and who asks.
pub struct Belongings<'a> {
    pub config: &'a Config,
    pub map: &'a ShardMap,
    pub data_dir: &'a Path,
    pub roles: Roles,
}

/// The system that everything was found to be of, before it is opened.
pub struct Checked {
    shards: Vec<FoundShard>,
    system: Option<SystemId>,
    /// Whether the control store has been asked, and knows that it is the system's.
    is_control_known: bool,
    /// Whether the control store has answered, or can be made.
    is_control_there: bool,
}

impl Checked {
    /// For whoever reads the control store as well.
    ///
    /// # Errors
    /// [`MisfitError::NamelessControl`] if it is away, or is nobody's yet.
    pub fn require_control(&self) -> Result<(), MisfitError> {
        self.is_control_known.then_some(()).ok_or(MisfitError::NamelessControl)
    }
}

impl Belongings<'_> {
    /// Whether all of it belongs together. Writes nothing.
    ///
    /// # Errors
    /// [`MisfitError`] says what does not.
    pub async fn check(&self, accept: Accept) -> Result<Checked, MisfitError> {
        if self.config.shard.databases.is_empty() {
            check_files(self.data_dir, self.map)?;
        }
        let mut records = Vec::new();
        for (shard, place) in self.map.shards().zip(shard_places(self.config, self.map, self.data_dir)) {
            let record = ShardRecord::look(&place).await;
            records.push((shard, record.map_err(|error| MisfitError::Database { shard, error })?));
        }
        let mut shards = Vec::new();
        for (shard, record) in records {
            let failed = |error| MisfitError::Database { shard, error };
            shards.push(record.found().await.map_err(failed)?);
            record.close().await.map_err(failed)?;
        }
        let system = judge_shards(self.map, &shards, accept.new_shard)?;
        for (what, found) in [(Companion::EventLog, self.look_log().await?), (Companion::Psp, self.look_psp()?)] {
            match found {
                Some(found) if !accept.companion(what) => judge_companion(what, &shards, system.as_ref(), &found)?,
                _ => {}
            }
        }
        let looked = self.look_control().await?;
        let (is_control_there, control) = (looked.is_some(), looked.flatten());
        judge_control(system.as_ref(), control.as_ref()).map_err(ControlError::from)?;
        Ok(Checked { shards, system, is_control_known: control.is_some(), is_control_there })
    }

    /// As [`check`](Self::check), for whoever only reads: all of it must be there and know what it is. The control
    /// store may be away: see [`Checked::require_control`].
    ///
    /// # Errors
    /// As there.
    pub async fn verify(&self) -> Result<Checked, MisfitError> {
        let checked = self.check(Accept::default()).await?;
        let mut shards = self.map.shards().zip(&checked.shards);
        match shards.find(|(_, found)| found.identity.is_none()) {
            Some((shard, _)) => Err(MisfitError::Nameless(shard)),
            None => Ok(checked),
        }
    }

    /// What it says; none of one that is away: no payment waits for it.
    async fn look_control(&self) -> Result<Option<Option<SystemId>>, MisfitError> {
        let Some(place) = control_place(self.config, self.data_dir) else { return Ok(None) };
        match system_of(&place).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_final() => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "control store cannot be opened yet");
                Ok(None)
            }
        }
    }

    /// None where no role uses it.
    async fn look_log(&self) -> Result<Option<FoundCompanion>, MisfitError> {
        if !self.roles.use_event_log() {
            return Ok(None);
        }
        if self.config.kafka.brokers.is_empty() {
            return Ok(Some(EmbeddedLog::look(&event_log_path(self.data_dir))?));
        }
        let topics: Vec<_> = topics().collect();
        Ok(Some(KafkaLog::look(&kafka_settings(self.config), &topics).await?))
    }

    fn look_psp(&self) -> Result<Option<FoundCompanion>, MisfitError> {
        let url = &self.config.psp.url;
        if url.is_empty() {
            return Ok(Some(Simulator::look(&psp_books_path(self.data_dir))?));
        }
        // Without user and password, if it has them.
        let origin = reqwest::Url::parse(url).map(|url| url.origin().ascii_serialization());
        Ok(Some(FoundCompanion::at_url(&origin.unwrap_or_default())))
    }

    /// Tells the shards' databases, whose schemas are current by now, what they are. Of processes that start together
    /// on fresh databases, the one that comes first to the first shard makes the system.
    ///
    /// # Errors
    /// [`MisfitError`] also when somebody else was there in the meantime.
    pub async fn claim_shards(
        &self,
        checked: Checked,
        environment: &Environment,
    ) -> Result<ClaimedShards, MisfitError> {
        let chance = &environment.chance;
        let (mut system, is_new) = (checked.system.clone(), checked.system.is_none());
        let (mut records, mut shards) = (Vec::new(), Vec::new());
        for (place, shard) in shard_places(self.config, self.map, self.data_dir).into_iter().zip(self.map.shards()) {
            let failed = |error| MisfitError::Database { shard, error };
            let record = ShardRecord::open(&place).await.map_err(failed)?;
            let wanted = ShardIdentity {
                system: system.clone().unwrap_or_else(|| SystemId::new(chance.u64(), chance.u64())),
                shard,
                count: self.map.count(),
                map_version: self.map.version(),
            };
            let now = Timestamp(environment.clock.now_ms());
            let identity = record.claim(&wanted, now).await.map_err(failed)?.ok_or(MisfitError::Nameless(shard))?;
            system.get_or_insert_with(|| identity.system.clone());
            shards.push(FoundShard { identity: Some(identity), ..FoundShard::default() });
            records.push((shard, record));
        }
        let system = judge_shards(self.map, &shards, false)?.ok_or(MisfitError::Nameless(ShardId(1)))?;
        Ok(ClaimedShards { records, system, is_new, is_control_there: checked.is_control_there })
    }

    /// Makes event log and PSP those of the system; their files are there by now. For a PSP that is found by its URL
    /// there is nothing to write but the note.
    ///
    /// # Errors
    /// [`MisfitError`] also when another process has noted another one in the meantime.
    pub async fn claim_companions(&self, shards: ClaimedShards, accept: Accept) -> Result<(), MisfitError> {
        if let Some(found) = self.look_log().await? {
            let path = event_log_path(self.data_dir);
            let name = if found.is_file { Some(EmbeddedLog::claim(&path, &shards.system)?) } else { found.name };
            shards.note(Companion::EventLog, name, accept).await?;
        }
        if let Some(found) = self.look_psp()? {
            let path = psp_books_path(self.data_dir);
            let name = if found.is_file { Some(Simulator::claim(&path, &shards.system)?) } else { found.name };
            shards.note(Companion::Psp, name, accept).await?;
        }
        for (shard, record) in shards.records {
            record.close().await.map_err(|error| MisfitError::Database { shard, error })?;
        }
        Ok(())
    }
}

/// The shards' databases, which all know the system.
pub struct ClaimedShards {
    records: Vec<(ShardId, ShardRecord)>,
    system: SystemId,
    is_new: bool,
    is_control_there: bool,
}

impl ClaimedShards {
    /// Whether the control store answered when it was asked whose it is.
    pub fn is_control_there(&self) -> bool {
        self.is_control_there
    }

    /// Whether no shard was of any system before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    pub fn system(&self) -> &SystemId {
        &self.system
    }

    /// Has every shard remember it. The first shard's note decides between processes that start together.
    async fn note(&self, what: Companion, name: Option<String>, accept: Accept) -> Result<(), MisfitError> {
        let Some(name) = name else { return Ok(()) };
        for (shard, record) in &self.records {
            let noted = record.note(what, &name, accept.companion(what)).await;
            match noted.map_err(|error| MisfitError::Database { shard: *shard, error })? {
                Some(recorded) if !is_same(&recorded, &name) => {
                    return Err(CompanionMisfit::Other { what, found: name, recorded }.into());
                }
                Some(recorded) if recorded != name => {
                    tracing::info!("the {what} is reached {name}, and was {recorded} when the system was made");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Refuses files of shards beyond those that there are: their payments would be lost.
fn check_files(data_dir: &Path, map: &ShardMap) -> Result<(), MisfitError> {
    let failed = |error| MisfitError::Directory { path: data_dir.to_owned(), error };
    for entry in data_dir.read_dir().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("shard-")?.strip_suffix(".db")?.parse().ok());
        if let Some(found) = number.filter(|number: &u32| *number > map.count()) {
            let path = data_dir.to_owned();
            return Err(MisfitError::ShardCount { path, found, wanted: map.count() });
        }
    }
    Ok(())
}
