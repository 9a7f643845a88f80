//! What operators have ordered breakers to do: who, why and when. It outlives the breaker's actor, and where the
//! control store keeps it, the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::circuit::Forced;
use crate::domain::dead_letter::Operator;
use crate::domain::{Timestamp, TraceContext};
use crate::infra::control::{StoredForce, believed};

/// How far an operator's order reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The control store keeps it: it holds on every node that shares the store, and after a restart.
    Cluster,
    /// It holds on this node until that ends, since no control store is shared; or until the one that is away is back,
    /// and has it for all.
    Node,
}

/// An operator's order that holds a breaker in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForcedBy {
    pub state: Forced,
    /// Who, as they named themselves.
    #[schema(example = "kim")]
    pub operator: String,
    /// The address that the order came from.
    #[schema(example = "127.0.0.1")]
    pub source: String,
    #[schema(example = "the PSP doubles captures, ticket 4711")]
    pub reason: String,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    pub scope: Scope,
}

impl ForcedBy {
    /// One sentence for people.
    pub fn said(&self) -> String {
        let Self { operator, since, reason, .. } = self;
        let scope = match self.scope {
            Scope::Cluster => "",
            Scope::Node => ", on this node only",
        };
        format!("by {operator} since {since}{scope}: {reason}")
    }
}

/// An operator's order to a breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForceOrder {
    /// None gives the breaker back to itself.
    pub state: Option<Forced>,
    /// At most 64 characters.
    pub operator: String,
    /// The address that the order came from.
    pub source: String,
    /// At most 200 characters; may be empty where the breaker is given back.
    pub reason: String,
    /// When it was given, later than the order before of which its giver could know.
    pub at: Timestamp,
}

impl ForceOrder {
    /// The order as the control store keeps it.
    pub fn stored(&self, name: &str) -> StoredForce {
        StoredForce {
            name: name.to_owned(),
            state: match self.state {
                Some(Forced::Open) => "open",
                Some(Forced::Closed) => "closed",
                None => "none",
            }
            .to_owned(),
            operator: self.operator.clone(),
            source: self.source.clone(),
            reason: self.reason.clone(),
            forced_at: self.at.0,
        }
    }

    /// The order that the control store keeps. A state that this version does not know holds nothing.
    pub fn from_stored(row: StoredForce) -> Self {
        let state = match row.state.as_str() {
            "open" => Some(Forced::Open),
            "closed" => Some(Forced::Closed),
            _ => None,
        };
        let (operator, source, reason) = (row.operator, row.source, row.reason);
        Self { state, operator, source, reason, at: Timestamp(row.forced_at) }
    }

    /// Whether it is the other one but for its time, which the control store sets above that of the order before.
    pub fn is_same(&self, other: &Self) -> bool {
        *self == Self { at: self.at, ..other.clone() }
    }

    /// What it says, for the trail.
    pub fn said(&self) -> String {
        let what = self.state.map_or("given back to itself".to_owned(), |state| format!("forced {state:?}"));
        format!("{what} by {} at {}: {}", self.operator, self.at, self.reason)
    }

    fn held(&self, scope: Scope) -> Option<ForcedBy> {
        let Self { state, operator, source, reason, at } = self.clone();
        Some(ForcedBy { state: state?, operator, source, reason, since: at, scope })
    }
}

/// An order that the control store is to have, and was away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingOrder {
    pub order: ForceOrder,
    /// Who gave it and in which request, for the trail.
    pub operator: Operator,
    pub trace: TraceContext,
    /// The order that took it back. It holds nothing any more; but the store may have it, if its answer was lost.
    pub taken_back: Option<ForceOrder>,
}

/// The orders in force in this process, by breaker. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Forces(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The last ones that the control store is known to have, for all nodes.
    cluster: BTreeMap<&'static str, ForceOrder>,
    /// Those of this node, which hold in place of them.
    pending: BTreeMap<&'static str, PendingOrder>,
    /// Grows with every order that is given to this process.
    generation: u64,
}

impl Forces {
    /// What holds the breaker of this name.
    pub fn of(&self, name: &str) -> Option<ForcedBy> {
        self.0.lock().of(name)
    }

    /// How many orders were given to this process. What was read from the control store before the last one is old.
    pub fn generation(&self) -> u64 {
        self.0.lock().generation
    }

    /// An order that is given now, its time above those of the orders of which this process knows.
    pub fn dated(&self, name: &str, order: ForceOrder) -> ForceOrder {
        let (known, now) = (self.0.lock(), order.at);
        let others = [known.cluster.get(name), known.pending.get(name).map(|pending| &pending.order)];
        let above = |other: &ForceOrder| believed(other.at, now).after(Duration::from_millis(1));
        let at = others.into_iter().flatten().map(above).fold(now, Timestamp::max);
        ForceOrder { at, ..order }
    }

    /// An order that was given to this process, and that the control store has.
    pub fn kept(&self, name: &'static str, order: ForceOrder) {
        let mut known = self.0.lock();
        known.generation += 1;
        known.pending.remove(name);
        known.cluster.insert(name, order);
    }

    /// An order that is given to this process while the control store is away: it holds in place of the cluster's.
    pub fn order_for_now(&self, name: &'static str, order: PendingOrder) {
        let mut known = self.0.lock();
        known.generation += 1;
        known.pending.insert(name, order);
    }

    /// Takes back, while the control store is away, what this node alone was ordered: the cluster's order holds again.
    /// Returns whether there was such an order.
    pub fn take_back(&self, name: &str, by: ForceOrder) -> bool {
        let mut known = self.0.lock();
        known.generation += 1;
        let pending = known.pending.get_mut(name).filter(|pending| pending.taken_back.is_none());
        pending.map(|pending| pending.taken_back = Some(by)).is_some()
    }

