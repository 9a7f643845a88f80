//! Where messages wait: a bounded queue that the handle owns and that outlives every incarnation of the actor.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::message::Identity;
use super::meter::Meter;
use super::quarantine::{Quarantine, Suspicion};
use super::reply::Asked;
use super::{AskError, Message, TellError};

/// A waiting message, with what the runtime needs to know of it.
pub(super) struct Envelope<M> {
    pub(super) message: M,
    pub(super) queued_at: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) asked: Option<Arc<dyn Asked>>,
}

impl<M> Envelope<M> {
    fn is_pointless(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
            || self.asked.as_ref().is_some_and(|asked| asked.is_abandoned())
    }

    /// Answers for the actor and drops the message. Not under the mailbox's lock, because dropping a message may run
    /// any code.
    fn refuse(self, error: AskError) {
        if let Some(asked) = &self.asked {
            asked.refuse(error);
        }
    }
}

/// One incarnation's right to take messages; it ends when the next incarnation gets its own.
#[derive(Clone)]
pub(super) struct Lease {
    generation: u64,
    /// Rings when there may be something to do. Each incarnation has its own: a retired one on a blocked thread still
    /// listens, and would consume a ring that its successor needs.
    bell: Arc<Notify>,
}

impl Lease {
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }
}

/// What [`Mailbox::take`] found.
pub(super) enum Taken<M> {
    /// Messages, in order of arrival, at least one.
    Batch(Vec<Envelope<M>>),
    /// Nothing waits.
    Empty,
    /// The taker has been replaced: it must end, because another incarnation takes messages now.
    Retired,
}

pub(super) struct Mailbox<M> {
    capacity: usize,
    inner: Mutex<Inner<M>>,
    is_nudged: AtomicBool,
    pub(super) meter: Arc<Meter>,
}

struct Inner<M> {
    queue: VecDeque<Envelope<M>>,
    is_open: bool,
    /// Held by the incarnation that may take.
    lease: Lease,
    quarantine: Quarantine,
}

impl<M: Message> Mailbox<M> {
    pub(super) fn new(capacity: usize, meter: Arc<Meter>) -> Self {
        let lease = Lease { generation: 0, bell: Arc::default() };
        let inner = Inner { queue: VecDeque::new(), is_open: true, lease, quarantine: Quarantine::default() };
        Self { capacity, inner: Mutex::new(inner), is_nudged: AtomicBool::new(false), meter }
    }

    /// Queues a message, or says at once why it is refused.
    pub(super) fn push(&self, envelope: Envelope<M>) -> Result<(), TellError> {
        let mut pointless = Vec::new();
        let pushed = {
            let mut inner = self.inner.lock();
            if !inner.is_open {
                Err((envelope, TellError::Stopped))
            } else if inner.suspicion(&envelope.message, envelope.queued_at) == Suspicion::Convicted {
                Err((envelope, TellError::Quarantined))
            } else {
                if inner.queue.len() >= self.capacity {
                    // The oldest messages are the likeliest to have been abandoned: dropping them can make room.
                    while inner.queue.front().is_some_and(|oldest| oldest.is_pointless(envelope.queued_at)) {
                        pointless.extend(inner.queue.pop_front());
                    }
                    self.meter.set_depth(inner.queue.len());
                }
                if inner.queue.len() >= self.capacity {
                    Err((envelope, TellError::Overloaded { retry_after: self.meter.backlog().retry_after() }))
                } else {
                    inner.queue.push_back(envelope);
                    self.meter.set_depth(inner.queue.len());
                    Ok(inner.lease.clone())
                }
            }
        };
        for envelope in pointless {
            self.meter.expired();
            envelope.refuse(AskError::DeadlineExceeded);
        }
        match pushed {
            // Not under the lock, because the woken thread wants it next. A successor's lease needs no ring: it looks
            // first.
            Ok(lease) => {
                lease.ring();
                Ok(())
            }
            Err((_refused, error)) => {
                self.meter.refused();
                Err(error)
            }
        }
    }

