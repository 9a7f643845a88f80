//! The reply to one ask.
//!
//! Not tokio's oneshot, because a third party must be able to end the wait with a reason: the mailbox refuses waiting
//! messages, and the supervisor answers for an actor whose thread is blocked and cannot answer itself.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::AskError;

/// The right to answer one ask. Dropping it unsent answers [`AskError::Interrupted`].
pub struct Reply<T> {
    slot: Arc<Slot<T>>,
}

impl<T> Reply<T> {
    /// A reply and the future of its answer, for unit tests that call an actor's code without a handle.
    pub fn pair() -> (Reply<T>, Answer<T>) {
        let slot = Arc::new(Slot {
            inner: Mutex::new(Inner { state: State::Waiting(None), is_answered: false, is_abandoned: false }),
        });
        (Reply { slot: slot.clone() }, Answer { slot })
    }

    /// Answers. An asker who has left in the meantime does not notice.
    pub fn send(self, value: T) {
        let (_unused, waker) = {
            let mut inner = self.slot.inner.lock();
            inner.is_answered = true;
            inner.settle(State::Answered(value))
        };
        wake(waker);
    }

    /// Whether nobody waits for the answer any more: work that was not begun may be left undone.
    pub fn is_abandoned(&self) -> bool {
        self.slot.inner.lock().is_abandoned
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        let (_unused, waker) = self.slot.inner.lock().settle(State::Refused(AskError::Interrupted));
        wake(waker);
    }
}

/// The asker's half: resolves to the answer, or to the reason why there will be none. Dropping it abandons the ask.
pub struct Answer<T> {
    slot: Arc<Slot<T>>,
}

impl<T: Send + 'static> Answer<T> {
    pub(super) fn asked(&self) -> Arc<dyn Asked> {
        self.slot.clone()
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, AskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.slot.inner.lock();
        match mem::replace(&mut inner.state, State::Over) {
            State::Waiting(_) => {
                inner.state = State::Waiting(Some(cx.waker().clone()));
                Poll::Pending
            }
            State::Answered(value) => Poll::Ready(Ok(value)),
            State::Refused(error) => Poll::Ready(Err(error)),
            State::Over => Poll::Ready(Err(AskError::Interrupted)),
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        let _unread = {
            let mut inner = self.slot.inner.lock();
            inner.is_abandoned = true;
            mem::replace(&mut inner.state, State::Over)
        };
    }
}

/// An ask without the type of its answer.
pub(super) trait Asked: Send + Sync {
    fn is_abandoned(&self) -> bool;
    /// Whether the actor itself has answered (a refusal is not an answer).
    fn is_answered(&self) -> bool;
    /// Ends the wait with an error, unless it has ended already.
    fn refuse(&self, error: AskError);
}

struct Slot<T> {
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    state: State<T>,
    is_answered: bool,
    is_abandoned: bool,
}

enum State<T> {
    Waiting(Option<Waker>),
    Answered(T),
    Refused(AskError),
    /// The asker has read the outcome or has left.
    Over,
}

impl<T> Inner<T> {
    /// Leaves the state `Waiting`, once. Returns what is to be dropped and woken outside the lock.
    fn settle(&mut self, outcome: State<T>) -> (Option<State<T>>, Option<Waker>) {
        match mem::replace(&mut self.state, State::Over) {
            State::Waiting(waker) => {
                self.state = outcome;
                (None, waker)
            }
            settled => {
                self.state = settled;
                (Some(outcome), None)
            }
        }
    }
}

impl<T: Send> Asked for Slot<T> {
    fn is_abandoned(&self) -> bool {
        self.inner.lock().is_abandoned
    }

    fn is_answered(&self) -> bool {
        self.inner.lock().is_answered
    }

    fn refuse(&self, error: AskError) {
        let (_unused, waker) = self.inner.lock().settle(State::Refused(error));
        wake(waker);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_arrives_once() {
        let (reply, answer) = Reply::pair();
        let asked = answer.asked();
        reply.send(7);
        asked.refuse(AskError::Stopped);
        assert!(asked.is_answered());
        assert_eq!(answer.await, Ok(7));
    }

    #[tokio::test]
    async fn a_dropped_reply_is_an_interruption() {
        let (reply, answer) = Reply::<u8>::pair();
        let asked = answer.asked();
        drop(reply);
        assert!(!asked.is_answered());
        assert_eq!(answer.await, Err(AskError::Interrupted));
    }

    #[tokio::test]
    async fn a_third_party_can_end_the_wait() {
        let (reply, answer) = Reply::<u8>::pair();
        let asked = answer.asked();
        let waiting = tokio::spawn(answer);
        tokio::task::yield_now().await;
        asked.refuse(AskError::Stopped);
        assert_eq!(waiting.await.unwrap(), Err(AskError::Stopped));
        reply.send(1);
    }

    #[test]
    fn reply_notices_that_its_asker_has_left() {
        let (reply, answer) = Reply::<u8>::pair();
        let asked = answer.asked();
        assert!(!reply.is_abandoned());
        drop(answer);
        assert!(reply.is_abandoned() && asked.is_abandoned());
        reply.send(1);
        assert!(asked.is_answered());
    }
}
