//! One incarnation of an actor: a real actix actor whose mailbox carries control and whose one spawned future is the
//! loop over the data that waits. Of actix we rely on three facts, each with a test: the context runs as one task, so
//! a panic anywhere in it is seen as `JoinError::is_panic`; what the context owns is dropped by then; and the arbiter
//! and its other actors live on.

use std::cell::{Cell, RefCell};
use std::future;
use std::rc::Rc;
use std::sync::Arc;

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{ActorContext, AsyncContext, Recipient};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, coop};
use tokio::time::{Instant, sleep, sleep_until};

use super::events::{Control, Exit, Report, Stop};
use super::faults::{Fault, FaultPoint};
use super::heartbeat::Witness;
use super::mailbox::{Envelope, Lease, Mailbox, Taken};
use super::message::Identity;
use super::{Actor, Context, Failure, Options, Wake};

/// Builds a fresh actor, on the actor's own thread.
pub(super) type Factory<A> = Arc<Mutex<Box<dyn Fn() -> A + Send>>>;

/// All that an incarnation needs, on its way to its thread.
pub(super) struct Life<A: Actor> {
    pub(super) options: Options,
    pub(super) factory: Factory<A>,
    pub(super) mailbox: Arc<Mailbox<A::Message>>,
    pub(super) lease: Lease,
    pub(super) faults: Arc<FaultPoint>,
    pub(super) context: Context,
    pub(super) report: Report,
}

/// A running incarnation, seen from the supervisor's thread.
pub(super) struct Placed {
    task: JoinHandle<Exit>,
    control: Recipient<Stop>,
}

impl Placed {
    /// For a life that no supervisor watches.
    pub(super) fn abort(self) {
        self.task.abort();
    }
}

/// Begins a life on this thread; `None` if it was given up while it waited for the thread.
pub(super) fn incarnate<A: Actor>(life: Life<A>) -> Option<Placed> {
    if !life.mailbox.is_current(&life.lease) {
        return None;
    }
    let exit = Rc::new(RefCell::new(None));
    let incarnation =
        Incarnation { lease: life.lease.clone(), stop: Rc::default(), exit: exit.clone(), life: Some(life) };
    let context = actix::Context::new();
    let control = context.address().recipient();
    let running = context.into_future(incarnation);
    let task = tokio::task::spawn_local(async move {
        running.await;
        exit.take().unwrap_or(Exit::Vanished)
    });
    Some(Placed { task, control })
}

/// Carries orders to an incarnation and its end back to the supervisor, on whose thread it runs.
pub(super) async fn attend(
    placed: oneshot::Receiver<Option<Placed>>,
    mut orders: mpsc::UnboundedReceiver<Control>,
    report: Report,
) {
    // An abort before the thread has started the life needs no message: the mailbox has retired the life, and from the
    // missing answer the supervisor knows that the thread is blocked.
    let Some((placed, stop)) = await_placement(placed, &mut orders).await else { return };
    let Placed { mut task, control } = placed;
    // This is the one message in a mailbox of actix's default capacity 16, so it cannot be full. If it is closed, the
    // end is about to be reported.
    let tell = |stop: Stop| drop(control.try_send(stop));
    stop.into_iter().for_each(tell);
    let mut is_attended = true;
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut task => break ended,
            order = orders.recv(), if is_attended => match order {
                Some(Control::Stop(stop)) => tell(stop),
                Some(Control::Abort) => task.abort(),
                // The supervisor itself has died.
                None => {
                    is_attended = false;
                    task.abort();
                }
            },
        }
    };
    report.exited(ended.unwrap_or_else(Exit::of));
}

async fn await_placement(
    mut placed: oneshot::Receiver<Option<Placed>>,
    orders: &mut mpsc::UnboundedReceiver<Control>,
) -> Option<(Placed, Option<Stop>)> {
    let mut early_stop = None;
    loop {
        tokio::select! {
            biased;
            placed = &mut placed => return placed.ok().flatten().map(|placed| (placed, early_stop)),
            order = orders.recv() => match order {
                Some(Control::Stop(stop)) => early_stop = Some(stop),
                Some(Control::Abort) | None => return None,
            },
        }
    }
}

/// The actix actor.
struct Incarnation<A: Actor> {
    lease: Lease,
    stop: Rc<Cell<Option<Stop>>>,
    exit: Rc<RefCell<Option<Exit>>>,
    life: Option<Life<A>>,
}

