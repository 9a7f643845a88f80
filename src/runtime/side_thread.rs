//! A thread of its own for work that has many turns, so that they need not wait for what else its giver's thread does.

use std::future::Future;

use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::oneshot;

/// The thread; it ends with this value, or with the actix system in which it was started.
pub struct SideThread(ArbiterHandle);

impl SideThread {
    /// Must be called within an actix system.
    pub fn start() -> Self {
        Self(Arbiter::new().handle())
    }

    /// Has it done there, to its end even if the asker leaves; `None` when it panicked, or the system is stopping.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        self.0.spawn(async move {
            // Whoever asked may have left.
            done.send(work.await).ok();
        });
        result.await.ok()
    }
}

impl Drop for SideThread {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_elsewhere_and_a_panic_costs_only_itself() {
        actix_rt::System::new().block_on(async {
            let beside = SideThread::start();
            let here = std::thread::current().id();
            assert!(beside.run(async { std::thread::current().id() }).await.is_some_and(|there| there != here));
            assert_eq!(beside.run(async { panic!("on purpose") }).await, None::<()>);
            assert_eq!(beside.run(async { 7 }).await, Some(7));
        });
    }

    #[test]
    fn work_is_finished_when_its_asker_has_left() {
        actix_rt::System::new().block_on(async {
            let beside = SideThread::start();
            let (begin, begun) = oneshot::channel::<()>();
            let (end, ended) = oneshot::channel();
            let asked = beside.run(async {
                begun.await.ok();
                end.send(()).ok();
            });
            assert!(futures_util::FutureExt::now_or_never(asked).is_none(), "it waits");
            begin.send(()).unwrap();
            assert_eq!(ended.await, Ok(()));
        });
    }
}