    /// Takes up to `max` waiting messages for whoever holds the lease: the only code that makes batches of a mailbox.
    /// It leaves out messages that are late or abandoned, and takes a suspect alone.
    pub(super) fn take(&self, lease: &Lease, max: usize, now: Instant) -> Taken<M> {
        let mut batch = Vec::new();
        let mut refused = Vec::new();
        {
            let mut inner = self.inner.lock();
            if inner.lease.generation != lease.generation {
                return Taken::Retired;
            }
            batch.reserve(inner.queue.len().min(max));
            while batch.len() < max
                && let Some(envelope) = inner.queue.pop_front()
            {
                if envelope.is_pointless(now) {
                    refused.push((envelope, AskError::DeadlineExceeded));
                    continue;
                }
                match inner.suspicion(&envelope.message, now) {
                    Suspicion::Clean => batch.push(envelope),
                    Suspicion::Convicted => refused.push((envelope, AskError::Quarantined)),
                    Suspicion::Suspect if batch.is_empty() => {
                        batch.push(envelope);
                        break;
                    }
                    Suspicion::Suspect => {
                        inner.queue.push_front(envelope);
                        break;
                    }
                }
            }
            self.meter.set_depth(inner.queue.len());
        }
        for (envelope, error) in refused {
            match error {
                AskError::Quarantined => self.meter.refused(),
                _ => self.meter.expired(),
            }
            envelope.refuse(error);
        }
        for envelope in &batch {
            self.meter.waited(now.saturating_duration_since(envelope.queued_at));
        }
        if batch.is_empty() { Taken::Empty } else { Taken::Batch(batch) }
    }

    /// Retires the present taker and returns the lease of its successor.
    pub(super) fn advance(&self) -> Lease {
        let mut inner = self.inner.lock();
        inner.lease = Lease { generation: inner.lease.generation + 1, bell: Arc::default() };
        inner.lease.clone()
    }

    pub(super) fn is_current(&self, lease: &Lease) -> bool {
        self.inner.lock().lease.generation == lease.generation
    }

    /// Counts a death of the message; returns how many there are, and whether the message is quarantined from now on.
    pub(super) fn record_death(&self, whose: Identity, now: Instant) -> (u32, bool) {
        let mut inner = self.inner.lock();
        let deaths = inner.quarantine.record_death(whose, now);
        (deaths, inner.quarantine.suspicion(whose, now) == Suspicion::Convicted)
    }

    /// Forgets the deaths of a message.
    pub(super) fn acquit(&self, whose: Identity) {
        let mut inner = self.inner.lock();
        if !inner.quarantine.is_empty() {
            inner.quarantine.acquit(whose);
        }
    }

    pub(super) fn nudge(&self) {
        // A nudge that has not been taken yet covers this one: it rings, or has rung.
        if !self.is_nudged.swap(true, Ordering::AcqRel) {
            let lease = self.inner.lock().lease.clone();
            lease.ring();
        }
    }

    /// Whether there was a nudge since the last call.
    pub(super) fn take_nudge(&self) -> bool {
        self.is_nudged.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner.lock().queue.is_empty()
    }

    /// Whether there is anything to do.
    pub(super) fn has_work(&self) -> bool {
        self.is_nudged.load(Ordering::Acquire) || !self.is_empty()
    }

    /// Closes the mailbox to new messages; waiting ones stay.
    pub(super) fn shut(&self) {
        self.inner.lock().is_open = false;
    }

    /// Closes the mailbox to new messages and answers waiting ones with `Stopped`.
    pub(super) fn close(&self) {
        let waiting = {
            let mut inner = self.inner.lock();
            inner.is_open = false;
            self.meter.set_depth(0);
            std::mem::take(&mut inner.queue)
        };
        for envelope in waiting {
            self.meter.refused();
            envelope.refuse(AskError::Stopped);
        }
    }
}

