//! How to wake an actor without knowing what kind of actor it is.

use std::sync::Arc;

use super::Message;
use super::mailbox::Mailbox;

/// Can nudge one actor.
#[derive(Clone)]
pub struct Nudger(Arc<dyn Nudge>);

impl Nudger {
    /// As `Handle::nudge`.
    pub fn nudge(&self) {
        self.0.nudge();
    }

    /// A nudger that calls `f`, for code that is tested without actors.
    pub fn from_fn(f: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Called(f)))
    }

    pub(super) fn of<M: Message>(mailbox: Arc<Mailbox<M>>) -> Self {
        Self(mailbox)
    }
}

trait Nudge: Send + Sync {
    fn nudge(&self);
}

impl<M: Message> Nudge for Mailbox<M> {
    fn nudge(&self) {
        Mailbox::nudge(self);
    }
}

struct Called<F>(F);

impl<F: Fn() + Send + Sync> Nudge for Called<F> {
    fn nudge(&self) {
        (self.0)();
    }
}
