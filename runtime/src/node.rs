//! Supervisors and actors as written down: the same for all their lives.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::child::ActorChild;
use super::{Environment, Intensity, State, Strategy, TreeNode};

/// A supervisor and its children, as written down: the same for all its lives.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) strategy: Strategy,
    pub(super) intensity: Intensity,
    pub(super) environment: Environment,
    pub(super) children: Vec<Child>,
    pub(super) state: AtomicU8,
    pub(super) restarts: AtomicU64,
}

pub(super) enum Child {
    Actor(Arc<dyn ActorChild>),
    Supervisor(Arc<Node>),
}

impl Node {
    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(super) fn restarted_a_child(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> TreeNode {
        TreeNode::Supervisor {
            name: self.name.clone(),
            strategy: self.strategy,
            state: State::from_u8(self.state.load(Ordering::Relaxed)),
            restarts: self.restarts.load(Ordering::Relaxed),
            children: self.children.iter().map(Child::snapshot).collect(),
        }
    }
}

impl Child {
    pub(super) fn name(&self) -> String {
        match self {
            Child::Supervisor(node) => node.name.clone(),
            Child::Actor(actor) => {
                let options = actor.options();
                options.shard.map_or(options.name.to_owned(), |shard| format!("{}/{shard}", options.name))
            }
        }
    }

    pub(super) fn actor(&self) -> Option<&dyn ActorChild> {
        match self {
            Child::Actor(actor) => Some(actor.as_ref()),
            Child::Supervisor(_) => None,
        }
    }

    pub(super) fn set_state(&self, state: State) {
        match self {
            Child::Actor(actor) => actor.meter().set_state(state),
            Child::Supervisor(node) => node.set_state(state),
        }
    }

    /// Stopped for good: nobody waits for an answer that cannot come.
    pub(super) fn close(&self) {
        self.set_state(State::Stopped);
        match self {
            Child::Actor(actor) => actor.close(),
            Child::Supervisor(node) => node.children.iter().for_each(Child::close),
        }
    }

    fn snapshot(&self) -> TreeNode {
        match self {
            Child::Supervisor(node) => node.snapshot(),
            Child::Actor(actor) => TreeNode::Actor { name: self.name(), actor: actor.meter().snapshot() },
        }
    }
}

/// Why a supervisor gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The supervisor.
    pub supervisor: String,
    /// The child that died once too often.
    pub child: String,
    /// What the child died of.
    pub cause: String,
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { supervisor, child, cause } = self;
        write!(f, "supervisor {supervisor} gave up on {child}: {cause}")
    }
}

impl std::error::Error for Escalation {}
