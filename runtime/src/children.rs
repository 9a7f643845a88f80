//! Children that come and go while the tree runs.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::child::actor_child;
use super::meter::Meter;
use super::node::{Child, Node};
use super::{Actor, AddError, Handle, Options, RemoveError, Supervisor};

/// Adds children to a supervisor and removes them, before the start and while the tree runs, from any thread.
///
/// An added child has the guarantees of one that was declared: see [`guarantees`](crate::guarantees). The value is
/// only a reference: dropping it changes nothing, and holding it keeps no tree alive.
///
/// ```
/// # use rialto_runtime::*;
/// # use std::time::Duration;
/// # struct Clerk;
/// # impl Actor for Clerk {
/// #     type Message = Never;
/// #     async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bank = Supervisor::new("bank", Strategy::OneForOne, Intensity::default(), &Environment::service());
/// let clerks = bank.children();
/// let running = bank.start().await;
///
/// let clerk = clerks.add(Options::new("clerk").shard(7), || Clerk)?;
/// clerk.nudge(); // usable already: it waits for the start
/// assert_eq!(running.snapshot().actors()[0].shard, Some(7));
///
/// clerks.remove("clerk/7", Duration::from_secs(1)).await?;
/// assert!(running.snapshot().actors().is_empty());
/// # running.stop(Duration::from_secs(1)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Children {
    /// Weak, so that an actor which holds its own supervisor's children makes no cycle.
    node: Weak<Node>,
}

impl Supervisor {
    /// Adds children to this supervisor and removes them, also while the tree runs.
    pub fn children(&self) -> Children {
        Children { node: Arc::downgrade(&self.node) }
    }
}

impl Children {
    /// Adds an actor behind the supervisor's present children. The factory runs on the actor's thread, once for every
    /// life. The handle can be used at once: what is sent before the start waits.
    ///
    /// Under [`OneForOne`](super::Strategy::OneForOne) the actor starts at once. Under
    /// [`RestForOne`](super::Strategy::RestForOne), and while the supervisor itself still starts, it starts when all
    /// children before it are up.
    ///
    /// # Errors
    ///
    /// [`AddError::NameTaken`] if an actor of the environment has this name and shard, or a child of the supervisor
    /// is shown under the same name. A child that is being removed still has its name.
    /// [`AddError::Stopped`] if the supervisor has stopped for good, or no longer exists.
    pub fn add<A: Actor>(
        &self,
        options: Options,
        factory: impl Fn() -> A + Send + 'static,
    ) -> Result<Handle<A>, AddError> {
        let node = self.node.upgrade().ok_or(AddError::Stopped)?;
        let environment = &node.environment;
        let meter = Arc::new(Meter::of_added(&options, environment.clock.clone()));
        if !environment.meters.add_new(meter.clone()) {
            return Err(AddError::NameTaken(options.full_name()));
        }
        let (actor, handle) = actor_child(options, factory, meter, environment);
        let child = Child::Actor(actor);
        node.add(child.clone()).inspect_err(|_| child.dismiss())?;
        Ok(handle)
    }

    /// Adds a supervisor of the same environment, with its children, behind the supervisor's present children.
    ///
    /// # Errors
    ///
    /// [`AddError::NameTaken`] if a child of this supervisor is shown under the same name. [`AddError::Stopped`] if
    /// this supervisor has stopped for good, or no longer exists. The actors of a supervisor that was not added are
    /// closed: what was sent to them is answered `Stopped`.
    pub fn adopt(&self, child: Supervisor) -> Result<(), AddError> {
        let child = Child::Supervisor(child.into_node());
        let added = self.node.upgrade().ok_or(AddError::Stopped).and_then(|node| node.add(child.clone()));
        added.inspect_err(|_| child.dismiss())
    }

    /// Removes the child that [`TreeNode::name`](super::TreeNode::name) shows under `name` (`name` or `name/shard`).
    ///
    /// The removal begins with the call; the future only waits for its end, and dropping it changes nothing. The
    /// child is stopped as in [`Running::stop`](super::Running::stop): an actor takes nothing in any more, goes on with
    /// what waits until its `drain_deadline` or `deadline` from now, whichever is sooner, and the rest is answered
    /// `Stopped`. A child that is not up (it waits for its start, or for its restart) drains nothing. When the future
    /// resolves, the child is no longer part of the tree, its metrics and its fault point are gone, and its name is
    /// free. That takes half a second longer than the deadline at most.
    ///
    /// A child that is being removed already goes by the deadline of the first call; both calls wait for its end.
    /// An actor that removes itself must not wait for it within its turn: the removal would wait for that turn.
    ///
    /// # Errors
    ///
    /// [`RemoveError::NoSuchChild`] if the supervisor has no child of this name. [`RemoveError::Stopped`] if the
    /// supervisor has stopped for good, or no longer exists.
    pub fn remove(
        &self,
        name: &str,
        deadline: Duration,
    ) -> impl Future<Output = Result<(), RemoveError>> + Send + use<> {
        let begun = self.node.upgrade().ok_or(RemoveError::Stopped).and_then(|node| {
            let drain_until = node.environment.clock.instant() + deadline;
            node.begin_removal(name, drain_until)
        });
        async move {
            if let Some(mut gone) = begun? {
                // Nothing is ever sent: dropping the sender is the signal.
                let _ = gone.changed().await;
            }
            Ok(())
        }
    }
}
