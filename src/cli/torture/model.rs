//! What one payment may do, as a single thread would do it: a search for an order of a payment's calls, within the
//! times at which they were in flight, that explains every answer and the final state. Written independently of the
//! domain's rules, so that a mistake there is not repeated here.
//!
//! The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993): a call may come next if no
//! other call had ended before it began. A call without an answer may have happened at any later time, or never.

use std::collections::HashSet;

/// What was asked of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ask {
    Capture { amount: i64 },
    Void,
    Refund { amount: i64 },
    Read,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    /// It was done; for a refund, the refund's id.
    Done { refund_id: Option<String> },
    /// The rules refused it.
    Refused,
    /// A read: status, captured and refunded.
    Seen { status: String, captured: i64, refunded: i64 },
    /// No reliable answer.
    Unknown,
}

/// One call, from its first sending to its last answer, in any unit of one clock.
#[derive(Debug, Clone)]
pub struct Entry {
    pub ask: Ask,
    pub told: Acknowledged,
    pub begun: u64,
    /// Never, if there was no answer.
    pub ended: u64,
}

/// How a refund ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalRefund {
    pub id: String,
    pub amount: i64,
    pub is_refunded: bool,
}

/// The state of the payment when everything has settled.
#[derive(Debug, Clone)]
pub struct Final {
    pub status: String,
    pub authorized: i64,
    /// Whether its capture was asked for with the authorization.
    pub is_automatic: bool,
    pub captured: i64,
    pub refunded: i64,
    pub refunds: Vec<FinalRefund>,
}

/// The state of the payment in the search.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Stage {
    Authorized,
    CaptureRequested { amount: i64 },
    Captured { amount: i64 },
    CaptureFailed,
    Voided,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    stage: Stage,
    /// Of the final refunds: 0 not asked for, 1 under way, 2 ended.
    refunds: Vec<u8>,
    done: u64,
}

/// Calls of one payment beyond which the search would take too long; a plan makes fewer.
pub const CALLS_MAX: usize = 64;

/// Whether some order explains the history of an authorized payment and how it ended.
///
/// # Errors
/// A history that cannot be explained.
pub fn explain(history: &[Entry], end: &Final) -> Result<(), String> {
    if history.len() > CALLS_MAX {
        return Err(format!("{} calls are more than can be searched", history.len()));
    }
    let stage = match end.is_automatic {
        true => Stage::CaptureRequested { amount: end.authorized },
        false => Stage::Authorized,
    };
    let start = State { stage, refunds: vec![0; end.refunds.len()], done: 0 };
    let mut search = Search { history, end, seen: HashSet::new(), deepest: 0 };
    if search.find(start) {
        return Ok(());
    }
    let unexplained = history.len() - search.deepest.min(history.len());
    Err(format!("no order explains it: {unexplained} of {} calls stay over; it ended {end:?}", history.len()))
}

struct Search<'a> {
    history: &'a [Entry],
    end: &'a Final,
    seen: HashSet<State>,
    deepest: usize,
}

