//! Trees of supervisors: how one is written down, started and seen.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::child::actor_child;
use super::events::{Control, Stop, panic_text};
use super::heartbeat::note_panic_sites;
use super::meter::Meter;
use super::node::{Child, Escalation, Node};
use super::supervise::{End, supervise};
use super::{Actor, DeadLetters, Environment, Faults, Handle, Intensity, Options, Strategy, TreeNode};

/// A supervisor that is being written down: children start in the order they are added and stop in reverse.
///
/// ```
/// use rialto_runtime::*;
/// use std::time::Duration;
///
/// struct Clerk;
///
/// impl Actor for Clerk {
///     type Message = Never;
///
///     async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let environment = Environment::service();
/// let mut bank = Supervisor::new("bank", Strategy::RestForOne, Intensity::default(), &environment);
/// let archive = bank.actor(Options::new("archive").slot("disk"), || Clerk);
/// archive.nudge(); // usable already: it waits for the start
///
/// // When `clerks` gives up, `bank` restarts it as a whole.
/// let five_a_minute = Intensity { restarts: 5, within: Duration::from_secs(60) };
/// let mut clerks = Supervisor::new("clerks", Strategy::OneForOne, five_a_minute, &environment);
/// for shard in 1..=2 {
///     clerks.actor(Options::new("clerk").shard(shard), || Clerk);
/// }
/// let hired = clerks.children();
/// bank.adopt(clerks);
///
/// let running = bank.start().await;
/// hired.add(Options::new("clerk").shard(3), || Clerk)?; // while the tree runs
///
/// let tree = running.snapshot();
/// let shards: Vec<_> = tree.actors().iter().map(|actor| actor.shard).collect();
/// assert_eq!(shards, [None, Some(1), Some(2), Some(3)]);
///
/// // In `main` of a service: tokio::select! { cause = running.failed() => exit(1), _ = sigterm => {} }
/// running.stop(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
pub struct Supervisor {
    pub(super) node: Arc<Node>,
}

impl Supervisor {
    /// A supervisor without children.
    pub fn new(name: impl Into<String>, strategy: Strategy, intensity: Intensity, environment: &Environment) -> Self {
        Self { node: Arc::new(Node::new(name.into(), strategy, intensity, environment.clone())) }
    }

    /// Adds an actor. The factory runs on the actor's thread, once for every life. The handle can be used at once:
    /// messages that are sent before the start wait.
    pub fn actor<A: Actor>(&mut self, options: Options, factory: impl Fn() -> A + Send + 'static) -> Handle<A> {
        let environment = &self.node.environment;
        let meter = Arc::new(Meter::new(&options, environment.clock.clone()));
        environment.meters.add(meter.clone());
        let (actor, handle) = actor_child(options, factory, meter, environment);
        self.node.declare(Child::Actor(actor));
        handle
    }

    /// Adds a supervisor of the same environment as a child: when it gives up, it is restarted as a whole.
    pub fn adopt(&mut self, child: Supervisor) {
        self.node.declare(Child::Supervisor(child.into_node()));
    }

    /// Starts the tree with this supervisor at its root; returns when every child has started, or when the root has
    /// given up ([`Running::failed`] tells). Register an OpenTelemetry meter provider before.
    ///
    /// # Panics
    ///
    /// On [`Placement::current_thread`](super::Placement::current_thread), outside a `LocalSet`.
    pub async fn start(self) -> Running {
        note_panic_sites();
        let root = self.into_node();
        root.environment.meters.export();
        let placement = root.environment.placement.clone();
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

    pub(super) fn into_node(self) -> Arc<Node> {
        self.node
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
        // A supervisor has no code of its own that panics, but subscribers to dead letters run in it.
        Err(error) => Status::Failed(Escalation {
            supervisor: root.name.clone(),
            child: root.name.clone(),
            cause: error.try_into_panic().map_or("aborted".to_owned(), |payload| panic_text(payload.as_ref())),
        }),
    };
    root.close();
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

    /// Stops the tree, last child first. Each actor takes no new messages and handles waiting ones until its
    /// `drain_deadline` or `deadline` from now, whichever is sooner; the rest is answered `Stopped`.
    pub async fn stop(&self, deadline: Duration) {
        // A root that has ended needs no order, so a failed send is fine.
        let drain_until = Some(Instant::now() + deadline);
        let _ = self.orders.send(Control::Stop(Stop { drain_until }));
        let mut status = self.status.clone();
        let _ = status.wait_for(|status| matches!(status, Status::Stopped | Status::Failed(_))).await;
    }

    /// Resolves when the root has given up: the process must end with a non-zero exit code, so that its operator or
    /// orchestrator acts. Never resolves for a tree that was stopped in order.
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
