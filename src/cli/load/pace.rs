//! When things are sent: closed loop (as soon as the answer is there) and open loop (at scheduled instants).

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::sender::Sender;

/// How long what is under way may take once the run was interrupted.
const GRACE: Duration = Duration::from_millis(500);

/// When the run was interrupted, if it was.
pub type Interrupted = watch::Receiver<Option<Instant>>;

/// Resolves when the run is interrupted.
pub async fn interrupted(told: &mut Interrupted) -> Instant {
    match told.wait_for(Option::is_some).await.map(|at| *at) {
        Ok(Some(at)) => at,
        // Nobody is left who could interrupt it.
        _ => std::future::pending().await,
    }
}

/// How often things start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// So many workers, each starting the next when its last is finished.
    Closed {
        /// Workers of this thread.
        workers: u32,
    },
    /// So many starts a second, whatever the answers do.
    Open(Share),
}

/// One thread's share of an open loop: of all starts numbered 0, 1, 2, ..., those with `number % threads == thread`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Starts a second over all threads.
    pub rate_per_s: u32,
    /// This thread's number, from 0.
    pub thread: u32,
    /// How many threads share the rate.
    pub threads: u32,
}

impl Share {
    /// When this thread's starts are due, counted from the beginning of the run, without end. Each is computed from
    /// its number and not from the one before, so rounding never adds up.
    fn due_after(self) -> impl Iterator<Item = Duration> {
        (u64::from(self.thread)..).step_by(self.threads as usize).map(move |number| {
            let rate_per_s = u64::from(self.rate_per_s);
            let nanos = (number % rate_per_s) * 1_000_000_000 / rate_per_s;
            Duration::from_secs(number / rate_per_s) + Duration::from_nanos(nanos)
        })
    }
}

/// Starts things from `begins` until `ends` and returns when the last of them is finished, or a moment after the run
/// was interrupted. Returns whether it came to its end.
pub async fn run(sender: &Rc<Sender>, pace: Pace, begins: Instant, ends: Instant, told: &mut Interrupted) -> bool {
    let mut under_way = JoinSet::new();
    tokio::select! {
        () = run_to_end(sender, pace, begins, ends, &mut under_way) => return true,
        at = interrupted(told) => sender.end_early(at),
    }
    // What takes longer is given up, and not counted.
    let _ = tokio::time::timeout(GRACE, finish(&mut under_way)).await;
    false
}

async fn run_to_end(sender: &Rc<Sender>, pace: Pace, begins: Instant, ends: Instant, under_way: &mut JoinSet<()>) {
    match pace {
        Pace::Closed { workers } => {
            tokio::time::sleep_until(begins.into()).await;
            for _ in 0..workers {
                let sender = Rc::clone(sender);
                under_way.spawn_local(async move {
                    while Instant::now() < ends && !sender.has_ended() {
                        sender.start(Instant::now()).await;
                    }
                });
            }
        }
        Pace::Open(share) => {
            for due in share.due_after().map(|after| begins + after).take_while(|due| *due < ends) {
                // The timer counts in milliseconds: what is due within one is started together, and that wait counts.
                if Instant::now() < due {
                    tokio::time::sleep_until(due.into()).await;
                }
                let sender = Rc::clone(sender);
                under_way.spawn_local(async move { sender.start(due).await });
                while let Some(finished) = under_way.try_join_next() {
                    pass_on_panic(finished);
                }
            }
        }
    }
    finish(under_way).await;
}

async fn finish(under_way: &mut JoinSet<()>) {
    while let Some(finished) = under_way.join_next().await {
        pass_on_panic(finished);
    }
}

/// A result without the panicked start would be wrong: the thread ends with the panic, and the run reports it.
fn pass_on_panic(finished: Result<(), JoinError>) {
    if let Err(error) = finished
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_gives_that_many_starts_each_second_without_drift() {
        let all = Share { rate_per_s: 3, thread: 0, threads: 1 };
        let due: Vec<u128> = all.due_after().take(5).map(|due| due.as_nanos()).collect();
        assert_eq!(due, [0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333]);
        for rate_per_s in [1, 7, 300, 9_999] {
            let share = Share { rate_per_s, thread: 0, threads: 1 };
            let in_an_hour = share.due_after().take_while(|due| *due < Duration::from_secs(3600)).count();
            assert_eq!(in_an_hour, 3600 * rate_per_s as usize);
        }
    }

    #[test]
    fn threads_share_the_schedule_without_gaps() {
        let within =
            |share: Share| share.due_after().take_while(|due| *due < Duration::from_secs(2)).collect::<Vec<_>>();
        let mut together: Vec<Duration> =
            (0..3).flat_map(|thread| within(Share { rate_per_s: 100, thread, threads: 3 })).collect();
        together.sort();
        assert_eq!(together, within(Share { rate_per_s: 100, thread: 0, threads: 1 }));
    }
}