impl<M: Message> Inner<M> {
    fn suspicion(&self, message: &M, now: Instant) -> Suspicion {
        if self.quarantine.is_empty() {
            return Suspicion::Clean;
        }
        Identity::of(message).map_or(Suspicion::Clean, |whose| self.quarantine.suspicion(whose, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Options, Reply};
    use std::time::Duration;

    struct Item(u128, #[expect(dead_code, reason = "answers when dropped")] Option<Reply<()>>);

    impl Message for Item {
        fn kind(&self) -> &'static str {
            "item"
        }
        fn key(&self) -> Option<u128> {
            Some(self.0)
        }
    }

    fn mailbox(capacity: usize) -> Mailbox<Item> {
        let meter = Meter::new(&Options::new("test").capacity(capacity), Clock::system());
        Mailbox::new(capacity, Arc::new(meter))
    }

    fn told(key: u128) -> Envelope<Item> {
        Envelope { message: Item(key, None), queued_at: Instant::now(), deadline: None, asked: None }
    }

    fn keys(taken: Taken<Item>) -> Vec<u128> {
        match taken {
            Taken::Batch(batch) => batch.iter().map(|envelope| envelope.message.0).collect(),
            Taken::Empty => Vec::new(),
            Taken::Retired => panic!("retired"),
        }
    }

    #[test]
    fn batches_hold_waiting_messages_in_order() {
        let mailbox = mailbox(8);
        let lease = mailbox.advance();
        (1..=5).for_each(|key| mailbox.push(told(key)).unwrap());
        assert_eq!(mailbox.meter.snapshot().depth, 5);
        assert_eq!(keys(mailbox.take(&lease, 3, Instant::now())), [1, 2, 3]);
        assert_eq!(keys(mailbox.take(&lease, 3, Instant::now())), [4, 5]);
        assert!(matches!(mailbox.take(&lease, 3, Instant::now()), Taken::Empty));
        assert_eq!(mailbox.meter.snapshot().depth, 0);
    }

    #[test]
    fn a_full_mailbox_refuses_at_once() {
        let mailbox = mailbox(2);
        mailbox.push(told(1)).unwrap();
        mailbox.push(told(2)).unwrap();
        assert!(matches!(mailbox.push(told(3)), Err(TellError::Overloaded { .. })));
        assert_eq!((mailbox.meter.snapshot().depth, mailbox.meter.snapshot().refused), (2, 1));
    }

    #[test]
    fn late_and_abandoned_messages_make_room() {
        let mailbox = mailbox(2);
        let lease = mailbox.advance();
        let now = Instant::now();
        mailbox.push(Envelope { deadline: Some(now), ..told(1) }).unwrap();
        let (reply, answer) = Reply::pair();
        mailbox.push(Envelope { message: Item(2, Some(reply)), asked: Some(answer.asked()), ..told(2) }).unwrap();
        drop(answer);
        mailbox.push(told(3)).unwrap();
        assert_eq!((mailbox.meter.snapshot().depth, mailbox.meter.snapshot().expired), (1, 2));
        assert_eq!(keys(mailbox.take(&lease, 8, now + Duration::from_secs(1))), [3]);
    }

    #[test]
    fn suspects_are_taken_alone_and_convicted_messages_never() {
        let mailbox = mailbox(8);
        let lease = mailbox.advance();
        let item = |key| Identity { kind: "item", key };
        (1..=4).for_each(|key| mailbox.push(told(key)).unwrap());
        assert_eq!(mailbox.record_death(item(2), Instant::now()), (1, false));
        assert_eq!(mailbox.record_death(item(4), Instant::now()), (1, false));
        assert_eq!(mailbox.record_death(item(4), Instant::now()), (2, true));
        assert_eq!(keys(mailbox.take(&lease, 8, Instant::now())), [1]);
        assert_eq!(keys(mailbox.take(&lease, 8, Instant::now())), [2]);
        assert_eq!(keys(mailbox.take(&lease, 8, Instant::now())), [3]);
        assert!(matches!(mailbox.take(&lease, 8, Instant::now()), Taken::Empty));
        assert_eq!(mailbox.push(told(4)), Err(TellError::Quarantined));
        mailbox.acquit(item(4));
        mailbox.push(told(4)).unwrap();
    }

    #[test]
    fn a_retired_incarnation_takes_nothing() {
        let mailbox = mailbox(8);
        let lease = mailbox.advance();
        mailbox.push(told(1)).unwrap();
        let successor = mailbox.advance();
        assert!(mailbox.is_current(&successor) && !mailbox.is_current(&lease));
        assert!(matches!(mailbox.take(&lease, 8, Instant::now()), Taken::Retired));
        assert_eq!(keys(mailbox.take(&successor, 8, Instant::now())), [1]);
    }

    #[tokio::test]
    async fn retired_incarnation_that_still_listens_swallows_no_ring() {
        let mailbox = Arc::new(mailbox(8));
        let retired = mailbox.advance();
        let listening = tokio::spawn(async move { retired.rung().await });
        tokio::task::yield_now().await;
        let successor = mailbox.advance();
        mailbox.push(told(1)).unwrap();
        successor.rung().await;
        assert!(!listening.is_finished());
        listening.abort();
    }

    #[tokio::test]
    async fn closing_answers_waiting_messages() {
        let mailbox = mailbox(8);
        let (reply, answer) = Reply::pair();
        mailbox.push(Envelope { message: Item(1, Some(reply)), asked: Some(answer.asked()), ..told(1) }).unwrap();
        mailbox.close();
        assert_eq!(answer.await, Err(AskError::Stopped));
        assert_eq!(mailbox.push(told(2)), Err(TellError::Stopped));
        assert_eq!(mailbox.meter.snapshot().depth, 0);
    }
}
