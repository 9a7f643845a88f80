//! Runs work that belongs to no actor, but asks many of them, on the thread of a slot. Its turns alternate with those
//! of the actors there, and it does not wait for other work of the caller's thread.
//!
//! Results need care too. tokio's `LocalSet` looks at what other threads have woken only once in 31 turns
//! (`REMOTE_FIRST_INTERVAL`), and then takes one task: on a busy thread results would queue there. So one task of each
//! thread receives all results for it, and takes all that are there.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

use super::{Environment, Placement};

/// The thread of one slot, for work that belongs to no actor. Clones are the same executor.
#[derive(Clone)]
pub struct Executor {
    placement: Placement,
    slot: &'static str,
}

impl Executor {
    /// The executor of a slot that an actor of the environment has.
    pub fn at(slot: &'static str, environment: &Environment) -> Self {
        Self { placement: environment.placement.clone(), slot }
    }
}

/// An executor for callers on one thread.
pub struct LocalExecutor {
    executor: Executor,
    back: mpsc::UnboundedSender<Return>,
}

/// Hands results to their callers, on the callers' thread.
type Return = Box<dyn FnOnce() + Send>;

/// The most results that are handed on in one turn.
const RETURNS_MAX: usize = 256;

impl LocalExecutor {
    /// Call it on the callers' thread, within a `LocalSet`: it leaves a task there for as long as the value exists.
    ///
    /// # Panics
    ///
    /// Outside a `LocalSet`.
    pub fn at(executor: Executor) -> Self {
        let (back, mut returns) = mpsc::unbounded_channel::<Return>();
        tokio::task::spawn_local(async move {
            let mut batch = Vec::with_capacity(RETURNS_MAX);
            while returns.recv_many(&mut batch, RETURNS_MAX).await > 0 {
                batch.drain(..).for_each(|hand_over| hand_over());
            }
        });
        Self { executor, back }
    }

    /// Runs the work at the executor, to its end even if the future of this call is dropped. `None` if the work
    /// panicked or the thread is gone. While an actor blocks the thread there is no answer: bound the wait.
    ///
    /// # Panics
    ///
    /// On [`Placement::current_thread`], outside a `LocalSet`.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        let back = self.back.clone();
        self.executor.placement.spawn(self.executor.slot, async move {
            let value = work.await;
            // The caller may have left, and its thread may have ended.
            back.send(Box::new(move || drop(done.send(value)))).ok();
        });
        result.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Actor, Context, Failure, Intensity, Never, Options, Running, Strategy, Supervisor};

    struct Idler;

    impl Actor for Idler {
        type Message = Never;

        async fn handle(&mut self, _: Vec<Never>, _: &Context) -> Result<(), Failure> {
            Ok(())
        }
    }

    async fn open() -> (LocalExecutor, Running) {
        let environment = Environment::service();
        let mut root = Supervisor::new("test", Strategy::OneForOne, Intensity::default(), &environment);
        root.actor(Options::new("idler").slot("corner"), || Idler);
        (LocalExecutor::at(Executor::at("corner", &environment)), root.start().await)
    }

    /// Runs a test on a thread that has a `LocalSet`.
    fn story<T>(story: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, story)
    }

    #[test]
    fn executor_runs_work_on_its_thread_and_a_panic_fails_only_that_work() {
        story(async {
            let (local_executor, running) = open().await;
            let here = std::thread::current().id();
            assert!(local_executor.run(async { std::thread::current().id() }).await.is_some_and(|there| there != here));
            assert_eq!(local_executor.run(async { panic!("on purpose") }).await, None::<()>);
            assert_eq!(local_executor.run(async { 7 }).await, Some(7));
            running.stop(Duration::from_secs(5)).await;
        });
    }

    #[test]
    fn executor_finishes_work_after_its_caller_has_left() {
        story(async {
            let (local_executor, _running) = open().await;
            let (begin, begun) = oneshot::channel::<()>();
            let (end, ended) = oneshot::channel();
            let asked = local_executor.run(async {
                begun.await.ok();
                end.send(()).ok();
            });
            assert!(futures_util::FutureExt::now_or_never(asked).is_none(), "it waits");
            begin.send(()).unwrap();
            assert_eq!(ended.await, Ok(()));
        });
    }

    #[test]
    fn a_slot_without_actors_runs_no_work() {
        story(async {
            let nowhere = LocalExecutor::at(Executor::at("nowhere", &Environment::service()));
            assert_eq!(nowhere.run(async { 7 }).await, None);
        });
    }

    #[test]
    fn busy_thread_receives_its_results() {
        story(async {
            let (local_executor, _running) = open().await;
            let is_over = std::rc::Rc::new(std::cell::Cell::new(false));
            // The thread always has other work: each turn makes the next one ready.
            let busy = is_over.clone();
            tokio::task::spawn_local(async move {
                while !busy.get() {
                    tokio::task::yield_now().await;
                }
            });
            let results =
                futures_util::future::join_all((0..500).map(|number| local_executor.run(async move { number })));
            assert_eq!(results.await.into_iter().flatten().sum::<u32>(), 124_750);
            is_over.set(true);
        });
    }
}
