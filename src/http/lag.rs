//! How late a thread of the server is: how long requests wait for it to read them. One that is refused as soon as it is read
//! is cheap, so that those that are let in and those that come next wait for little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// A thread that is later than this is overloaded.
pub const LATE: Duration = Duration::from_millis(50);
/// How late an overloaded thread may be that lets new work in.
pub const SOON: Duration = Duration::from_millis(3);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The lag of one of the server's threads.
pub struct Lag(Arc<AtomicU64>);

impl Lag {
    /// Watches the thread that calls it, which runs an actix system, for as long as the value is there.
    pub fn of_this_thread() -> Self {
        let lag_us = Arc::new(AtomicU64::new(0));
        let watched = Arc::downgrade(&lag_us);
        actix_web::rt::spawn(async move {
            while let Some(lag_us) = watched.upgrade() {
                let due = Instant::now() + LOOK_EVERY;
                tokio::time::sleep_until(due).await;
                // A timer wakes in the queue of whatever else is ready: it waits as long as a request that has just come.
                lag_us.store(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
            }
        });
        Self(lag_us)
    }

    /// How long what was ready of late had to wait.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Relaxed))
    }
}
