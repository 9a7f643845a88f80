//! An actor as its supervisor sees it, without its types of message and state.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::cell::{Factory, Life, attend, incarnate};
use super::events::{Control, Report};
use super::faults::FaultPoint;
use super::heartbeat::Heartbeat;
use super::mailbox::Mailbox;
use super::message::Identity;
use super::meter::Meter;
use super::placement::Slot;
use super::{Actor, AskError, Context, DeadLetter, Environment, Handle, Nudger, Options};

/// An actor as a supervisor's child.
pub(super) trait ActorChild: Send + Sync {
    fn options(&self) -> &Options;
    fn meter(&self) -> &Meter;
    /// Begins a new life on the slot, retiring any earlier one. To be called where local tasks can be spawned.
    fn launch(&self, slot: &Slot, report: Report) -> (mpsc::UnboundedSender<Control>, Arc<Heartbeat>);
    /// Whether anything waits to be done.
    fn has_work(&self) -> bool;
    /// Stops the present life from taking messages, if it still runs.
    fn retire(&self);
    /// Writes dead letters for the messages in hand. The death counts against them only if they may have caused it.
    fn bury(&self, heartbeat: &Heartbeat, cause: &str, counts: bool);
    /// Closes the mailbox to new messages.
    fn shut(&self);
    /// Closes the mailbox to new messages and answers waiting ones with `Stopped`.
    fn close(&self);
    /// Removes its metrics and its fault point from the tree.
    fn forget(&self);
}

/// An actor as a child that has not started, and its handle. The meter is known to the environment already.
pub(super) fn actor_child<A: Actor>(
    options: Options,
    factory: impl Fn() -> A + Send + 'static,
    meter: Arc<Meter>,
    environment: &Environment,
) -> (Arc<dyn ActorChild>, Handle<A>) {
    let mailbox = Arc::new(Mailbox::new(options.capacity, meter));
    let handle = Handle::new(mailbox.clone(), environment.clock.clone(), options.ask_deadline);
    let faults = environment.faults.register(options.name, options.shard);
    let factory: Box<dyn Fn() -> A + Send> = Box::new(factory);
    let factory = Arc::new(Mutex::new(factory));
    let environment = environment.clone();
    (Arc::new(Supervised { options, factory, mailbox, faults, environment }), handle)
}

struct Supervised<A: Actor> {
    options: Options,
    factory: Factory<A>,
    mailbox: Arc<Mailbox<A::Message>>,
    faults: Arc<FaultPoint>,
    environment: Environment,
}

impl<A: Actor> ActorChild for Supervised<A> {
    fn options(&self) -> &Options {
        &self.options
    }

    fn meter(&self) -> &Meter {
        &self.mailbox.meter
    }

    fn launch(&self, slot: &Slot, report: Report) -> (mpsc::UnboundedSender<Control>, Arc<Heartbeat>) {
        let heartbeat = Arc::new(Heartbeat::default());
        // Starting is work too: a start that hangs is found by the heartbeat.
        heartbeat.begin();
        let life = Life::<A> {
            options: self.options.clone(),
            factory: self.factory.clone(),
            mailbox: self.mailbox.clone(),
            lease: self.mailbox.advance(),
            faults: self.faults.clone(),
            context: Context {
                name: self.options.name,
                shard: self.options.shard,
                clock: self.environment.clock.clone(),
                chance: self.environment.chance.clone(),
                nudger: Nudger::of(self.mailbox.clone()),
                heartbeat: heartbeat.clone(),
            },
            report: report.clone(),
        };
        let (order, orders) = mpsc::unbounded_channel();
        let (place, placed) = oneshot::channel();
        slot.run(move || {
            // If this life was given up in the meantime, nobody waits for the placement any more.
            if let Err(Some(unattended)) = place.send(incarnate(life)) {
                unattended.abort();
            }
        });
        tokio::task::spawn_local(attend(placed, orders, report));
        (order, heartbeat)
    }

    fn has_work(&self) -> bool {
        self.mailbox.has_work()
    }

    fn retire(&self) {
        self.mailbox.advance();
    }

    fn bury(&self, heartbeat: &Heartbeat, cause: &str, counts: bool) {
        let hand = heartbeat.let_go();
        let in_hand = hand.len();
        let now = self.environment.clock.instant();
        // A message that was in hand more than once counts as one death.
        let mut records = HashMap::new();
        for message in hand {
            if message.asked.as_ref().is_some_and(|asked| asked.is_answered()) {
                continue;
            }
            let whose = message.key.map(|key| Identity { kind: message.kind, key });
            let (deaths, quarantined) = match whose {
                Some(whose) if counts => *records.entry(whose).or_insert_with(|| self.mailbox.record_death(whose, now)),
                _ => (0, false),
            };
            if let Some(asked) = &message.asked {
                asked.refuse(AskError::Interrupted);
            }
            self.mailbox.meter.lost();
            self.environment.dead_letters.record(DeadLetter {
                actor: self.options.name,
                shard: self.options.shard,
                kind: message.kind,
                key: message.key,
                trace_id: message.trace_id,
                cause: cause.to_owned(),
                in_hand,
                deaths,
                at_ms: self.environment.clock.now_ms(),
                quarantined,
            });
        }
    }

    fn shut(&self) {
        self.mailbox.shut();
    }

    fn close(&self) {
        self.mailbox.close();
    }

    fn forget(&self) {
        // A life that is left over (on a blocked thread, or of a supervisor that died itself) takes no more messages.
        self.retire();
        self.environment.meters.remove(&self.mailbox.meter);
        self.environment.faults.unregister(&self.faults);
    }
}