    /// The orders that the control store is to have.
    pub fn pending(&self) -> Vec<(&'static str, PendingOrder)> {
        self.0.lock().pending.iter().map(|(name, pending)| (*name, pending.clone())).collect()
    }

    /// The control store was brought this order, and has `kept`. Returns whether it was still to be brought: another
    /// one may have been given meanwhile.
    pub fn brought(&self, name: &'static str, pending: &PendingOrder, kept: Option<ForceOrder>) -> bool {
        let mut known = self.0.lock();
        let is_it = known.pending.get(name) == Some(pending);
        if is_it {
            known.generation += 1;
            known.pending.remove(name);
            known.set(name, kept);
        }
        is_it
    }

    /// What was read from the control store when this was the generation. Returns whether something else holds the
    /// breaker now.
    pub fn learn(&self, name: &'static str, order: Option<ForceOrder>, generation: u64) -> bool {
        let mut known = self.0.lock();
        if known.generation != generation {
            return false;
        }
        let before = known.of(name);
        known.set(name, order);
        known.of(name) != before
    }
}

impl Known {
    fn of(&self, name: &str) -> Option<ForcedBy> {
        match self.pending.get(name) {
            Some(PendingOrder { order, taken_back: None, .. }) => order.held(Scope::Node),
            _ => self.cluster.get(name)?.held(Scope::Cluster),
        }
    }

    fn set(&mut self, name: &'static str, order: Option<ForceOrder>) {
        match order {
            Some(order) => drop(self.cluster.insert(name, order)),
            None => drop(self.cluster.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TRACE;

    #[test]
    fn what_was_read_before_an_order_does_not_undo_it() {
        let forces = Forces::default();
        let read_at = forces.generation();
        forces.kept("psp", open());
        assert!(!forces.learn("psp", None, read_at));
        assert_eq!(forces.of("psp"), open().held(Scope::Cluster));
        assert!(!forces.learn("psp", Some(open()), forces.generation()), "no news");
        assert!(forces.learn("psp", Some(given_back()), forces.generation()));
        assert_eq!(forces.of("psp"), None);
    }

    #[test]
    fn an_order_that_the_store_does_not_have_yet_is_not_undone_by_it() {
        let (forces, order) = (Forces::default(), pending(open()));
        forces.order_for_now("psp", order.clone());
        assert!(!forces.learn("psp", Some(given_back()), forces.generation()));
        assert_eq!((forces.of("psp"), forces.pending()), (open().held(Scope::Node), vec![("psp", order.clone())]));
        let other = pending(ForceOrder { reason: "another".to_owned(), ..open() });
        assert!(!forces.brought("psp", &other, Some(other.order.clone())));
        assert_eq!(forces.of("psp").unwrap().scope, Scope::Node);
        assert!(forces.brought("psp", &order, Some(open())));
        assert_eq!((forces.of("psp").unwrap().scope, forces.pending()), (Scope::Cluster, Vec::new()));
        assert!(forces.learn("psp", None, forces.generation()));
    }

    #[test]
    fn an_order_that_is_taken_back_gives_way_to_the_clusters() {
        let (forces, closed) = (Forces::default(), ForceOrder { state: Some(Forced::Closed), ..open() });
        forces.kept("psp", open());
        assert!(!forces.take_back("psp", given_back()), "it is the cluster's");
        forces.order_for_now("psp", pending(closed.clone()));
        assert_eq!(forces.of("psp"), closed.held(Scope::Node));
        assert!(forces.take_back("psp", given_back()));
        assert_eq!(forces.of("psp"), open().held(Scope::Cluster));
        assert!(!forces.take_back("psp", given_back()), "once");
        // It is still brought: as what was taken back.
        let (_, waiting) = forces.pending().remove(0);
        assert_eq!(waiting.taken_back, Some(given_back()));
        assert!(forces.brought("psp", &waiting, Some(open())) && forces.pending().is_empty());
    }

    #[test]
    fn an_order_is_later_than_those_that_its_giver_could_know() {
        let (forces, now) = (Forces::default(), open().at);
        let at = |order| forces.dated("psp", order).at.0;
        assert_eq!(at(open()), now.0);
        forces.kept("psp", ForceOrder { at: now.after(Duration::from_secs(2)), ..open() });
        assert_eq!(at(open()), now.0 + 2_001);
        forces.order_for_now("psp", pending(ForceOrder { at: now.after(Duration::from_secs(3)), ..open() }));
        assert_eq!(at(open()), now.0 + 3_001);
        forces.kept("psp", ForceOrder { at: now.after(Duration::from_secs(3_600)), ..open() });
        assert_eq!(at(open()), now.0 + 1, "a clock that was wrong");
    }

    #[test]
    fn an_order_is_kept_as_it_was_given() {
        for order in [open(), given_back()] {
            assert_eq!(ForceOrder::from_stored(order.stored("psp")), order);
        }
        let unknown = StoredForce { state: "ajar".to_owned(), ..open().stored("psp") };
        assert_eq!(ForceOrder::from_stored(unknown).state, None);
    }

    fn open() -> ForceOrder {
        ForceOrder {
            state: Some(Forced::Open),
            operator: "kim".to_owned(),
            source: "127.0.0.1".to_owned(),
            reason: "ticket 4711".to_owned(),
            at: Timestamp(1_800_000_000_000),
        }
    }

    fn given_back() -> ForceOrder {
        ForceOrder { state: None, at: open().at.after(Duration::from_secs(1)), ..open() }
    }

    fn pending(order: ForceOrder) -> PendingOrder {
        let operator = Operator { name: order.operator.clone(), request_id: "req_1".to_owned() };
        PendingOrder { order, operator, trace: TRACE, taken_back: None }
    }
}
