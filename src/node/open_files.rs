//! How many files and connections the process may have open, and how many of them are left to callers. A process that
//! has used them up can open no file of its own any more.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::http::Places;

/// What the node itself may need: databases, the event log, servers, threads, and what operators open beside it.
const OWN_FILES: u64 = 192;
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

/// Places for connections: as many as are wanted, or as the limit of open files leaves, and a few of them spare.
pub fn places(wanted: usize, per_address: usize) -> Places {
    // None: without a limit.
    let limit = getrlimit(Resource::Nofile).current;
    let allowed = limit.map_or(usize::MAX, |limit| usize::try_from(for_callers(limit)).unwrap_or(usize::MAX));
    let spare = SPARE.min(allowed / 4).max(1);
    let connections = wanted.min((allowed - allowed.min(spare)).max(1));
    if connections < wanted {
        tracing::warn!(
            open_files = limit,
            connections_max = connections,
            "fewer connections than http.connections_max: raise the limit of open files (ulimit -n, LimitNOFILE)"
        );
    }
    Places { connections, per_address, spare }
}

/// What the node leaves to callers of so many files.
fn for_callers(limit: u64) -> u64 {
    limit.saturating_sub(OWN_FILES).max(limit / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_get_what_the_node_does_not_need() {
        for (limit, left) in [(80, 10), (256, 64), (1_024, 832), (1_048_576, 1_048_384)] {
            assert_eq!(for_callers(limit), left, "{limit}");
        }
    }
}