impl<A: Actor> actix::Actor for Incarnation<A> {
    type Context = actix::Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(life) = self.life.take() {
            let life = wrap_future::<_, Self>(life.live(self.stop.clone()));
            context.spawn(life.map(|exit, incarnation, context| {
                incarnation.exit.replace(Some(exit));
                context.stop();
            }));
        }
    }
}

impl<A: Actor> actix::Handler<Stop> for Incarnation<A> {
    type Result = ();

    fn handle(&mut self, stop: Stop, _context: &mut Self::Context) {
        self.stop.set(Some(stop));
        self.lease.ring();
    }
}

impl<A: Actor> Life<A> {
    async fn live(self, stop: Rc<Cell<Option<Stop>>>) -> Exit {
        let _witness = Witness(self.context.heartbeat.clone());
        match self.work(&stop).await {
            Ok(exit) => exit,
            Err(failure) => Exit::Failed(failure.to_string()),
        }
    }

    async fn work(&self, stop: &Cell<Option<Stop>>) -> Result<Exit, Failure> {
        let mut actor = (self.factory.lock())();
        actor.started(&self.context).await?;
        self.context.heartbeat.end();
        self.report.started();
        let mut next_tick = self.next_tick();
        let mut wake = Wake::Idle;
        loop {
            if let Some(stop) = stop.get()
                && (self.mailbox.is_empty() || stop.drain_until.is_none_or(|until| self.now() >= until))
            {
                actor.stopping(&self.context).await;
                return Ok(Exit::Stopped);
            }
            let is_idle = match self.mailbox.take(&self.lease, self.options.max_batch, self.now()) {
                Taken::Retired => return Ok(Exit::Aborted),
                Taken::Empty => true,
                Taken::Batch(batch) => {
                    self.handle(&mut actor, batch).await?;
                    false
                }
            };
            let is_tick = next_tick.is_some_and(|at| at <= self.now());
            // A nudge is taken before the wake begins, so a nudge during the wake causes another wake.
            if stop.get().is_none() && (self.mailbox.take_nudge() | is_tick | (wake == Wake::Again)) {
                wake = self.wake(&mut actor).await?;
                if is_tick {
                    next_tick = self.next_tick();
                }
            } else if is_idle {
                self.pause(next_tick).await;
            }
            // Other actors of the thread get their turn even if this one always has work.
            coop::consume_budget().await;
        }
    }

    async fn handle(&self, actor: &mut A, batch: Vec<Envelope<A::Message>>) -> Result<(), Failure> {
        let begun = self.now();
        let count = batch.len();
        self.context.heartbeat.begin();
        let messages = self.context.heartbeat.take_in_hand(batch);
        let alone = if count == 1 { Identity::of(&messages[0]) } else { None };
        if self.suffer().await {
            actor.handle(messages, &self.context).await?;
            self.mailbox.meter.handled(count, self.now().saturating_duration_since(begun));
            if let Some(survivor) = alone {
                self.mailbox.acquit(survivor);
            }
        } else {
            drop(messages);
            (0..count).for_each(|_| self.mailbox.meter.lost());
        }
        self.context.heartbeat.end();
        Ok(())
    }

    async fn wake(&self, actor: &mut A) -> Result<Wake, Failure> {
        self.context.heartbeat.begin();
        let wake = if self.suffer().await { actor.wake(&self.context).await? } else { Wake::Idle };
        self.context.heartbeat.end();
        Ok(wake)
    }

    /// Applies an armed fault before a turn; returns whether the turn takes place.
    async fn suffer(&self) -> bool {
        match self.faults.next() {
            None => true,
            Some(Fault::Panic) => panic!("fault injected"),
            Some(Fault::Hang) => future::pending().await,
            Some(Fault::Delay(delay)) => {
                sleep(delay).await;
                true
            }
            Some(Fault::Drop) => false,
        }
    }

    async fn pause(&self, next_tick: Option<Instant>) {
        match next_tick {
            None => self.lease.rung().await,
            Some(at) => tokio::select! {
                biased;
                () = self.lease.rung() => {}
                () = sleep_until(at) => {}
            },
        }
    }

    fn next_tick(&self) -> Option<Instant> {
        self.options.tick.map(|every| self.now() + every)
    }

    fn now(&self) -> Instant {
        self.context.clock.instant()
    }
}
