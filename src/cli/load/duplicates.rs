//! How groups of identical requests are judged: one execution, and the same answer for everyone else.

use serde::Serialize;

/// What one of several identical requests was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// 200 of an execution, with the payment's id.
    Fresh(String),
    /// 200 with `Idempotent-Replayed: true`, with the payment's id.
    Replayed(String),
    /// 409 `idempotency_in_progress`.
    InProgress,
    /// Anything else, or nothing.
    Unexpected,
}

/// Counts over all groups of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateCounts {
    /// Groups that were sent to the end.
    pub groups: u64,
    /// 200 answers of an execution; one a group is right.
    pub fresh: u64,
    /// 200 answers that were replayed.
    pub replayed: u64,
    /// 409 answers while the first request was under way.
    pub in_progress: u64,
    /// Groups that were not executed exactly once, had two payments, or were not all replayed the second time.
    pub groups_broken: u64,
}

impl DuplicateCounts {
    /// Counts and judges one group: `first` was sent at once, `again` after all of `first` were answered.
    pub fn count(&mut self, first: &[Reply], again: &[Reply]) {
        self.groups += 1;
        for reply in first.iter().chain(again) {
            match reply {
                Reply::Fresh(_) => self.fresh += 1,
                Reply::Replayed(_) => self.replayed += 1,
                Reply::InProgress => self.in_progress += 1,
                Reply::Unexpected => {}
            }
        }
        self.groups_broken += u64::from(!is_whole(first, again));
    }

    /// Adds the counts of another thread.
    pub fn merge(&mut self, other: &Self) {
        self.groups += other.groups;
        self.fresh += other.fresh;
        self.replayed += other.replayed;
        self.in_progress += other.in_progress;
        self.groups_broken += other.groups_broken;
    }
}

/// Whether the answers of a group fit one execution. A group with an unexpected answer, which is counted as such
/// elsewhere, may have lost its fresh answer, but even then has no second execution and no second payment.
fn is_whole(first: &[Reply], again: &[Reply]) -> bool {
    let all = || first.iter().chain(again);
    let fresh = all().filter(|reply| matches!(reply, Reply::Fresh(_))).count();
    let mut payments = all().filter_map(|reply| match reply {
        Reply::Fresh(id) | Reply::Replayed(id) => Some(id),
        Reply::InProgress | Reply::Unexpected => None,
    });
    let one_payment = payments.next().is_none_or(|id| payments.all(|other| other == id));
    if all().any(|reply| *reply == Reply::Unexpected) {
        return fresh <= 1 && one_payment;
    }
    let executed_at_once = first.iter().any(|reply| matches!(reply, Reply::Fresh(_)));
    let replayed_again = again.iter().all(|reply| matches!(reply, Reply::Replayed(_)));
    fresh == 1 && one_payment && executed_at_once && replayed_again
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(id: &str) -> Reply {
        Reply::Fresh(id.to_owned())
    }

    fn replayed(id: &str) -> Reply {
        Reply::Replayed(id.to_owned())
    }

    #[test]
    fn group_with_one_execution_and_replays_is_correct() {
        assert!(is_whole(&[fresh("a"), Reply::InProgress, replayed("a")], &[replayed("a"), replayed("a")]));
        assert!(is_whole(&[Reply::Unexpected, replayed("a")], &[replayed("a"), Reply::InProgress]));
    }

    #[test]
    fn group_with_any_other_outcome_is_broken() {
        assert!(!is_whole(&[fresh("a"), fresh("a")], &[replayed("a")]), "executed twice");
        assert!(!is_whole(&[fresh("a"), replayed("b")], &[replayed("a")]), "two payments");
        assert!(!is_whole(&[Reply::InProgress, Reply::InProgress], &[replayed("a")]), "nobody was the first");
        assert!(!is_whole(&[Reply::InProgress], &[fresh("a")]), "executed by the second wave");
        assert!(!is_whole(&[fresh("a")], &[Reply::InProgress]), "still running after it was answered");
        assert!(!is_whole(&[fresh("a"), Reply::Unexpected], &[fresh("b")]), "executed twice, with errors");
    }

    #[test]
    fn duplicate_counts_add_up_over_groups() {
        let mut counts = DuplicateCounts::default();
        counts.count(&[fresh("a"), Reply::InProgress], &[replayed("a"), replayed("a")]);
        counts.count(&[fresh("b"), fresh("b")], &[replayed("b"), Reply::Unexpected]);
        let expected = DuplicateCounts { groups: 2, fresh: 3, replayed: 3, in_progress: 1, groups_broken: 1 };
        assert_eq!(counts, expected);
        let mut twice = counts.clone();
        twice.merge(&counts);
        assert_eq!((twice.groups, twice.fresh, twice.groups_broken), (4, 6, 2));
    }
}
