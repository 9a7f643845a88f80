//! Supervisors and actors as written down: what stays the same through all their lives.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::child::ActorChild;
use super::events::ChildId;
use super::{AddError, Environment, Intensity, RemoveError, State, Strategy, TreeNode};

/// A supervisor and its children, as written down. The list of children is the desired state of the tree; the
/// supervisor's present life follows it.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) strategy: Strategy,
    pub(super) intensity: Intensity,
    pub(super) environment: Environment,
    roster: Mutex<Roster>,
    state: AtomicU8,
    restarts: AtomicU64,
}

#[derive(Clone)]
pub(super) enum Child {
    Actor(Arc<dyn ActorChild>),
    Supervisor(Arc<Node>),
}

#[derive(Default)]
struct Roster {
    children: BTreeMap<ChildId, Entry>,
    next_id: u64,
    /// How to tell the supervisor's present life of a change; none between two lives.
    bell: Option<Arc<Notify>>,
    is_stopped: bool,
}

struct Entry {
    name: String,
    child: Child,
    removal: Option<Removal>,
}

/// A removal that the supervisor's present life has to carry out.
struct Removal {
    drain_until: Instant,
    /// Dropped when the child is gone; whoever waits for that has a receiver.
    gone: watch::Sender<()>,
}

/// What changed in the list since a life of the supervisor last looked.
pub(super) struct Changes {
    pub(super) added: Vec<(ChildId, Child)>,
    /// All children that are to be removed, with the end of their drain.
    pub(super) leaving: Vec<(ChildId, Instant)>,
}

impl Node {
    pub(super) fn new(name: String, strategy: Strategy, intensity: Intensity, environment: Environment) -> Self {
        Self {
            name,
            strategy,
            intensity,
            environment,
            roster: Mutex::default(),
            state: AtomicU8::new(State::Waiting as u8),
            restarts: AtomicU64::new(0),
        }
    }

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
            children: self.children().iter().map(Child::snapshot).collect(),
        }
    }

    fn children(&self) -> Vec<Child> {
        self.roster.lock().children.values().map(|entry| entry.child.clone()).collect()
    }

    /// Adds a child that was declared before the start; the caller ensures a free name.
    pub(super) fn declare(&self, child: Child) {
        self.roster.lock().push(child);
    }

    /// Adds a child at any time.
    pub(super) fn add(&self, child: Child) -> Result<(), AddError> {
        let mut roster = self.roster.lock();
        if roster.is_stopped {
            return Err(AddError::Stopped);
        }
        let name = child.name();
        if roster.children.values().any(|entry| entry.name == name) {
            return Err(AddError::NameTaken(name));
        }
        roster.push(child);
        roster.ring();
        Ok(())
    }

    /// Begins a removal; the returned receiver ends with it. `None` if the removal is complete already.
    pub(super) fn begin_removal(
        &self,
        name: &str,
        drain_until: Instant,
    ) -> Result<Option<watch::Receiver<()>>, RemoveError> {
        let mut roster = self.roster.lock();
        if roster.is_stopped {
            return Err(RemoveError::Stopped);
        }
        let named = roster.children.iter().find(|(_, entry)| entry.name == name);
        let Some((id, child)) = named.map(|(id, entry)| (*id, entry.child.clone())) else {
            return Err(RemoveError::NoSuchChild(name.to_owned()));
        };
        if roster.bell.is_none() {
            let entry = roster.children.remove(&id);
            drop(roster);
            child.dismiss();
            drop(entry);
            return Ok(None);
        }
        let Some(entry) = roster.children.get_mut(&id) else { return Ok(None) };
        let removal = entry.removal.get_or_insert_with(|| Removal { drain_until, gone: watch::Sender::new(()) });
        let gone = removal.gone.subscribe();
        roster.ring();
        drop(roster);
        if let Child::Actor(actor) = &child {
            actor.shut();
        }
        Ok(Some(gone))
    }

    /// Takes a child off the list for good.
    pub(super) fn dismiss(&self, id: ChildId) {
        let entry = self.roster.lock().children.remove(&id);
        if let Some(entry) = entry {
            entry.child.dismiss();
        }
    }

    /// A life of the supervisor begins and follows the list from now on.
    pub(super) fn begin_life(&self) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        self.roster.lock().bell = Some(bell.clone());
        bell
    }

    /// A life of the supervisor has ended, and with it every removal that was still open.
    pub(super) fn end_life(&self, bell: &Arc<Notify>) {
        let leaving: Vec<Entry> = {
            let mut roster = self.roster.lock();
            if !roster.bell.as_ref().is_some_and(|current| Arc::ptr_eq(current, bell)) {
                return;
            }
            roster.bell = None;
            roster.children.extract_if(.., |_, entry| entry.removal.is_some()).map(|(_, entry)| entry).collect()
        };
        for entry in leaving {
            entry.child.dismiss();
        }
    }

    /// The children that were added after `known`, and those that are to be removed.
    pub(super) fn changes(&self, known: Option<ChildId>) -> Changes {
        let roster = self.roster.lock();
        let unknown = (known.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let added = roster.children.range(unknown).map(|(id, entry)| (*id, entry.child.clone())).collect();
        let leaving = roster.children.iter().filter_map(|(id, entry)| Some((*id, entry.removal.as_ref()?.drain_until)));
        Changes { added, leaving: leaving.collect() }
    }

    /// The supervisor has stopped for good: nothing is added any more, and nobody waits for an answer that cannot come.
    pub(super) fn close(&self) {
        self.set_state(State::Stopped);
        self.roster.lock().is_stopped = true;
        self.children().iter().for_each(Child::close);
    }
}

impl Roster {
    fn push(&mut self, child: Child) {
        let id = ChildId(self.next_id);
        self.next_id += 1;
        self.children.insert(id, Entry { name: child.name(), child, removal: None });
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }
}

impl Child {
    /// As [`TreeNode::name`] shows it.
    pub(super) fn name(&self) -> String {
        match self {
            Child::Supervisor(node) => node.name.clone(),
            Child::Actor(actor) => actor.options().full_name(),
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

    /// The child has stopped for good: nobody waits for an answer that cannot come.
    pub(super) fn close(&self) {
        match self {
            Child::Actor(actor) => {
                actor.meter().set_state(State::Stopped);
                actor.close();
            }
            Child::Supervisor(node) => node.close(),
        }
    }

    /// The child was removed: its mailbox is closed, and its metrics and fault point are gone.
    pub(super) fn dismiss(&self) {
        self.close();
        match self {
            Child::Actor(actor) => actor.forget(),
            Child::Supervisor(node) => node.children().iter().for_each(Child::dismiss),
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
    /// The child whose death exceeded the intensity.
    pub child: String,
    /// The cause of the child's death.
    pub cause: String,
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { supervisor, child, cause } = self;
        write!(f, "supervisor {supervisor} gave up on {child}: {cause}")
    }
}

impl std::error::Error for Escalation {}
