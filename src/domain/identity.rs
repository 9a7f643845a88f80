//! Which data belong together: each shard's database knows its system, its number, how many shards there are and how
//! buckets are dealt to them, and which event log and PSP the system uses. These rules decide whether what was found
//! may be worked with. A wrong database would take old payments for unknown ones, and charge their keys again.

use std::fmt;

use super::{PaymentId, ShardId, ShardMap};

/// Names one system: all databases, logs and books that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemId(String);

impl SystemId {
    /// A new one, of random numbers.
    pub fn new(high: u64, low: u64) -> Self {
        Self(format!("{high:016x}{low:016x}"))
    }

    /// One that was stored before.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a shard's database says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIdentity {
    pub system: SystemId,
    pub shard: ShardId,
    pub count: u32,
    pub map_version: u32,
}

impl fmt::Display for ShardIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {} of system {}", self.shard, self.count, self.system)
    }
}

/// What lies where a shard's database should be, looked at before anything is written there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundShard {
    /// None in an empty database, and in one that a version before identities has made.
    pub identity: Option<ShardIdentity>,
    /// Whether it has rows of payments, keys, events or the ledger.
    pub holds_data: bool,
    /// Whether it knows of events that are in the event log.
    pub has_published: bool,
    /// Some of the payments in it, where it has data but no identity.
    pub payments: Vec<PaymentId>,
    /// The event log that the system uses, by its name.
    pub event_log: Option<String>,
    /// The PSP that the system uses, by its name.
    pub psp: Option<String>,
}

/// Why a shard's database is not worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardMisfit {
    #[error(
        "the database given for shard {place} is that of {found}, and shard.count is {wanted}; payments stay on the \
         shard that they were made on"
    )]
    Count { place: ShardId, found: ShardIdentity, wanted: u32 },
    #[error(
        "the database given for shard {place} is that of {found}: shards and databases are in another order than before"
    )]
    Number { place: ShardId, found: ShardIdentity },
    #[error("the database given for shard {place} is that of {found}, and shard {other} is of system {system}")]
    System { place: ShardId, found: ShardIdentity, other: ShardId, system: SystemId },
    #[error(
        "the database given for shard {place} is that of {found}, with version {} of the shard map; this program \
         knows version {wanted}",
        found.map_version
    )]
    MapVersion { place: ShardId, found: ShardIdentity, wanted: u32 },
    #[error(
        "the database given for shard {place} is empty, and shard {other} holds data: this is another database than \
         before, or its data are lost. If it shall begin empty, start once with --new-shard"
    )]
    Empty { place: ShardId, other: ShardId },
    #[error(
        "the database given for shard {place} holds {payment}, which belongs to shard {belongs}: shards and databases \
         are in another order than before, or shard.count is another"
    )]
    Stray { place: ShardId, payment: PaymentId, belongs: ShardId },
}

/// Whether all of these are the shards of the map and of one system. Returns the system, if any of them knows it.
///
/// # Errors
/// [`ShardMisfit`] for the first database that is another's. An empty one beside others that hold data is refused too,
/// unless `accept_empty`.
pub fn judge_shards(map: &ShardMap, found: &[FoundShard], accept_empty: bool) -> Result<Option<SystemId>, ShardMisfit> {
    let holder = map.shards().zip(found).find(|(_, found)| found.holds_data).map(|(shard, _)| shard);
    let mut system: Option<(ShardId, &SystemId)> = None;
    for (place, shard) in map.shards().zip(found) {
        let Some(identity) = &shard.identity else {
            match holder {
                Some(other) if !shard.holds_data && !accept_empty => return Err(ShardMisfit::Empty { place, other }),
                _ => check_payments(map, place, &shard.payments)?,
            }
            continue;
        };
        let found = identity.clone();
        if identity.count != map.count() {
            return Err(ShardMisfit::Count { place, found, wanted: map.count() });
        }
        if identity.shard != place {
            return Err(ShardMisfit::Number { place, found });
        }
        if identity.map_version != map.version() {
            return Err(ShardMisfit::MapVersion { place, found, wanted: map.version() });
        }
        match system {
            Some((other, system)) if *system != identity.system => {
                return Err(ShardMisfit::System { place, found, other, system: system.clone() });
            }
            _ => system = Some((place, &identity.system)),
        }
    }
    Ok(system.map(|(_, system)| system.clone()))
}

/// Data without an identity are known by their payments, whose ids carry their buckets.
fn check_payments(map: &ShardMap, place: ShardId, payments: &[PaymentId]) -> Result<(), ShardMisfit> {
    let stray = payments.iter().map(|payment| (*payment, map.shard_of(payment.bucket())));
    match stray.into_iter().find(|(_, belongs)| *belongs != place) {
        Some((payment, belongs)) => Err(ShardMisfit::Stray { place, payment, belongs }),
        None => Ok(()),
    }
}

/// What a system uses beside its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Companion {
    EventLog,
    Psp,
}

impl Companion {
    /// The option of `rialto serve` by which another one is taken on.
    pub fn option(self) -> &'static str {
        match self {
            Self::EventLog => "--new-event-log",
            Self::Psp => "--new-psp",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::EventLog => "set kafka.brokers, kafka.topic_prefix or --data-dir to those of before",
            Self::Psp => "set psp.url to the PSP that all processes of the system use, or --data-dir to that of before",
        }
    }
}

