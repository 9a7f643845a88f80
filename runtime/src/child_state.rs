//! A child as the present life of its supervisor sees it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::events::{Control, Exit};
use super::heartbeat::Heartbeat;
use super::node::Child;
use super::placement::Slot;
use super::restart::Backoff;

/// Where a child is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for its turn to start.
    Queued,
    Starting,
    Up,
    /// It hung, or its drain is over, and it was told to abort. After the instant its thread counts as blocked.
    Dying(Instant),
    /// It will be started again at the instant.
    Backoff(Instant),
    /// It is being removed and still handles waiting messages. At the instant it is told to abort; a supervisor bounds
    /// its own end.
    Draining(Option<Instant>),
    /// It was told to end, and its end is awaited.
    Stopping,
}

pub(super) struct ChildState {
    pub(super) child: Child,
    pub(super) phase: Phase,
    pub(super) life: u64,
    pub(super) orders: Option<mpsc::UnboundedSender<Control>>,
    /// Only of an actor: a supervisor needs no heartbeat, because it runs where nothing blocks.
    pub(super) heartbeat_state: Option<HeartbeatState>,
    pub(super) backoff: Backoff,
    pub(super) since: Instant,
    /// Set when the child is to be removed: the end of its drain.
    pub(super) leaves_by: Option<Instant>,
}

pub(super) struct HeartbeatState {
    pub(super) heartbeat: Arc<Heartbeat>,
    pub(super) slot: Slot,
    pub(super) beats: u64,
    pub(super) last_progress: Instant,
}

/// What a look at one child has found.
pub(super) enum Finding {
    Nothing,
    /// It was told to abort and has not ended: its thread is blocked.
    Blocked,
    /// A neighbour blocked the thread, and the thread was given up.
    ThreadLost,
}

impl ChildState {
    pub(super) fn new(child: Child, now: Instant) -> Self {
        Self {
            child,
            phase: Phase::Queued,
            life: 0,
            orders: None,
            heartbeat_state: None,
            backoff: Backoff::default(),
            since: now,
            leaves_by: None,
        }
    }

    /// A life that has ended needs no order, so a failed send is fine.
    pub(super) fn order(&self, order: Control) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        match self.phase {
            Phase::Starting | Phase::Up | Phase::Dying(_) | Phase::Draining(_) | Phase::Stopping => true,
            Phase::Queued | Phase::Backoff(_) => false,
        }
    }

    /// Whether nobody has to wait for it: it is up or ending.
    pub(super) fn is_settled(&self) -> bool {
        self.phase == Phase::Up || self.leaves_by.is_some()
    }

    /// When a deadline of this child is next due.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Dying(at) | Phase::Backoff(at) => Some(at),
            Phase::Draining(at) => at,
            Phase::Queued | Phase::Starting | Phase::Up | Phase::Stopping => None,
        }
    }

    /// Stops the present life from taking messages and tells it to end before `until`.
    pub(super) fn abort(&mut self, until: Instant) {
        if let Some(actor) = self.child.actor() {
            actor.retire();
        }
        self.order(Control::Abort);
        self.phase = Phase::Dying(until);
    }

    /// Writes down what was in hand when a life ended.
    pub(super) fn bury(&self, cause: &str, blames_hand: bool) {
        if let (Some(actor), Some(heartbeat_state)) = (self.child.actor(), &self.heartbeat_state) {
            actor.bury(&heartbeat_state.heartbeat, cause, blames_hand);
        }
    }

    /// The cause of the present life's death.
    pub(super) fn cause(&self, exit: &Exit) -> String {
        let site = self.heartbeat_state.as_ref().and_then(|state| state.heartbeat.panicked_at());
        site.map_or_else(|| exit.to_string(), |site| format!("{exit} at {site}"))
    }

    /// The cause of death of a life that was ordered to abort, whether it has ended or not.
    pub(super) fn hung(&self) -> String {
        match (self.leaves_by, self.child.actor()) {
            (None, Some(actor)) => format!("hung: work but no progress for {:?}", actor.options().hang_after),
            _ => "did not stop".to_owned(),
        }
    }

    /// Checks whether an actor makes progress, obeys orders, and has its thread. One that hangs is told to abort by
    /// `abort_by`.
    pub(super) fn look(&mut self, now: Instant, is_heartbeat: bool, abort_by: Instant) -> Finding {
        let (Some(actor), Some(state)) = (self.child.actor(), &mut self.heartbeat_state) else {
            return Finding::Nothing;
        };
        match self.phase {
            Phase::Dying(until) if now >= until => return Finding::Blocked,
            Phase::Starting | Phase::Up | Phase::Draining(_) if state.slot.is_lost() => return Finding::ThreadLost,
            Phase::Draining(Some(until)) if now >= until => self.abort(abort_by),
            Phase::Starting | Phase::Up if is_heartbeat => {
                let beats = state.heartbeat.beats();
                if beats != state.beats || !(state.heartbeat.is_busy() || actor.has_work()) {
                    state.beats = beats;
                    state.last_progress = now;
                } else if now.saturating_duration_since(state.last_progress) >= actor.options().hang_after {
                    self.abort(abort_by);
                }
            }
            _ => {}
        }
        Finding::Nothing
    }
}
