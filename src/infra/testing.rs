//! The real servers that tests use, and the fates of calls to what stands for servers.

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

/// What becomes of one call to the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultDecision {
    Well,
    /// It fails, and nothing was done.
    FailBefore,
    /// It is done, and its answer is lost.
    FailAfter,
    /// It is done, and the process is dead.
    DieAfter,
    /// The disk is full, now and for so long: nothing is done. A COMMIT's alone.
    Full(Duration),
    /// It is done, and nothing can be reached from now on for so long. A COMMIT's alone.
    CutOff(Duration),
}

/// Decides what becomes of calls.
#[async_trait::async_trait]
pub trait FaultPlan: Send + Sync + std::fmt::Debug {
    /// The fate of a call. It may take its time; a dead process waits for ever.
    async fn of(&self, call: &'static str) -> FaultDecision;
}

/// All goes well, at once.
#[derive(Debug)]
pub struct NoFaults;

#[async_trait::async_trait]
impl FaultPlan for NoFaults {
    async fn of(&self, _: &'static str) -> FaultDecision {
        FaultDecision::Well
    }
}

/// What the calls of a dead process come to.
pub async fn dead<T>() -> T {
    std::future::pending().await
}
