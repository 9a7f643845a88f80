//! How many files and connections the process may have open, and how many of them are left to callers. A process that
//! has used them up can open no file of its own any more.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::http::Places;

/// What the node itself may need: databases, the event log, servers, threads, and what operators open beside it.
const OWN_FILES: u64 = 192;
/// What it may open beside what it has open when it begins to serve.
const OWN_MORE: u64 = 32;
/// Without so many it can serve nobody.
const FILES_TO_SERVE: u64 = 10;
/// Places for operators, when the others are taken.
const SPARE: usize = 32;

/// Takes as many open files as the process is allowed (`RLIMIT_NOFILE`, setrlimit(2)). To be called once, at its start.
pub fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::info!(%error, "the limit of open files stays as it is");
    }
}

/// The process may have fewer open files than it needs to serve anybody.
#[derive(Debug, thiserror::Error)]
#[error(
    "{open} files are open and the process may have {limit}, which leaves none to callers: raise the limit of open \
     files (ulimit -n, LimitNOFILE)"
)]
pub struct TooFewFiles {
    open: u64,
    limit: u64,
}

/// Places for connections: as many as are wanted, or as the limit of open files leaves, and a few of them spare. To be
/// called once all is open that the node needs.
///
/// # Errors
/// [`TooFewFiles`].
pub fn places(wanted: usize, per_address: usize) -> Result<Places, TooFewFiles> {
    // None: without a limit.
    let Some(limit) = getrlimit(Resource::Nofile).current else {
        return Ok(Places { connections: wanted, per_address, spare: SPARE });
    };
    let open = open_now();
    if open + FILES_TO_SERVE > limit {
        return Err(TooFewFiles { open, limit });
    }
    let allowed = usize::try_from(for_callers(limit, open)).unwrap_or(usize::MAX);
    let spare = SPARE.min(allowed / 4).max(2);
    let connections = wanted.min(allowed.saturating_sub(spare).max(1));
    let per_address = share(per_address, connections, wanted);
    if connections < wanted {
        tracing::warn!(
            open_files = limit,
            connections_max = connections,
            connections_per_address_max = per_address,
            "fewer connections than http.connections_max: raise the limit of open files (ulimit -n, LimitNOFILE)"
        );
    }
    Ok(Places { connections, per_address, spare })
}

/// An address's part of so many connections where it was to have `per_address` of `wanted`: one address that takes all
/// it can leaves as large a part to others.
fn share(per_address: usize, connections: usize, wanted: usize) -> usize {
    let part = per_address.saturating_mul(connections).div_ceil(wanted.max(1));
    per_address.min(part.max(1))
}

/// How many files are open; 0 where the system does not say.
fn open_now() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64)
}

/// What the node leaves to callers of so many files, of which so many are open.
fn for_callers(limit: u64, open: u64) -> u64 {
    limit.saturating_sub(OWN_FILES.max(open + OWN_MORE)).max(limit / 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_part() {
        for (per_address, connections, wanted, part) in
            [(4_000, 10_000, 10_000, 4_000), (4_000, 800, 10_000, 320), (4_000, 4, 10_000, 2), (1, 1, 10_000, 1)]
        {
            assert_eq!(share(per_address, connections, wanted), part, "{per_address} {connections}");
        }
    }

    #[test]
    fn callers_get_what_the_node_does_not_need() {
        for (limit, open, left) in
            [(100, 85, 6), (256, 85, 64), (1_024, 85, 832), (1_048_576, 85, 1_048_384), (1_024, 300, 692)]
        {
            assert_eq!(for_callers(limit, open), left, "{limit} {open}");
        }
    }
}
