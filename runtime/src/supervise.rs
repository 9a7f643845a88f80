//! The life of one supervisor: a loop over what happens to its children, what time brings, and what it is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::child::ActorChild;
use super::events::{Control, Event, Exit, News, Report, Stop};
use super::heartbeat::Heartbeat;
use super::node::{Child, Escalation, Node};
use super::placement::Slot;
use super::restart::{Backoff, RestartLog};
use super::{State, Strategy};

/// How long an abort may take before the thread counts as blocked: longer than any healthy turn between two awaits.
const ABORT_GRACE: Duration = Duration::from_millis(250);
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
    let mut run = Run::new(node.clone());
    let mut on_up = Some(on_up);
    node.set_state(State::Starting);
    loop {
        run.launch_due();
        if run.child_states.iter().all(|child_state| child_state.phase == Phase::Up)
            && let Some(on_up) = on_up.take()
        {
            node.set_state(State::Running);
            on_up();
        }
        let due = run.next_due();
        let gave_up = tokio::select! {
            biased;
            order = orders.recv() => {
                let stop = match order {
                    Some(Control::Stop(stop)) => stop,
                    Some(Control::Abort) | None => Stop { drain_until: None },
                };
                run.stop_from(0, stop).await;
                return End::Stopped;
            }
            event = run.next_event() => run.on_event(event).await,
            () = sleep_until(due) => run.look().await,
        };
        if let Err(escalation) = gave_up {
            run.stop_from(0, Stop { drain_until: None }).await;
            return End::GaveUp(escalation);
        }
    }
}

/// Where a child is in its life, as its supervisor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// To be started as soon as all before it are up.
    Queued,
    Starting,
    Up,
    /// Hung and told to abort; past the instant its thread counts as blocked.
    Dying(Instant),
    /// To be started again at the instant.
    Backoff(Instant),
}

struct ChildState {
    phase: Phase,
    life: u64,
    orders: Option<mpsc::UnboundedSender<Control>>,
    /// An actor's; supervisors have no heartbeat, for they run where nothing blocks.
    heartbeat_state: Option<HeartbeatState>,
    backoff: Backoff,
    since: Instant,
}

struct HeartbeatState {
    heartbeat: Arc<Heartbeat>,
    slot: Slot,
    beats: u64,
    last_progress: Instant,
}

/// A death, judged.
struct Death {
    cause: String,
    /// Whether what was in hand may be guilty of it.
    blames_hand: bool,
    /// Whether it counts against the supervisor's intensity.
    is_charged: bool,
}

struct Run {
    node: Arc<Node>,
    child_states: Vec<ChildState>,
    sender: mpsc::UnboundedSender<Event>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Events that came while one child's end was awaited.
    backlog: VecDeque<Event>,
    log: RestartLog,
    lives: u64,
    heartbeat_every: Duration,
    next_look: Instant,
}

impl Run {
    fn new(node: Arc<Node>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let now = node.environment.clock.instant();
        let silence = node.children.iter().filter_map(Child::actor).map(|actor| actor.options().hang_after).min();
        let heartbeat_every =
            silence.map_or(HEARTBEAT_MAX, |silence| (silence / 4).clamp(HEARTBEAT_MIN, HEARTBEAT_MAX));
        let child_state = |_: &Child| ChildState {
            phase: Phase::Queued,
            life: 0,
            orders: None,
            heartbeat_state: None,
            backoff: Backoff::default(),
            since: now,
        };
        Self {
            child_states: node.children.iter().map(child_state).collect(),
            sender,
            events,
            backlog: VecDeque::new(),
            log: RestartLog::new(node.intensity),
            lives: 0,
            heartbeat_every,
            next_look: now + heartbeat_every,
            node,
        }
    }

    fn now(&self) -> Instant {
        self.node.environment.clock.instant()
    }

    /// Launches whoever may start now.
    fn launch_due(&mut self) {
        let now = self.now();
        for index in 0..self.child_states.len() {
            let is_due = match self.child_states[index].phase {
                Phase::Queued => self.child_states[..index].iter().all(|child_state| child_state.phase == Phase::Up),
                Phase::Backoff(at) => at <= now,
                Phase::Starting | Phase::Up | Phase::Dying(_) => false,
            };
            if is_due {
                self.launch(index, now);
            }
        }
    }

