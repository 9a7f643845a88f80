//! Where actors run: each on its slot's thread, or all on one.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use actix_rt::{Arbiter, ArbiterHandle, System};
use parking_lot::Mutex;

/// Where actors run.
#[derive(Clone)]
pub struct Placement(Kind);

#[derive(Clone)]
enum Kind {
    Arbiters(Arc<Arbiters>),
    CurrentThread,
}

impl Placement {
    /// One actix arbiter (an OS thread with a current-thread tokio runtime) for each slot name, made when first needed.
    /// Supervisors run on a thread of their own, so that no actor can block them. The threads end only when the last
    /// clone is dropped: give children that are added and removed a fixed set of slot names.
    pub fn arbiters() -> Self {
        Self(Kind::Arbiters(Arc::default()))
    }

    /// The same with at most so many threads, to which slots are assigned in turn: a message to an actor on the same
    /// thread wakes no other.
    pub fn threads(count: NonZeroUsize) -> Self {
        let arbiters = Arbiters::default();
        arbiters.slots.lock().threads_max = Some(count);
        Self(Kind::Arbiters(Arc::new(arbiters)))
    }

    /// Everything on the `LocalSet` that `Supervisor::start` is called in. A blocked thread blocks the supervisors
    /// too, so this is for simulation and tests.
    pub fn current_thread() -> Self {
        Self(Kind::CurrentThread)
    }

    /// Runs `f` where supervisors run; there it may spawn local tasks.
    pub(super) fn on_supervisor_thread(&self, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
        match &self.0 {
            Kind::CurrentThread => f(),
            Kind::Arbiters(arbiters) => {
                arbiters.system()?.arbiter().spawn_fn(f);
            }
        }
        Ok(())
    }

    /// The slot of this name. Call it on the supervisor thread only: actix makes arbiters where a `System` is.
    pub(super) fn slot(&self, name: &str) -> io::Result<Slot> {
        match &self.0 {
            Kind::CurrentThread => Ok(Slot { arbiter: None, is_lost: Arc::default() }),
            Kind::Arbiters(arbiters) => {
                let mut slots = arbiters.slots.lock();
                let thread = slots.thread_of(name);
                if let Some(slot) = &slots.threads[thread] {
                    return Ok(slot.clone());
                }
                let slot = Slot { arbiter: Some(Arbiter::try_new()?.handle()), is_lost: Arc::default() };
                slots.threads[thread] = Some(slot.clone());
                Ok(slot)
            }
        }
    }

    /// Gives up a slot whose thread does not respond: the next call of [`Placement::slot`] for any slot of that thread
    /// makes a fresh one. The old thread ends once it is no longer blocked.
    pub(super) fn give_up(&self, slot: &Slot) {
        let (Kind::Arbiters(arbiters), Some(arbiter)) = (&self.0, &slot.arbiter) else { return };
        let mut slots = arbiters.slots.lock();
        let is_it = |current: &&mut Option<Slot>| {
            current.as_ref().is_some_and(|current| Arc::ptr_eq(&current.is_lost, &slot.is_lost))
        };
        if let Some(current) = slots.threads.iter_mut().find(is_it) {
            *current = None;
            slot.is_lost.store(true, Ordering::Release);
            arbiter.stop();
        }
    }

    /// Runs a task on a slot's thread. If there is no such thread the task is dropped.
    pub(super) fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        match &self.0 {
            Kind::CurrentThread => drop(tokio::task::spawn_local(task)),
            Kind::Arbiters(arbiters) => {
                let slots = arbiters.slots.lock();
                let slot = slots.places.get(name).and_then(|thread| slots.threads[*thread].as_ref());
                if let Some(arbiter) = slot.and_then(|slot| slot.arbiter.as_ref()) {
                    arbiter.spawn(task);
                }
            }
        }
    }
}

/// One thread that actors run on.
#[derive(Clone)]
pub(super) struct Slot {
    arbiter: Option<ArbiterHandle>,
    is_lost: Arc<AtomicBool>,
}

impl Slot {
    /// Runs `f` on the slot's thread; there it may spawn local tasks.
    pub(super) fn run(&self, f: impl FnOnce() + Send + 'static) {
        match &self.arbiter {
            None => f(),
            // A thread that has ended drops `f`; the supervisor then notices that the child does not respond.
            Some(arbiter) => {
                arbiter.spawn_fn(f);
            }
        }
    }

    /// Whether the slot was given up, for any child on it.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct Arbiters {
    system: Mutex<Option<System>>,
    slots: Mutex<Slots>,
}

/// Which slot is on which thread.
#[derive(Default)]
struct Slots {
    /// None: each slot has a thread of its own.
    threads_max: Option<NonZeroUsize>,
    /// The thread of each slot, as an index of `threads`.
    places: HashMap<String, usize>,
    /// None where the thread was not started or was given up.
    threads: Vec<Option<Slot>>,
}

impl Slots {
    fn thread_of(&mut self, name: &str) -> usize {
        if let Some(thread) = self.places.get(name) {
            return *thread;
        }
        let next = self.places.len();
        let thread = self.threads_max.map_or(next, |most| next % most);
        self.places.insert(name.to_owned(), thread);
        if self.threads.len() <= thread {
            self.threads.resize(thread + 1, None);
        }
        thread
    }
}

impl Arbiters {
    /// The actix `System` that arbiters need. It is our own, not the caller's: a tree works the same under
    /// `actix_web::main`, plain tokio and a test, and does not lose its threads when another system stops.
    fn system(&self) -> io::Result<System> {
        let mut system = self.system.lock();
        if let Some(system) = &*system {
            return Ok(system.clone());
        }
        let (made, ready) = mpsc::sync_channel(1);
        thread::Builder::new().name("rialto-supervisor".to_owned()).spawn(move || {
            let runner = System::new();
            // The receiver waits below, in the same call.
            let _ = made.send(System::current());
            if let Err(error) = runner.run() {
                tracing::error!(%error, "supervisor thread failed");
            }
        })?;
        let made = ready.recv().map_err(|_| io::Error::other("the supervisor thread did not start"))?;
        *system = Some(made.clone());
        Ok(made)
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        if let Some(system) = self.system.get_mut().take() {
            system.stop();
        }
    }
}
