//! The life of one supervisor: a loop over events of its children, deadlines and orders.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::child_state::{ChildState, Finding, HeartbeatState, Phase};
use super::events::{ChildId, Control, Event, Exit, News, Report, Stop};
use super::node::{Child, Escalation, Node};
use super::restart::RestartLog;
use super::{State, Strategy};

/// How long an abort may take before the thread counts as blocked: longer than any healthy turn between two awaits.
pub(super) const ABORT_GRACE: Duration = Duration::from_millis(250);
/// The shortest and the longest time between two looks at the children.
const HEARTBEAT_MIN: Duration = Duration::from_millis(10);
const HEARTBEAT_MAX: Duration = Duration::from_secs(1);

/// How one life of a supervisor ended.
pub(super) enum End {
    Stopped,
    GaveUp(Escalation),
}

/// Runs a supervisor until it is told to stop or gives up. Calls `on_up` once, when every child has started.
pub(super) async fn supervise(
    node: Arc<Node>,
    mut orders: mpsc::UnboundedReceiver<Control>,
    on_up: impl FnOnce(),
) -> End {
    node.set_state(State::Starting);
    let mut run = Run::new(node.clone());
    let mut on_up = Some(on_up);
    loop {
        run.launch_due();
        if run.children.values().all(ChildState::is_settled)
            && let Some(on_up) = on_up.take()
        {
            run.is_up = true;
            node.set_state(State::Running);
            on_up();
        }
        let (due, bell) = (run.next_due(), run.bell.clone());
        let gave_up = tokio::select! {
            biased;
            order = orders.recv() => {
                let stop = match order {
                    Some(Control::Stop(stop)) => stop,
                    Some(Control::Abort) | None => Stop { drain_until: None },
                };
                run.stop_from(Bound::Unbounded, stop).await;
                return End::Stopped;
            }
            event = run.next_event() => run.on_event(event).await,
            () = sleep_until(due) => run.look().await,
            // Last, so that a caller who adds and removes without end does not starve the others.
            () = bell.notified() => {
                run.follow_list();
                Ok(())
            }
        };
        if let Err(escalation) = gave_up {
            run.stop_from(Bound::Unbounded, Stop { drain_until: None }).await;
            return End::GaveUp(escalation);
        }
    }
}

/// A death, judged.
struct Death {
    cause: String,
    /// Whether the messages in hand may have caused it.
    blames_hand: bool,
    /// Whether it counts against the supervisor's intensity.
    is_charged: bool,
}

/// One life of a supervisor. Removals that are still open when it is dropped are completed then.
pub(super) struct Run {
    pub(super) node: Arc<Node>,
    /// By id, and so in the order in which they were added.
    pub(super) children: BTreeMap<ChildId, ChildState>,
    /// The last child that was seen in the node's list.
    known: Option<ChildId>,
    /// Rings when the node's list has changed.
    pub(super) bell: Arc<Notify>,
    /// Whether every child has been up once in this life.
    is_up: bool,
    sender: mpsc::UnboundedSender<Event>,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    /// Events that came while one child's end was awaited.
    pub(super) backlog: VecDeque<Event>,
    log: RestartLog,
    lives: u64,
    heartbeat_every: Duration,
    next_look: Instant,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.node.end_life(&self.bell);
    }
}

impl Run {
    fn new(node: Arc<Node>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let mut run = Self {
            children: BTreeMap::new(),
            known: None,
            bell: node.begin_life(),
            is_up: false,
            sender,
            events,
            backlog: VecDeque::new(),
            log: RestartLog::new(node.intensity),
            lives: 0,
            heartbeat_every: HEARTBEAT_MAX,
            next_look: node.environment.clock.instant() + HEARTBEAT_MAX,
            node,
        };
        run.follow_list();
        run
    }

    pub(super) fn now(&self) -> Instant {
        self.node.environment.clock.instant()
    }

    /// Takes in the children that were added to the node's list, and begins to remove those that are to be removed.
    pub(super) fn follow_list(&mut self) {
        let now = self.now();
        let changes = self.node.changes(self.known);
        for (id, child) in changes.added {
            self.known = Some(id);
            if let Some(actor) = child.actor() {
                let every = (actor.options().hang_after / 4).clamp(HEARTBEAT_MIN, HEARTBEAT_MAX);
                self.heartbeat_every = self.heartbeat_every.min(every);
                self.next_look = self.next_look.min(now + every);
            }
            self.children.insert(id, ChildState::new(child, now));
        }
        for (id, drain_until) in changes.leaving {
            self.begin_removal(id, drain_until);
        }
    }

    /// Launches every child that may start now.
    fn launch_due(&mut self) {
        let now = self.now();
        // Once all others have been up, an added child need not wait for one that is being restarted.
        let is_in_order = self.node.strategy == Strategy::RestForOne || !self.is_up;
        let mut is_first = true;
        let mut due = Vec::new();
        for (id, state) in &self.children {
            match state.phase {
                Phase::Queued if is_first || !is_in_order => due.push(*id),
                Phase::Backoff(at) if at <= now => due.push(*id),
                _ => {}
            }
            is_first &= state.is_settled();
        }
        for id in due {
            self.launch(id, now);
        }
    }

    fn launch(&mut self, id: ChildId, now: Instant) {
        let Some(state) = self.children.get_mut(&id) else { return };
        self.lives += 1;
        let report = Report { child: id, life: self.lives, events: self.sender.clone() };
        state.child.set_state(State::Starting);
        state.phase = Phase::Starting;
        state.life = self.lives;
        state.since = now;
        state.heartbeat_state = None;
        match &state.child {
            Child::Supervisor(node) => state.orders = Some(launch_supervisor(node.clone(), report)),
            Child::Actor(actor) => match self.node.environment.placement.slot(&actor.options().slot) {
                Ok(slot) => {
                    let (orders, heartbeat) = actor.launch(&slot, report);
                    state.orders = Some(orders);
                    let beats = heartbeat.beats();
                    state.heartbeat_state = Some(HeartbeatState { beats, heartbeat, slot, last_progress: now });
                }
                Err(error) => report.exited(Exit::Failed(format!("no thread for slot: {error}"))),
            },
        }
    }

