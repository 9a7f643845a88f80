//! Trees of supervisors: how one is written down, started and seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::child::Supervised;
use super::events::{Control, Stop, panic_text};
use super::heartbeat::note_panic_sites;
use super::mailbox::Mailbox;
use super::meter::Meter;
use super::node::{Child, Escalation, Node};
use super::supervise::{End, supervise};
use super::{Actor, DeadLetters, Environment, Faults, Handle, Intensity, Options, State, Strategy, TreeNode};

/// A supervisor that is being written down: children start in the order they are added and stop in reverse.
///
/// ```
/// # use rialto_runtime::*;
/// # struct Clerk;
/// # impl Actor for Clerk {
/// #     type Message = Never;
/// #     async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> { Ok(()) }
/// # }
/// let environment = Environment::service();
/// let mut bank = Supervisor::new("bank", Strategy::OneForOne, Intensity::default(), &environment);
/// let clerk = bank.actor(Options::new("clerk").slot("counter"), || Clerk);
/// clerk.nudge(); // usable already: it waits for the start
/// ```
pub struct Supervisor {
    name: String,
    strategy: Strategy,
    intensity: Intensity,
    environment: Environment,
    children: Vec<Child>,
}

impl Supervisor {
    /// A supervisor without children.
    pub fn new(name: impl Into<String>, strategy: Strategy, intensity: Intensity, environment: &Environment) -> Self {
        Self { name: name.into(), strategy, intensity, environment: environment.clone(), children: Vec::new() }
    }

    /// Adds an actor. The factory runs on the actor's thread, once for every life. The handle can be used at once:
    /// what is sent before the start waits.
    pub fn actor<A: Actor>(&mut self, options: Options, factory: impl Fn() -> A + Send + 'static) -> Handle<A> {
        let environment = self.environment.clone();
        let meter = Arc::new(Meter::new(&options, environment.clock.clone()));
        environment.meters.add(meter.clone());
        let mailbox = Arc::new(Mailbox::new(options.capacity, meter));
        let handle = Handle::new(mailbox.clone(), environment.clock.clone(), options.ask_deadline);
        let faults = environment.faults.register(options.name, options.shard);
        let factory: Box<dyn Fn() -> A + Send> = Box::new(factory);
        let factory = Arc::new(Mutex::new(factory));
        self.children.push(Child::Actor(Arc::new(Supervised { options, factory, mailbox, faults, environment })));
        handle
    }

    /// Adds a supervisor of the same environment as a child: when it gives up, it is restarted as a whole.
    pub fn adopt(&mut self, child: Supervisor) {
        self.children.push(Child::Supervisor(Arc::new(child.into_node())));
    }

    /// Starts the tree with this supervisor at its root; returns when every child has started, or when the root has
    /// given up ([`Running::failed`] tells). Register an OpenTelemetry meter provider before.
    pub async fn start(self) -> Running {
        note_panic_sites();
        self.environment.meters.export();
        let placement = self.environment.placement.clone();
        let root = Arc::new(self.into_node());
        let (orders, received) = mpsc::unbounded_channel();
        let (report, mut status) = watch::channel(Status::Starting);
        let node = root.clone();
        let begun = placement.on_supervisor_thread(move || {
            tokio::task::spawn_local(run_root(node, received, report));
        });
        if let Err(error) = begun {
            tracing::error!(%error, "supervisor thread not started");
        }
        // An error means that the root is gone; `failed` says so.
        let _ = status.wait_for(|status| !matches!(status, Status::Starting)).await;
        Running { root, orders, status }
    }

    fn into_node(self) -> Node {
        Node {
            name: self.name,
            strategy: self.strategy,
            intensity: self.intensity,
            environment: self.environment,
            children: self.children,
            state: AtomicU8::new(State::Waiting as u8),
            restarts: AtomicU64::new(0),
        }
    }
}

#[derive(Debug, Clone)]
enum Status {
    Starting,
    Up,
    Stopped,
    Failed(Escalation),
}

async fn run_root(root: Arc<Node>, orders: mpsc::UnboundedReceiver<Control>, report: watch::Sender<Status>) {
    let report = Arc::new(report);
    let up = report.clone();
    let life = tokio::task::spawn_local(supervise(root.clone(), orders, move || {
        up.send_replace(Status::Up);
    }));
    let status = match life.await {
        Ok(End::Stopped) => Status::Stopped,
        Ok(End::GaveUp(escalation)) => Status::Failed(escalation),
        // A supervisor has no code that panics by itself, but subscribers to dead letters run in it.
        Err(error) => Status::Failed(Escalation {
            supervisor: root.name.clone(),
            child: root.name.clone(),
            cause: error.try_into_panic().map_or("aborted".to_owned(), |payload| panic_text(payload.as_ref())),
        }),
    };
    root.set_state(State::Stopped);
    root.children.iter().for_each(Child::close);
    if let Status::Failed(escalation) = &status {
        tracing::error!(%escalation, "supervision tree failed");
    }
    report.send_replace(status);
}

/// A tree at work. When the last clone is dropped the tree stops at once, without draining.
#[derive(Clone)]
pub struct Running {
    root: Arc<Node>,
    orders: mpsc::UnboundedSender<Control>,
    status: watch::Receiver<Status>,
}

impl Running {
    /// The supervision tree as data.
    pub fn snapshot(&self) -> TreeNode {
        self.root.snapshot()
    }

    /// Stops the tree, last child first. Each actor takes nothing in any more, goes on with what waits until its
    /// `drain_deadline` or `deadline` from now, whichever is sooner; the rest is answered `Stopped`.
    pub async fn stop(&self, deadline: Duration) {
        // A root that has ended already takes no orders, and needs none.
        let drain_until = Some(Instant::now() + deadline);
        let _ = self.orders.send(Control::Stop(Stop { drain_until }));
        let mut status = self.status.clone();
        let _ = status.wait_for(|status| matches!(status, Status::Stopped | Status::Failed(_))).await;
    }

    /// Resolves when the root has given up: the process must end with a non-zero exit, so that whoever runs it acts.
    /// Never resolves for a tree that was stopped in order.
    pub async fn failed(&self) -> Escalation {
        let mut status = self.status.clone();
        let ended = status.wait_for(|status| matches!(status, Status::Stopped | Status::Failed(_))).await;
        match ended.as_deref() {
            Ok(Status::Failed(escalation)) => return escalation.clone(),
            Ok(_) => {}
            Err(_) => {
                let (supervisor, child) = (self.root.name.clone(), self.root.name.clone());
                return Escalation { supervisor, child, cause: "the supervisor thread ended".to_owned() };
            }
        }
        drop(ended);
        std::future::pending().await
    }

    /// The tree's faults.
    pub fn faults(&self) -> Faults {
        self.root.environment.faults.clone()
    }

    /// The tree's dead letters.
    pub fn dead_letters(&self) -> DeadLetters {
        self.root.environment.dead_letters.clone()
    }
}