impl fmt::Display for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventLog => "event log",
            Self::Psp => "PSP",
        })
    }
}

/// An event log or PSP as it was found, before anything is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCompanion {
    /// None for a file that is to be made.
    pub name: Option<String>,
    /// The system that a file says it is of.
    pub system: Option<SystemId>,
    /// Whether it was used before. Of a server, whether it can have been.
    pub is_used: bool,
    /// Whether something is in it. Of a PSP behind a URL, whether there can be.
    pub holds_data: bool,
    /// Whether it is a file, in which only one system can have written.
    pub is_file: bool,
}

impl FoundCompanion {
    /// A PSP behind a URL, which is not asked who it is.
    pub fn at_url(origin: &str) -> Self {
        Self { name: Some(format!("{URL}{origin}")), system: None, is_used: true, holds_data: true, is_file: false }
    }

    fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(if self.is_used { "one of a version before" } else { "a new one" })
    }
}

/// How the name of a PSP begins that is reached by a URL.
const URL: &str = "at ";

/// Whether two names can be of one event log or PSP. A PSP may move, and processes may reach it by different names.
pub fn is_same(one: &str, other: &str) -> bool {
    one == other || one.starts_with(URL) && other.starts_with(URL)
}

/// Why an event log or a PSP is not worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompanionMisfit {
    #[error(
        "the {what} is {found}, and the shards' is {recorded}: {}. If it shall be another one from now on, start once \
         with {}",
        what.advice(),
        what.option()
    )]
    Other { what: Companion, found: String, recorded: String },
    #[error(
        "the {what} ({found}) is empty, and the shards hold data: it is another one than before, or its data are \
         lost; {}. If it shall begin empty, start once with {}",
        what.advice(),
        what.option()
    )]
    Empty { what: Companion, found: String },
    #[error(
        "the {what} ({found}) is that of system {system}, and the shards are {}: {}. If it shall be theirs from now \
         on, start once with {}",
        shards.as_ref().map_or_else(|| "empty".to_owned(), |shards| format!("of system {shards}")),
        what.advice(),
        what.option()
    )]
    System { what: Companion, found: String, system: SystemId, shards: Option<SystemId> },
    #[error(
        "the {what} ({found}) holds data, and the shards are empty: they are other databases than before, or their \
         data are lost. If they shall begin empty, start once with {}",
        what.option()
    )]
    Shards { what: Companion, found: String },
}

/// Whether the event log or PSP is that of the shards.
///
/// # Errors
/// [`CompanionMisfit`] if it is another one, or an empty one beside shards that hold data.
pub fn judge_companion(
    what: Companion,
    shards: &[FoundShard],
    system: Option<&SystemId>,
    found: &FoundCompanion,
) -> Result<(), CompanionMisfit> {
    let holds_data = shards.iter().any(|shard| shard.holds_data);
    let is_nameless = shards.iter().any(|shard| shard.holds_data && shard.identity.is_none());
    // Events that were published are missing. What was never published may well not be there.
    let is_missed = shards.iter().any(|shard| shard.has_published) && !found.holds_data;
    let shown = found.shown().to_owned();
    let recorded = shards.iter().filter_map(|shard| match what {
        Companion::EventLog => shard.event_log.as_deref(),
        Companion::Psp => shard.psp.as_deref(),
    });
    let recorded: Vec<_> = recorded.collect();
    // A name is noted after what it names was made: what has none yet cannot be what was noted.
    let is_other = |recorded: &&&str| found.name.as_deref().is_none_or(|name| !is_same(recorded, name));
    if let Some(recorded) = recorded.iter().find(is_other) {
        return Err(CompanionMisfit::Other { what, found: shown, recorded: (*recorded).to_owned() });
    }
    if !recorded.is_empty() {
        // A file that has its name is the file. A cluster that has its name may have lost the topics, or be another one
        // that was given the same id.
        let is_whole = found.is_file || found.is_used && !is_missed;
        return is_whole.then_some(()).ok_or(CompanionMisfit::Empty { what, found: shown });
    }
    match &found.system {
        Some(of) if Some(of) != system => {
            Err(CompanionMisfit::System { what, found: shown, system: of.clone(), shards: system.cloned() })
        }
        // Where the shards know themselves and note nothing, no process with the role has been there yet. A version
        // before noted nothing.
        _ if is_nameless && !found.is_used || is_missed => Err(CompanionMisfit::Empty { what, found: shown }),
        _ if !holds_data && found.is_used && found.is_file => Err(CompanionMisfit::Shards { what, found: shown }),
        _ => Ok(()),
    }
}

/// The control store is another system's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is that of system {found}, and the shards are {}: set control.database or --data-dir to that of \
     before, or to an empty one, with which the trail of operators' actions begins anew",
    shards.as_ref().map_or_else(|| "empty".to_owned(), |shards| format!("of system {shards}"))
)]
pub struct ControlMisfit {
    found: SystemId,
    shards: Option<SystemId>,
}

/// Whether the control store is that of the shards. An empty one may become it: what is lost with it is no money.
///
/// # Errors
/// [`ControlMisfit`] if it is another system's.
pub fn judge_control(shards: Option<&SystemId>, found: Option<&SystemId>) -> Result<(), ControlMisfit> {
    match found {
        Some(found) if shards != Some(found) => Err(ControlMisfit { found: found.clone(), shards: shards.cloned() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
