//! A PSP in this process, with its own durable books and rules, as reliable as its settings say.
//!
//! An effect is in the books before its answer is sent: a late or lost answer, or a caller that stopped waiting, never
//! takes it back. Rules: nothing is captured above what was authorized, nor twice (a partial capture releases the
//! rest); only an authorization that is not captured can be voided; nothing is refunded above what was captured. The
//! same key gives the same answer; the same key for another request is declined (`idempotency_key_reused`).
//!
//! With `magic_amounts`, some amounts force an outcome, like a PSP's test cards: [`MAGIC_AMOUNTS`].

pub mod books;
mod clerk;
mod faults;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::sleep;

use self::books::{FORMAT, IS_USED, TABLES};
use self::clerk::{Clerk, Command, Instruction};
use self::faults::{FaultDecision, REFUSALS, SLOW_MS};
pub use self::faults::{MAGIC_AMOUNTS, MagicAmount, MagicOf};
use super::{Psp, PspAnswer, PspError, PspOperation};
pub use crate::config::{RatesExceedWhole, SimulatorConfig};
use crate::domain::identity::{FoundCompanion, SystemId};
use crate::domain::psp::PspKey;
use crate::infra::data_guard::{DataGuard, GuardError};
use crate::infra::file_identity::{self, IdentityError};
use crate::infra::group_commit::GroupCommit;
use crate::infra::sqlite::{OpenError, PrivateWriter};
use crate::infra::telemetry::repeats::is_first;
use crate::infra::waits::wait_for_file;
use crate::runtime::{Chance, Clock};

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] RatesExceedWhole),
    #[error(transparent)]
    Books(#[from] OpenError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error("cannot start the thread of the books: {0}")]
    Thread(std::io::Error),
}

/// The PSP. It writes its books in a thread of its own.
pub struct Simulator {
    config: SimulatorConfig,
    chance: Chance,
    clock: Clock,
    committer: GroupCommit<Clerk>,
    guard: DataGuard,
    /// How often each key met [`FaultDecision::RefusedAtFirst`]; only tests send such amounts.
    refusals: Mutex<HashMap<PspKey, u32>>,
}

impl Simulator {
    /// Starts on the books at `books`, creating them if missing.
    pub fn start(books: &Path, config: SimulatorConfig, clock: Clock, chance: Chance) -> Result<Self, StartError> {
        config.check()?;
        let _wait = wait_for_file(books);
        let guard = DataGuard::lock(books)?;
        let clerk = Clerk(PrivateWriter::open(books, FORMAT, TABLES)?, guard.clone());
        guard.hold_write_ahead_log()?;
        let committer = GroupCommit::start("psp-books", clerk).map_err(StartError::Thread)?;
        Ok(Self { config, chance, clock, committer, guard, refusals: Mutex::default() })
    }

    /// Starts on books in memory, in the thread that calls it.
    #[cfg(test)]
    pub fn in_memory(config: SimulatorConfig, clock: Clock, chance: Chance) -> Result<Self, StartError> {
        let guard = DataGuard::default();
        let clerk = Clerk(PrivateWriter::open(Path::new(":memory:"), FORMAT, TABLES)?, guard.clone());
        Ok(Self { config, chance, clock, committer: GroupCommit::start_here(clerk), guard, refusals: Mutex::default() })
    }

    /// What is at this path. Creates nothing.
    pub fn look(books: &Path) -> Result<FoundCompanion, IdentityError> {
        file_identity::look(books, IS_USED)
    }

    /// Makes existing books those of this system, whichever system they belonged to. Returns their name.
    pub fn claim(books: &Path, system: &SystemId) -> Result<String, IdentityError> {
        file_identity::claim(books, system)
    }

    /// Of the books.
    pub fn guard(&self) -> DataGuard {
        self.guard.clone()
    }

    /// What [`Psp::perform`] does, for a server that must show its caller the faults.
    pub async fn reply(&self, operation: &PspOperation) -> Result<Reply, PspError> {
        let faults = self.config.faults(operation, self.chance.below(1_000));
        let refuses = faults == FaultDecision::Refused
            || faults == FaultDecision::RefusedAtFirst && self.still_refuses(&operation.key);
        // Without its books it does nothing, and can say so.
        if refuses || self.guard.is_lost() {
            return Ok(Reply::Refused);
        }
        if faults == FaultDecision::LostBefore {
            wait_ms(self.config.timeout_ms).await;
            return Ok(Reply::Lost);
        }
        let answer = self.effect(operation, faults).await?;
        self.latency().await;
        match faults {
            FaultDecision::LostAfter => {
                wait_ms(self.config.timeout_ms).await;
                return Ok(Reply::Lost);
            }
            FaultDecision::Garbage => return Ok(Reply::Garbage),
            FaultDecision::Slow => wait_ms(SLOW_MS).await,
            _ => {}
        }
        Ok(Reply::Answer(answer))
    }

    async fn effect(&self, operation: &PspOperation, faults: FaultDecision) -> Result<PspAnswer, PspError> {
        let instruction = Instruction {
            operation: operation.clone(),
            decline: if let FaultDecision::Declined(reason) = faults { Some(reason) } else { None },
            short: faults == FaultDecision::OtherAmount,
            at_ms: self.clock.now_ms(),
        };
        let answer = self.submit(Command::Perform(instruction)).await?;
        answer.ok_or_else(|| PspError::Unknown("the books gave no answer".to_owned()))
    }

    async fn submit(&self, command: Command) -> Result<Option<PspAnswer>, PspError> {
        let answer =
            self.committer.submit(command).await.map_err(|_| PspError::Unknown("the PSP is shut".to_owned()))?;
        answer.map_err(|error| {
            if is_first("the simulator's books", &error) {
                tracing::error!(%error, "the simulator cannot write its books");
            }
            PspError::Unknown(format!("the PSP cannot write: {error}"))
        })
    }

    fn still_refuses(&self, key: &PspKey) -> bool {
        let mut refusals = self.refusals.lock();
        let count = refusals.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        *count <= REFUSALS
    }

    async fn latency(&self) {
        let jitter_ms = self.chance.below(self.config.latency_jitter_ms.saturating_add(1));
        wait_ms(self.config.latency_ms.saturating_add(jitter_ms)).await;
    }
}

/// Without a delay it does not yield: a timer's shortest wait is a whole millisecond.
async fn wait_ms(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}

fn refused() -> PspError {
    PspError::NotSent("connection refused".to_owned())
}

/// The outcome of a request to the simulator, on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Answer(PspAnswer),
    /// The connection is refused; nothing was done.
    Refused,
    /// No answer comes; `timeout_ms` have gone by.
    Lost,
    /// An invalid answer comes.
    Garbage,
}

#[async_trait]
impl Psp for Simulator {
    async fn perform(&self, operation: &PspOperation) -> Result<PspAnswer, PspError> {
        match self.reply(operation).await? {
            Reply::Answer(answer) => Ok(answer),
            Reply::Refused => Err(refused()),
            Reply::Lost => Err(PspError::Unknown("timed out".to_owned())),
            Reply::Garbage => Err(PspError::Unknown("the answer makes no sense".to_owned())),
        }
    }

    async fn lookup(&self, key: &PspKey) -> Result<Option<PspAnswer>, PspError> {
        if self.chance.below(1_000) < u64::from(self.config.failure_permille) {
            return Err(refused());
        }
        let answer = self.submit(Command::Lookup(key.clone())).await?;
        self.latency().await;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
