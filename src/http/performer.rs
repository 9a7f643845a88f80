//! Where commands are performed: on a thread beside the one that reads requests. A command waits for several actors in turn;
//! on the thread that reads, each of its turns would come after all the requests that have arrived meanwhile. And what was
//! begun is finished even if the client leaves, instead of being left to the resolver.

use std::future::Future;

use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::oneshot;

/// The thread beside one of the server's threads; it ends with this value, or with the actix system.
pub struct Performer(ArbiterHandle);

impl Performer {
    pub fn start() -> Self {
        Self(Arbiter::new().handle())
    }

    /// Has it done there; `None` when it panicked, or the node is stopping.
    pub async fn perform<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        self.0.spawn(async move {
            // Whoever asked may have left.
            done.send(work.await).ok();
        });
        result.await.ok()
    }
}

impl Drop for Performer {
    fn drop(&mut self) {
        self.0.stop();
    }
}