impl Search<'_> {
    fn find(&mut self, state: State) -> bool {
        if !self.seen.insert(state.clone()) {
            return false;
        }
        self.deepest = self.deepest.max(state.done.count_ones() as usize);
        let open: Vec<usize> = (0..self.history.len()).filter(|call| state.done & 1 << call == 0).collect();
        if open.iter().all(|call| self.history[*call].told == Acknowledged::Unknown) && self.is_end(&state) {
            return true;
        }
        // What happens without a call.
        for next in self.alone(&state) {
            if self.find(next) {
                return true;
            }
        }
        // A call comes next if no other open one had ended before it began.
        let first_end = open.iter().map(|call| self.history[*call].ended).min().unwrap_or(u64::MAX);
        for call in open {
            if self.history[call].begun > first_end {
                continue;
            }
            for mut next in self.take(&state, call) {
                next.done |= 1 << call;
                if self.find(next) {
                    return true;
                }
            }
        }
        false
    }

    fn is_end(&self, state: &State) -> bool {
        let end = self.end;
        let refunded: i64 = end.refunds.iter().filter(|refund| refund.is_refunded).map(|refund| refund.amount).sum();
        if state.refunds.iter().any(|stage| *stage != 2) || refunded != end.refunded {
            return false;
        }
        let (status, captured) = match state.stage {
            Stage::Authorized => ("AUTHORIZED", 0),
            Stage::CaptureRequested { .. } => return false,
            Stage::CaptureFailed => ("CAPTURE_FAILED", 0),
            Stage::Voided => ("VOIDED", 0),
            Stage::Captured { amount } if refunded == 0 => ("CAPTURED", amount),
            Stage::Captured { amount } if refunded == amount => ("REFUNDED", amount),
            Stage::Captured { amount } => ("PARTIALLY_REFUNDED", amount),
        };
        (status, captured) == (end.status.as_str(), end.captured)
    }

    /// What the workers may do now: a capture succeeds, or fails and with it all refunds that waited for it; refunds
    /// end as observed.
    fn alone(&self, state: &State) -> Vec<State> {
        let mut next = Vec::new();
        if let Stage::CaptureRequested { amount } = state.stage {
            next.push(State { stage: Stage::Captured { amount }, ..state.clone() });
            let waited = |refund: usize| state.refunds[refund] == 1;
            if (0..state.refunds.len()).all(|refund| !waited(refund) || !self.end.refunds[refund].is_refunded) {
                let refunds =
                    (0..state.refunds.len()).map(|refund| if waited(refund) { 2 } else { state.refunds[refund] });
                next.push(State { stage: Stage::CaptureFailed, refunds: refunds.collect(), ..state.clone() });
            }
            return next;
        }
        let may_end = |refund: &usize| {
            let is_waiting = !matches!(state.stage, Stage::Captured { .. });
            state.refunds[*refund] == 1 && !(is_waiting && self.end.refunds[*refund].is_refunded)
        };
        for refund in (0..state.refunds.len()).filter(may_end) {
            let mut ended = state.clone();
            ended.refunds[refund] = 2;
            next.push(ended);
        }
        next
    }

    /// The states to which a call may lead, given its answer.
    fn take(&self, state: &State, call: usize) -> Vec<State> {
        let Entry { ask, told, .. } = &self.history[call];
        if let Acknowledged::Seen { status, captured, refunded } = told {
            let is_so = (status.as_str(), *captured, *refunded) == self.shown(state);
            return if is_so { vec![state.clone()] } else { Vec::new() };
        }
        let changed = self.changed(state, ask, told);
        match told {
            Acknowledged::Done { .. } => changed,
            Acknowledged::Refused if changed.is_empty() => vec![state.clone()],
            Acknowledged::Refused | Acknowledged::Seen { .. } => Vec::new(),
            // Here it had an effect. A call without one is never taken: it stays over at the end.
            Acknowledged::Unknown => changed,
        }
    }

    fn changed(&self, state: &State, ask: &Ask, told: &Acknowledged) -> Vec<State> {
        match (ask, &state.stage) {
            (Ask::Capture { amount }, Stage::Authorized | Stage::CaptureFailed) if *amount <= self.end.authorized => {
                vec![State { stage: Stage::CaptureRequested { amount: *amount }, ..state.clone() }]
            }
            (Ask::Void, Stage::Authorized | Stage::CaptureFailed) => {
                vec![State { stage: Stage::Voided, ..state.clone() }]
            }
            (
                Ask::Refund { amount },
                Stage::Captured { amount: captured } | Stage::CaptureRequested { amount: captured },
            ) => {
                if self.held(state).saturating_add(*amount) > *captured {
                    return Vec::new();
                }
                let is_it = |refund: &FinalRefund| match told {
                    Acknowledged::Done { refund_id } => refund_id.as_ref() == Some(&refund.id),
                    _ => true,
                };
                let free = |place: &usize| {
                    let refund = &self.end.refunds[*place];
                    state.refunds[*place] == 0 && refund.amount == *amount && is_it(refund)
                };
                let begun = |place: usize| {
                    let mut next = state.clone();
                    next.refunds[place] = 1;
                    next
                };
                let mut next: Vec<State> = (0..state.refunds.len()).filter(free).map(begun).collect();
                // The refund was possible, so its refusal is wrong, even if no such refund exists at the end: a state
                // must be returned.
                if next.is_empty() && *told == Acknowledged::Refused {
                    next.push(state.clone());
                }
                next
            }
            _ => Vec::new(),
        }
    }

    /// What refunds hold of the captured amount: all but those that have failed.
    fn held(&self, state: &State) -> i64 {
        let refunds = state.refunds.iter().zip(&self.end.refunds);
        refunds
            .filter(|(stage, refund)| **stage == 1 || **stage == 2 && refund.is_refunded)
            .map(|(_, r)| r.amount)
            .sum()
    }

    fn shown(&self, state: &State) -> (&'static str, i64, i64) {
        let refunds = || state.refunds.iter().zip(&self.end.refunds);
        let refunded: i64 =
            refunds().filter(|(stage, refund)| **stage == 2 && refund.is_refunded).map(|(_, r)| r.amount).sum();
        let is_under_way = refunds().any(|(stage, _)| *stage == 1);
        match state.stage {
            Stage::Authorized => ("AUTHORIZED", 0, 0),
            Stage::CaptureRequested { .. } => ("CAPTURE_REQUESTED", 0, 0),
            Stage::CaptureFailed => ("CAPTURE_FAILED", 0, 0),
            Stage::Voided => ("VOIDED", 0, 0),
            Stage::Captured { amount } if is_under_way => ("REFUND_REQUESTED", amount, refunded),
            Stage::Captured { amount } if refunded == 0 => ("CAPTURED", amount, 0),
            Stage::Captured { amount } if refunded == amount => ("REFUNDED", amount, refunded),
            Stage::Captured { amount } => ("PARTIALLY_REFUNDED", amount, refunded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ask: Ask, told: Acknowledged, begun: u64, ended: u64) -> Entry {
        Entry { ask, told, begun, ended }
    }

    fn done() -> Acknowledged {
        Acknowledged::Done { refund_id: None }
    }

    fn refunded(id: &str) -> Acknowledged {
        Acknowledged::Done { refund_id: Some(id.to_owned()) }
    }

    fn seen(status: &str, captured: i64, refunded: i64) -> Acknowledged {
        Acknowledged::Seen { status: status.to_owned(), captured, refunded }
    }

    fn end(status: &str, captured: i64, refunds: &[(&str, i64, bool)]) -> Final {
        let refunds = refunds.iter().map(|(id, amount, is_refunded)| {
            let (amount, is_refunded) = (*amount, *is_refunded);
            FinalRefund { id: (*id).to_owned(), amount, is_refunded }
        });
        let refunds: Vec<_> = refunds.collect();
        let refunded = refunds.iter().filter(|refund| refund.is_refunded).map(|refund| refund.amount).sum();
        Final { status: status.to_owned(), authorized: 100, is_automatic: false, captured, refunded, refunds }
    }

    const CAPTURE: Ask = Ask::Capture { amount: 100 };
    const REFUND: Ask = Ask::Refund { amount: 60 };

    #[test]
    fn model_explains_histories_that_one_thread_could_have_made() {
        for (history, end) in [
            (vec![], end("AUTHORIZED", 0, &[])),
            (vec![call(CAPTURE, done(), 1, 2)], end("CAPTURED", 100, &[])),
            (vec![call(CAPTURE, done(), 1, 2)], end("CAPTURE_FAILED", 0, &[])),
            // A race: one of the two wins.
            (
                vec![call(CAPTURE, done(), 1, 5), call(Ask::Void, Acknowledged::Refused, 2, 4)],
                end("CAPTURED", 100, &[]),
            ),
            (vec![call(CAPTURE, Acknowledged::Refused, 1, 5), call(Ask::Void, done(), 2, 4)], end("VOIDED", 0, &[])),
            // Two refunds of 60 on 100.
            (
                vec![
                    call(CAPTURE, done(), 1, 2),
                    call(REFUND, refunded("a"), 3, 9),
                    call(REFUND, Acknowledged::Refused, 3, 8),
                ],
                end("PARTIALLY_REFUNDED", 100, &[("a", 60, true)]),
            ),
            // The first fails, so the second fits.
            (
                vec![call(CAPTURE, done(), 1, 2), call(REFUND, refunded("a"), 3, 4), call(REFUND, refunded("b"), 5, 6)],
                end("PARTIALLY_REFUNDED", 100, &[("a", 60, false), ("b", 60, true)]),
            ),
            // A refund that was asked for while the capture is under way waits for it, and fails with it.
            (
                vec![
                    call(CAPTURE, done(), 1, 2),
                    call(REFUND, refunded("a"), 3, 4),
                    call(REFUND, Acknowledged::Refused, 5, 6),
                ],
                end("CAPTURE_FAILED", 0, &[("a", 60, false)]),
            ),
            // A capture that failed is made again, or given up.
            (
                vec![
                    call(CAPTURE, done(), 1, 2),
                    call(Ask::Read, seen("CAPTURE_FAILED", 0, 0), 3, 4),
                    call(Ask::Capture { amount: 50 }, done(), 5, 6),
                ],
                end("CAPTURED", 50, &[]),
            ),
            (vec![call(CAPTURE, done(), 1, 2), call(Ask::Void, done(), 3, 4)], end("VOIDED", 0, &[])),
            // Without an answer: it may have happened or not.
            (vec![call(CAPTURE, Acknowledged::Unknown, 1, u64::MAX)], end("CAPTURED", 100, &[])),
            (vec![call(CAPTURE, Acknowledged::Unknown, 1, u64::MAX)], end("AUTHORIZED", 0, &[])),
            (
                vec![call(CAPTURE, done(), 1, 2), call(Ask::Read, seen("CAPTURE_REQUESTED", 0, 0), 3, 4)],
                end("CAPTURED", 100, &[]),
            ),
        ] {
            assert_eq!(explain(&history, &end), Ok(()), "{history:?}");
        }
    }

    #[test]
    fn model_rejects_impossible_histories() {
        for (what, history, end) in [
            ("lost", vec![call(CAPTURE, done(), 1, 2)], end("AUTHORIZED", 0, &[])),
            ("unasked", vec![], end("CAPTURED", 100, &[])),
            (
                "two winners",
                vec![call(CAPTURE, done(), 1, 5), call(Ask::Void, done(), 2, 4)],
                end("CAPTURED", 100, &[]),
            ),
            (
                "a refund of what was never captured",
                vec![call(CAPTURE, done(), 1, 2), call(REFUND, refunded("a"), 3, 4)],
                end("CAPTURE_FAILED", 0, &[("a", 60, true)]),
            ),
            ("no winner", vec![call(CAPTURE, Acknowledged::Refused, 1, 2)], end("AUTHORIZED", 0, &[])),
            (
                "too much",
                vec![call(CAPTURE, done(), 1, 2), call(REFUND, refunded("a"), 3, 4), call(REFUND, refunded("b"), 3, 4)],
                end("REFUNDED", 100, &[("a", 60, true), ("b", 60, true)]),
            ),
            (
                "doubled",
                vec![call(CAPTURE, done(), 1, 2), call(Ask::Refund { amount: 40 }, refunded("a"), 3, 4)],
                end("PARTIALLY_REFUNDED", 100, &[("a", 40, true), ("b", 40, true)]),
            ),
            (
                "went back",
                vec![
                    call(CAPTURE, done(), 1, 2),
                    call(Ask::Read, seen("CAPTURED", 100, 0), 3, 4),
                    call(Ask::Read, seen("AUTHORIZED", 0, 0), 5, 6),
                ],
                end("CAPTURED", 100, &[]),
            ),
            (
                "before its time",
                vec![call(Ask::Read, seen("CAPTURED", 100, 0), 1, 2), call(CAPTURE, done(), 3, 4)],
                end("CAPTURED", 100, &[]),
            ),
        ] {
            assert!(explain(&history, &end).is_err(), "{what}");
        }
    }
}
