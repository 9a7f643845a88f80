//! Group commit: waiting commands are written together in one transaction. Under light load that is one command each;
//! under heavy load one sync to disk serves hundreds. No timer is involved.
//!
//! The writer has a thread of its own, because it may block, and an actor that blocks its own thread does not keep it.

use std::{io, thread};

use tokio::sync::{mpsc, oneshot};

/// How many commands may wait in the queue; later callers wait for a place in it.
const QUEUE_CAPACITY: usize = 1024;
/// Commands that are written together at most.
const BATCH_MAX: usize = 512;

/// Writes batches.
pub(super) trait GroupCommitter: Send + 'static {
    type Command: Send + 'static;
    type Answer: Send + 'static;
    type Error: Clone + Send + 'static;

    /// Writes all of the batch in one transaction and answers each command, in order; or fails and has written nothing.
    fn commit(&mut self, batch: Vec<Self::Command>) -> Result<Vec<Self::Answer>, Self::Error>;
}

type Reply<C> = oneshot::Sender<Result<<C as GroupCommitter>::Answer, <C as GroupCommitter>::Error>>;

/// The handle of one [`GroupCommitter`], whose thread runs until the handle is dropped. A caller that gives up does not
/// undo its command: a command in the queue is written.
pub(super) struct GroupCommit<C: GroupCommitter>(mpsc::Sender<(C::Command, Reply<C>)>);

/// The committer's thread has ended, because of a panic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped;

impl<C: GroupCommitter> GroupCommit<C> {
    /// Starts the committer in a thread of this name.
    pub(super) fn start(name: &str, mut committer: C) -> io::Result<Self> {
        let (sender, mut queue) = mpsc::channel::<(C::Command, Reply<C>)>(QUEUE_CAPACITY);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut waiting = Vec::with_capacity(BATCH_MAX);
            while queue.blocking_recv_many(&mut waiting, BATCH_MAX) > 0 {
                answer(&mut committer, &mut waiting);
            }
        })?;
        Ok(Self(sender))
    }

    /// Starts the committer as a task of the thread that calls it, which it blocks: nothing is waited for that virtual
    /// time does not know.
    #[cfg(test)]
    pub(super) fn start_here(mut committer: C) -> Self {
        let (sender, mut queue) = mpsc::channel::<(C::Command, Reply<C>)>(QUEUE_CAPACITY);
        tokio::task::spawn_local(async move {
            let mut waiting = Vec::with_capacity(BATCH_MAX);
            while queue.recv_many(&mut waiting, BATCH_MAX).await > 0 {
                answer(&mut committer, &mut waiting);
            }
        });
        Self(sender)
    }

    /// Has the command written and returns its answer. The outer error says that the thread has ended: whether the
    /// command was written is then unknown.
    pub(super) async fn submit(&self, command: C::Command) -> Result<Result<C::Answer, C::Error>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.0.send((command, reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

/// Has all who wait answered in one batch.
fn answer<C: GroupCommitter>(committer: &mut C, waiting: &mut Vec<(C::Command, Reply<C>)>) {
    let (batch, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
    // A reply that cannot be delivered belongs to a caller that gave up.
    match committer.commit(batch) {
        Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| {
            let _ = reply.send(Ok(answer));
        }),
        Err(error) => replies.into_iter().for_each(|reply| {
            let _ = reply.send(Err(error.clone()));
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    /// Waits for the gate to open before it commits a zero.
    struct Doubler {
        batches: Arc<Mutex<Vec<usize>>>,
        gate: std::sync::mpsc::Receiver<()>,
    }

    impl GroupCommitter for Doubler {
        type Command = u32;
        type Answer = u32;
        type Error = &'static str;

        fn commit(&mut self, batch: Vec<u32>) -> Result<Vec<u32>, &'static str> {
            self.batches.lock().push(batch.len());
            if batch.contains(&0) {
                self.gate.recv().unwrap();
            }
            if batch.contains(&13) { Err("unlucky") } else { Ok(batch.into_iter().map(|n| n * 2).collect()) }
        }
    }

    #[tokio::test]
    async fn waiting_commands_share_a_batch_and_each_gets_its_own_answer() {
        let (open, gate) = std::sync::mpsc::channel();
        let batches = Arc::new(Mutex::new(Vec::new()));
        let group = GroupCommit::start("doubler", Doubler { batches: batches.clone(), gate }).unwrap();
        let numbers = || std::iter::once(0).chain(100..400);
        let opening = async {
            // tokio makes a task yield after 128 sends: all are sent after a few turns.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            open.send(()).unwrap();
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(numbers().map(|n| group.submit(n))), opening);
        for (n, answer) in numbers().zip(answers) {
            assert_eq!(answer.unwrap(), Ok(n * 2));
        }
        assert!(batches.lock().len() <= 2, "{batches:?}");
        assert_eq!(group.submit(13).await.unwrap(), Err("unlucky"));
        assert_eq!(group.submit(14).await.unwrap(), Ok(28));
    }

    #[tokio::test]
    async fn panic_closes_the_group_committer() {
        let (_, gate) = std::sync::mpsc::channel();
        let group = GroupCommit::start("doubler", Doubler { batches: Arc::default(), gate }).unwrap();
        assert!(group.submit(0).await.is_err(), "nobody opens the gate any more");
        assert!(group.submit(1).await.is_err());
    }
}
