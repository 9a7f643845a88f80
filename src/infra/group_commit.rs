//! Group commit: commands that wait are written together in one transaction. Under light load that is one command each;
//! under heavy load one sync to disk serves hundreds. No timer is involved.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

/// Commands that may wait for their turn; whoever comes later waits at the door.
const QUEUE_CAPACITY: usize = 1024;
/// Commands that are written together at most.
const BATCH_MAX: usize = 512;

/// Writes batches.
pub(super) trait Committer: Send + 'static {
    type Command: Send + 'static;
    type Answer: Send + 'static;
    type Error: Clone + Send + 'static;

    /// Writes all of the batch in one transaction and answers each command, in order; or fails and has written nothing.
    fn commit(
        &mut self,
        batch: Vec<Self::Command>,
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Self::Error>> + Send;
}

type Reply<C> = oneshot::Sender<Result<<C as Committer>::Answer, <C as Committer>::Error>>;

/// The door to one [`Committer`], which runs as a task of its own until the door is dropped. A caller that gives up does
/// not undo its command: what was taken in is written.
pub(super) struct GroupCommit<C: Committer>(mpsc::Sender<(C::Command, Reply<C>)>);

/// The committer's task has ended, with the runtime it ran on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped;

impl<C: Committer> GroupCommit<C> {
    /// Starts the committer on the current tokio runtime.
    pub(super) fn start(mut committer: C) -> Self {
        let (door, mut queue) = mpsc::channel::<(C::Command, Reply<C>)>(QUEUE_CAPACITY);
        tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(BATCH_MAX);
            while queue.recv_many(&mut waiting, BATCH_MAX).await > 0 {
                let (batch, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
                // A reply that cannot be delivered belongs to a caller that gave up.
                match committer.commit(batch).await {
                    Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| {
                        let _ = reply.send(Ok(answer));
                    }),
                    Err(error) => replies.into_iter().for_each(|reply| {
                        let _ = reply.send(Err(error.clone()));
                    }),
                }
            }
        });
        Self(door)
    }

    /// Has the command written and gives its answer. The outer error says that nobody is there to write: whether the
    /// command was written is then unknown.
    pub(super) async fn submit(&self, command: C::Command) -> Result<Result<C::Answer, C::Error>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.0.send((command, reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    struct Doubler(Arc<Mutex<Vec<usize>>>);

    impl Committer for Doubler {
        type Command = u32;
        type Answer = u32;
        type Error = &'static str;

        async fn commit(&mut self, batch: Vec<u32>) -> Result<Vec<u32>, &'static str> {
            self.0.lock().push(batch.len());
            if batch.contains(&13) { Err("unlucky") } else { Ok(batch.into_iter().map(|n| n * 2).collect()) }
        }
    }

    #[tokio::test]
    async fn those_who_wait_go_together_and_each_gets_its_own_answer() {
        let batches = Arc::new(Mutex::new(Vec::new()));
        let door = GroupCommit::start(Doubler(batches.clone()));
        let answers = futures_util::future::join_all((100..400).map(|n| door.submit(n))).await;
        for (n, answer) in (100..400).zip(answers) {
            assert_eq!(answer.unwrap(), Ok(n * 2));
        }
        // Not one batch: tokio makes a task that has received 128 things give way.
        assert!(batches.lock().len() < 10, "{batches:?}");
        assert_eq!(door.submit(13).await.unwrap(), Err("unlucky"));
        assert_eq!(door.submit(14).await.unwrap(), Ok(28));
    }
}
