//! The real servers that tests use, and fault plans for what replaces servers.

use std::time::Duration;

/// Where one of the servers of `scripts/servers` listens, `HOST:PORT`. `RIALTO_TEST_SERVERS` names their directory;
/// without it there are none, and the test says that it is skipped.
pub fn server(name: &str) -> Option<String> {
    let Ok(dir) = std::env::var("RIALTO_TEST_SERVERS") else {
        println!("skipped: RIALTO_TEST_SERVERS names no directory of servers");
        return None;
    };
    let address = std::fs::read_to_string(format!("{dir}/{name}.address"));
    Some(address.unwrap_or_else(|error| panic!("{dir} has no {name}: {error}")).trim().to_owned())
}

/// The outcome of one call to the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultDecision {
    Well,
    /// It fails, and nothing was done.
    FailBefore,
    /// It is done, and its answer is lost.
    FailAfter,
    /// It is done, and the process is dead.
    DieAfter,
    /// The disk is full, now and for so long: nothing is done. Only of a COMMIT.
    Full(Duration),
    /// It is done, and nothing can be reached from now on for so long. Only of a COMMIT.
    CutOff(Duration),
}

/// Decides the outcomes of calls.
#[async_trait::async_trait]
pub trait FaultPlan: Send + Sync + std::fmt::Debug {
    /// The outcome of a call. It may take time; for a dead process it never returns.
    async fn of(&self, call: &'static str) -> FaultDecision;
}

/// All calls succeed at once.
#[derive(Debug)]
pub struct NoFaults;

#[async_trait::async_trait]
impl FaultPlan for NoFaults {
    async fn of(&self, _: &'static str) -> FaultDecision {
        FaultDecision::Well
    }
}

/// The outcome of a dead process's calls.
pub async fn dead<T>() -> T {
    std::future::pending().await
}