    fn launch(&mut self, index: usize, now: Instant) {
        self.lives += 1;
        let report = Report { child: index, life: self.lives, events: self.sender.clone() };
        let child = &self.node.children[index];
        child.set_state(State::Starting);
        let child_state = &mut self.child_states[index];
        child_state.phase = Phase::Starting;
        child_state.life = self.lives;
        child_state.since = now;
        child_state.heartbeat_state = None;
        match child {
            Child::Supervisor(node) => child_state.orders = Some(launch_supervisor(node.clone(), report)),
            Child::Actor(actor) => match self.node.environment.placement.slot(&actor.options().slot) {
                Ok(slot) => {
                    let (orders, heartbeat) = actor.launch(&slot, report);
                    child_state.orders = Some(orders);
                    child_state.heartbeat_state =
                        Some(HeartbeatState { beats: heartbeat.beats(), heartbeat, slot, last_progress: now });
                }
                Err(error) => report.exited(Exit::Failed(format!("no thread for slot: {error}"))),
            },
        }
    }

    /// When time next brings something.
    fn next_due(&self) -> Instant {
        let at = |child_state: &ChildState| match child_state.phase {
            Phase::Dying(at) | Phase::Backoff(at) => Some(at),
            Phase::Queued | Phase::Starting | Phase::Up => None,
        };
        self.child_states.iter().filter_map(at).fold(self.next_look, Instant::min)
    }

    async fn next_event(&mut self) -> Event {
        match self.backlog.pop_front() {
            Some(event) => event,
            None => receive(&mut self.events).await,
        }
    }

    async fn on_event(&mut self, event: Event) -> Result<(), Escalation> {
        let index = event.child;
        if event.life != self.child_states[index].life {
            return Ok(());
        }
        match (event.news, self.child_states[index].phase) {
            (News::Started, Phase::Starting) => {
                self.child_states[index].phase = Phase::Up;
                self.child_states[index].since = self.now();
                self.node.children[index].set_state(State::Running);
                Ok(())
            }
            (News::Exited(_), Phase::Dying(_)) => {
                let cause = self.hung(index);
                self.on_death(index, Death { cause, blames_hand: false, is_charged: true }).await
            }
            (News::Exited(exit), Phase::Starting | Phase::Up) => {
                let blames_hand = matches!(exit, Exit::Panicked(_));
                let cause = self.cause(index, &exit);
                self.on_death(index, Death { cause, blames_hand, is_charged: true }).await
            }
            (News::Started | News::Exited(_), _) => Ok(()),
        }
    }