    /// When the next deadline is due.
    fn next_due(&self) -> Instant {
        self.children.values().filter_map(ChildState::due).fold(self.next_look, Instant::min)
    }

    async fn next_event(&mut self) -> Event {
        match self.backlog.pop_front() {
            Some(event) => event,
            None => receive(&mut self.events).await,
        }
    }

    async fn on_event(&mut self, event: Event) -> Result<(), Escalation> {
        let now = self.now();
        let id = event.child;
        let Some(state) = self.children.get_mut(&id).filter(|state| state.life == event.life) else { return Ok(()) };
        match (event.news, state.phase) {
            (News::Started, Phase::Starting) => {
                state.phase = Phase::Up;
                state.since = now;
                state.child.set_state(State::Running);
                Ok(())
            }
            (News::Started, Phase::Draining(_)) => {
                state.child.set_state(State::Running);
                Ok(())
            }
            (News::Exited(exit), _) if state.leaves_by.is_some() => {
                self.on_removed(id, &exit);
                Ok(())
            }
            (News::Exited(_), Phase::Dying(_)) => {
                let cause = state.hung();
                self.on_death(id, Death { cause, blames_hand: false, is_charged: true }).await
            }
            (News::Exited(exit), Phase::Starting | Phase::Up) => {
                let blames_hand = matches!(exit, Exit::Panicked(_));
                let cause = state.cause(&exit);
                self.on_death(id, Death { cause, blames_hand, is_charged: true }).await
            }
            (News::Started | News::Exited(_), _) => Ok(()),
        }
    }

    /// Checks the children: which one hangs, has not obeyed, or has lost its thread.
    async fn look(&mut self) -> Result<(), Escalation> {
        let now = self.now();
        let is_heartbeat = now >= self.next_look;
        if is_heartbeat {
            self.next_look = now + self.heartbeat_every;
        }
        let mut from = Bound::Unbounded;
        while let Some((id, state)) = self.children.range_mut((from, Bound::Unbounded)).next() {
            let id = *id;
            from = Bound::Excluded(id);
            let is_leaving = state.leaves_by.is_some();
            let finding = state.look(now, is_heartbeat, now + ABORT_GRACE);
            match finding {
                Finding::Nothing => {}
                Finding::Blocked | Finding::ThreadLost if is_leaving => self.on_lost_while_leaving(id, &finding),
                Finding::Blocked => {
                    let cause = format!("{}, its thread is blocked", state.hung());
                    self.give_up_slot(id);
                    self.on_death(id, Death { cause, blames_hand: true, is_charged: true }).await?;
                }
                Finding::ThreadLost => {
                    state.abort(now);
                    let cause = "its thread was blocked by a neighbour".to_owned();
                    self.on_death(id, Death { cause, blames_hand: false, is_charged: false }).await?;
                }
            }
        }
        Ok(())
    }

    /// The consequences of a death for the child and its siblings.
    async fn on_death(&mut self, id: ChildId, death: Death) -> Result<(), Escalation> {
        let now = self.now();
        let node = self.node.clone();
        let Some(state) = self.children.get_mut(&id) else { return Ok(()) };
        state.bury(&death.cause, death.blames_hand);
        state.child.set_state(State::Restarting);
        state.orders = None;
        let pause = state.backoff.next(now.saturating_duration_since(state.since), &node.environment.chance);
        state.phase = Phase::Backoff(now + pause);
        let child = state.child.clone();
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            supervisor.name = node.name,
            actor.name = child.name(),
            cause = death.cause,
            pause_ms,
            "child died"
        );
        if death.is_charged && !self.log.admits(now) {
            return Err(Escalation { supervisor: node.name.clone(), child: child.name(), cause: death.cause });
        }
        node.restarted_a_child();
        if let Child::Actor(actor) = &child {
            actor.meter().restarted();
        }
        if node.strategy == Strategy::RestForOne {
            self.stop_from(Bound::Excluded(id), Stop { drain_until: None }).await;
        }
        Ok(())
    }

    /// Gives up the thread of a child that did not end.
    pub(super) fn give_up_slot(&self, id: ChildId) {
        if let Some(heartbeat_state) = self.children.get(&id).and_then(|state| state.heartbeat_state.as_ref()) {
            self.node.environment.placement.give_up(&heartbeat_state.slot);
        }
    }
}

pub(super) async fn receive(events: &mut mpsc::UnboundedReceiver<Event>) -> Event {
    match events.recv().await {
        Some(event) => event,
        // Unreachable: `Run` holds a sender of the same channel.
        None => std::future::pending().await,
    }
}

fn launch_supervisor(node: Arc<Node>, report: Report) -> mpsc::UnboundedSender<Control> {
    let (order, orders) = mpsc::unbounded_channel();
    let up = report.clone();
    tokio::task::spawn_local(async move {
        // In a task of its own, so that a panic is seen here as it would be in an actor.
        let life = tokio::task::spawn_local(Box::pin(supervise(node, orders, move || up.started())));
        report.exited(match life.await {
            Ok(End::Stopped) => Exit::Stopped,
            Ok(End::GaveUp(escalation)) => Exit::Failed(escalation.to_string()),
            Err(error) => Exit::of(error),
        });
    });
    order
}
