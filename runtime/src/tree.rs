//! The supervision tree as data.

use serde::Serialize;

use super::{ActorSnapshot, State, Strategy};

/// A supervisor or an actor at one moment, with all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TreeNode {
    /// A supervisor.
    Supervisor {
        /// Its name.
        name: String,
        /// Who is restarted with a child that died.
        strategy: Strategy,
        /// Where it is in its life.
        state: State,
        /// Restarts of its children so far.
        restarts: u64,
        /// Its children, in order of start.
        children: Vec<TreeNode>,
    },
    /// An actor.
    Actor {
        /// `name`, or `name/shard`.
        name: String,
        /// What is measured of it.
        #[serde(flatten)]
        actor: ActorSnapshot,
    },
}

impl TreeNode {
    /// The node's name.
    pub fn name(&self) -> &str {
        match self {
            TreeNode::Supervisor { name, .. } | TreeNode::Actor { name, .. } => name,
        }
    }

    /// Every actor of the tree, in order of start.
    pub fn actors(&self) -> Vec<&ActorSnapshot> {
        match self {
            TreeNode::Actor { actor, .. } => vec![actor],
            TreeNode::Supervisor { children, .. } => children.iter().flat_map(TreeNode::actors).collect(),
        }
    }
}