    /// Looks after the children: who hangs, who has not obeyed, whose thread is gone.
    async fn look(&mut self) -> Result<(), Escalation> {
        let now = self.now();
        let is_heartbeat = now >= self.next_look;
        if is_heartbeat {
            self.next_look = now + self.heartbeat_every;
        }
        for index in 0..self.child_states.len() {
            let Child::Actor(actor) = &self.node.children[index] else { continue };
            let actor = actor.clone();
            let child_state = &mut self.child_states[index];
            let Some(heartbeat_state) = &mut child_state.heartbeat_state else { continue };
            match child_state.phase {
                Phase::Dying(until) if now >= until => {
                    self.node.environment.placement.give_up(&heartbeat_state.slot);
                    let cause = format!("{}, its thread is blocked", self.hung(index));
                    self.on_death(index, Death { cause, blames_hand: true, is_charged: true }).await?;
                }
                Phase::Starting | Phase::Up if heartbeat_state.slot.is_lost() => {
                    actor.retire();
                    child_state.order(Control::Abort);
                    let cause = "its thread was blocked by a neighbour".to_owned();
                    self.on_death(index, Death { cause, blames_hand: false, is_charged: false }).await?;
                }
                Phase::Starting | Phase::Up if is_heartbeat => {
                    let beats = heartbeat_state.heartbeat.beats();
                    if beats != heartbeat_state.beats || !(heartbeat_state.heartbeat.is_busy() || actor.has_work()) {
                        heartbeat_state.beats = beats;
                        heartbeat_state.last_progress = now;
                    } else if now.saturating_duration_since(heartbeat_state.last_progress) >= actor.options().hang_after
                    {
                        actor.retire();
                        child_state.order(Control::Abort);
                        child_state.phase = Phase::Dying(now + ABORT_GRACE);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a death means for the child and its siblings.
    async fn on_death(&mut self, index: usize, death: Death) -> Result<(), Escalation> {
        self.bury(index, &death.cause, death.blames_hand);
        let now = self.now();
        let node = self.node.clone();
        let child = &node.children[index];
        child.set_state(State::Restarting);
        let child_state = &mut self.child_states[index];
        child_state.orders = None;
        let pause =
            child_state.backoff.next(now.saturating_duration_since(child_state.since), &node.environment.chance);
        child_state.phase = Phase::Backoff(now + pause);
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
        if let Child::Actor(actor) = child {
            actor.meter().restarted();
        }
        if node.strategy == Strategy::RestForOne {
            self.stop_from(index + 1, Stop { drain_until: None }).await;
        }
        Ok(())
    }

    /// Stops the children from the last to `first`: for good if the stop drains, else to be started again in order.
    async fn stop_from(&mut self, first: usize, stop: Stop) {
        for index in (first..self.child_states.len()).rev() {
            self.stop(index, stop).await;
            self.child_states[index].phase = Phase::Queued;
            self.child_states[index].orders = None;
            // Later news of this life is late news.
            self.child_states[index].life = 0;
            match stop.drain_until {
                Some(_) => self.node.children[index].close(),
                None => self.node.children[index].set_state(State::Waiting),
            }
        }
    }

    async fn stop(&mut self, index: usize, stop: Stop) {
        let node = self.node.clone();
        let is_alive = matches!(self.child_states[index].phase, Phase::Starting | Phase::Up | Phase::Dying(_));
        match &node.children[index] {
            Child::Supervisor(_) if is_alive => {
                self.child_states[index].order(Control::Stop(stop));
                // A supervisor bounds its own end.
                self.exit_of(index, None).await;
            }
            Child::Actor(actor) if is_alive => self.stop_actor(index, actor.as_ref(), stop).await,
            Child::Supervisor(_) | Child::Actor(_) => {}
        }
    }

    async fn stop_actor(&mut self, index: usize, actor: &dyn ActorChild, stop: Stop) {
        let latest = self.now() + actor.options().drain_deadline;
        let drain_until = stop.drain_until.map(|until| until.min(latest));
        if drain_until.is_some() {
            actor.shut();
        }
        self.child_states[index].order(Control::Stop(Stop { drain_until }));
        let patience = drain_until.unwrap_or(latest) + ABORT_GRACE;
        let mut exit = self.exit_of(index, Some(patience)).await;
        if exit.is_none() {
            actor.retire();
            self.child_states[index].order(Control::Abort);
            exit = self.exit_of(index, Some(self.now() + ABORT_GRACE)).await;
        }
        if exit.is_none()
            && let Some(heartbeat_state) = &self.child_states[index].heartbeat_state
        {
            self.node.environment.placement.give_up(&heartbeat_state.slot);
        }
        let cause =
            exit.map_or_else(|| "did not stop, its thread is blocked".to_owned(), |exit| self.cause(index, &exit));
        self.bury(index, &cause, false);
    }

    /// Waits until a child's present life has ended; `None` if that takes too long.
    async fn exit_of(&mut self, index: usize, until: Option<Instant>) -> Option<Exit> {
        let life = self.child_states[index].life;
        let is_it = |event: &Event| event.life == life && matches!(event.news, News::Exited(_));
        if let Some(at) = self.backlog.iter().position(is_it) {
            return self.backlog.remove(at).and_then(Event::exit);
        }
        loop {
            let event = match until {
                None => receive(&mut self.events).await,
                Some(until) => timeout_at(until, receive(&mut self.events)).await.ok()?,
            };
            if is_it(&event) {
                return event.exit();
            }
            self.backlog.push_back(event);
        }
    }

    fn bury(&self, index: usize, cause: &str, blames_hand: bool) {
        if let (Child::Actor(actor), Some(heartbeat_state)) =
            (&self.node.children[index], &self.child_states[index].heartbeat_state)
        {
            actor.bury(&heartbeat_state.heartbeat, cause, blames_hand);
        }
    }

    fn cause(&self, index: usize, exit: &Exit) -> String {
        let site = self.child_states[index]
            .heartbeat_state
            .as_ref()
            .and_then(|heartbeat_state| heartbeat_state.heartbeat.panicked_at());
        site.map_or_else(|| exit.to_string(), |site| format!("{exit} at {site}"))
    }

    fn hung(&self, index: usize) -> String {
        let silence = self.node.children[index].actor().map_or(Duration::ZERO, |actor| actor.options().hang_after);
        format!("hung: work but no progress for {silence:?}")
    }
}

impl ChildState {
    /// A life that has ended takes no orders, and needs none.
    fn order(&self, order: Control) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}

impl Event {
    fn exit(self) -> Option<Exit> {
        match self.news {
            News::Exited(exit) => Some(exit),
            News::Started => None,
        }
    }
}

async fn receive(events: &mut mpsc::UnboundedReceiver<Event>) -> Event {
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
