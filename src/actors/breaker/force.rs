//! Who holds a breaker in a state, and why. It outlives the breaker's actor, and where the control store keeps it, the
//! process.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use super::circuit::Forced;
use crate::domain::Timestamp;
use crate::infra::control::StoredForce;

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
    /// The order as the control store keeps it.
    pub fn stored(&self, name: &str) -> StoredForce {
        StoredForce {
            name: name.to_owned(),
            state: match self.state {
                Forced::Open => "open",
                Forced::Closed => "closed",
            }
            .to_owned(),
            operator: self.operator.clone(),
            source: self.source.clone(),
            reason: self.reason.clone(),
            forced_at: self.since.0,
        }
    }

    /// The order that the control store keeps; none of a state that this version does not know.
    pub fn from_stored(row: StoredForce) -> Option<Self> {
        let state = match row.state.as_str() {
            "open" => Forced::Open,
            "closed" => Forced::Closed,
            _ => return None,
        };
        let (operator, source, reason) = (row.operator, row.source, row.reason);
        Some(Self { state, operator, source, reason, since: Timestamp(row.forced_at), scope: Scope::Cluster })
    }

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

/// The orders in force in this process, by breaker. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Forces(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    orders: BTreeMap<&'static str, ForcedBy>,
    /// Those among them that the control store is to have, and was away.
    pending: BTreeMap<&'static str, ForcedBy>,
    /// Grows with every order that is given to this process.
    generation: u64,
}

impl Forces {
    /// What holds the breaker of this name.
    pub fn of(&self, name: &str) -> Option<ForcedBy> {
        self.0.lock().orders.get(name).cloned()
    }

    /// How many orders were given to this process. What was read from the control store before the last one is old.
    pub fn generation(&self) -> u64 {
        self.0.lock().generation
    }

    /// An order that is given to this process, and that the control store has if it is to have it.
    pub fn order(&self, name: &'static str, forced: Option<ForcedBy>) {
        let mut known = self.0.lock();
        known.generation += 1;
        known.pending.remove(name);
        known.set(name, forced);
    }

    /// An order that is given to this process while the control store is away.
    pub fn order_for_now(&self, name: &'static str, forced: ForcedBy) {
        let mut known = self.0.lock();
        known.generation += 1;
        known.pending.insert(name, forced.clone());
        known.set(name, Some(forced));
    }

    /// The orders that the control store is to have.
    pub fn pending(&self) -> Vec<(&'static str, ForcedBy)> {
        self.0.lock().pending.iter().map(|(name, forced)| (*name, forced.clone())).collect()
    }

    /// The control store has this order now.
    pub fn kept(&self, name: &'static str, forced: &ForcedBy) {
        let mut known = self.0.lock();
        // Another one may have been given meanwhile.
        if known.pending.get(name) == Some(forced) {
            known.pending.remove(name);
            known.generation += 1;
            known.set(name, Some(ForcedBy { scope: Scope::Cluster, ..forced.clone() }));
        }
    }

    /// What was read from the control store when this was the generation. Returns whether it is news.
    pub fn learn(&self, name: &'static str, forced: Option<ForcedBy>, generation: u64) -> bool {
        let mut known = self.0.lock();
        let is_pending = known.pending.contains_key(name);
        let is_news = known.generation == generation && !is_pending && known.orders.get(name) != forced.as_ref();
        if is_news {
            known.set(name, forced);
        }
        is_news
    }
}

impl Known {
    fn set(&mut self, name: &'static str, forced: Option<ForcedBy>) {
        match forced {
            Some(forced) => drop(self.orders.insert(name, forced)),
            None => drop(self.orders.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_an_order_does_not_undo_it() {
        let (forces, row) = (Forces::default(), forced());
        let read_at = forces.generation();
        forces.order("psp", Some(row.clone()));
        assert!(!forces.learn("psp", None, read_at));
        assert_eq!(forces.of("psp"), Some(row.clone()));
        assert!(!forces.learn("psp", Some(row), forces.generation()), "no news");
        assert!(forces.learn("psp", None, forces.generation()));
        assert_eq!(forces.of("psp"), None);
    }

    #[test]
    fn an_order_that_the_store_does_not_have_yet_is_not_undone_by_it() {
        let (forces, order) = (Forces::default(), ForcedBy { scope: Scope::Node, ..forced() });
        forces.order_for_now("psp", order.clone());
        assert!(!forces.learn("psp", None, forces.generation()));
        assert_eq!(forces.pending(), [("psp", order.clone())]);
        forces.kept("psp", &ForcedBy { reason: "another".to_owned(), ..order.clone() });
        assert_eq!(forces.of("psp").unwrap().scope, Scope::Node);
        forces.kept("psp", &order);
        assert_eq!((forces.of("psp").unwrap().scope, forces.pending()), (Scope::Cluster, Vec::new()));
        assert!(forces.learn("psp", None, forces.generation()));
    }

    #[test]
    fn an_order_is_kept_as_it_was_given() {
        let order = forced();
        assert_eq!(ForcedBy::from_stored(order.stored("psp")), Some(order.clone()));
        assert_eq!(ForcedBy::from_stored(StoredForce { state: "ajar".to_owned(), ..order.stored("psp") }), None);
    }

    fn forced() -> ForcedBy {
        ForcedBy {
            state: Forced::Open,
            operator: "kim".to_owned(),
            source: "127.0.0.1".to_owned(),
            reason: "ticket 4711".to_owned(),
            since: Timestamp(1_800_000_000_000),
            scope: Scope::Cluster,
        }
    }
}
