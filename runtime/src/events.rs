//! What a supervisor and its children tell each other.

use std::any::Any;
use std::fmt;

use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::Instant;

/// Names a child for its supervisor. Ids grow in the order in which children are added, and none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChildId(pub(super) u64);

/// What a supervisor tells a child.
pub(super) enum Control {
    Stop(Stop),
    /// End now. A child that does not end is on a blocked thread.
    Abort,
}

/// How one life of a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Exit {
    /// It ended as ordered.
    Stopped,
    /// It failed by its own verdict, or a supervisor gave up.
    Failed(String),
    Panicked(String),
    Aborted,
    /// The actix context ended by itself.
    Vanished,
}

impl Exit {
    /// How a task that did not return has ended.
    pub(super) fn of(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(payload) => Exit::Panicked(panic_text(payload.as_ref())),
            Err(_) => Exit::Aborted,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Stopped => f.write_str("stopped without an order"),
            Exit::Failed(cause) => write!(f, "failure: {cause}"),
            Exit::Panicked(text) => write!(f, "panic: {text}"),
            Exit::Aborted => f.write_str("aborted"),
            Exit::Vanished => f.write_str("ended unexpectedly"),
        }
    }
}

/// Something that happened to a child.
pub(super) struct Event {
    pub(super) child: ChildId,
    /// The child's life, so that late events of an earlier life can be told apart.
    pub(super) life: u64,
    pub(super) news: News,
}

pub(super) enum News {
    Started,
    Exited(Exit),
}

/// The channel of events from one life of a child to its supervisor, which may have ended first.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) child: ChildId,
    pub(super) life: u64,
    pub(super) events: mpsc::UnboundedSender<Event>,
}

impl Report {
    pub(super) fn started(&self) {
        self.send(News::Started);
    }

    pub(super) fn exited(&self, exit: Exit) {
        self.send(News::Exited(exit));
    }

    fn send(&self, news: News) {
        let _ = self.events.send(Event { child: self.child, life: self.life, news });
    }
}

/// Control: finish the batch in hand, then handle waiting messages until `drain_until` (`None`: leave them waiting),
/// then end.
#[derive(Clone, Copy)]
pub(super) struct Stop {
    pub(super) drain_until: Option<Instant>,
}

impl actix::Message for Stop {
    type Result = ();
}

/// The text that `panic!` was called with.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without text").to_owned()
}
