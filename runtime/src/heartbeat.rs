//! What can be seen of one incarnation from outside its thread: whether it makes progress, what it has in hand, and the
//! cause of its death.

use std::cell::RefCell;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};

use parking_lot::Mutex;

use super::Message;
use super::mailbox::Envelope;
use super::reply::Asked;

/// The vital signs of one incarnation.
#[derive(Default)]
pub(super) struct Heartbeat {
    beats: AtomicU64,
    is_busy: AtomicBool,
    hand: Mutex<Vec<InHand>>,
    panicked_at: Mutex<Option<String>>,
}

/// What is known of a message that an actor has in hand.
pub(super) struct InHand {
    pub(super) kind: &'static str,
    pub(super) key: Option<u128>,
    pub(super) trace_id: Option<u128>,
    pub(super) asked: Option<Arc<dyn Asked>>,
}

impl Heartbeat {
    /// A turn begins.
    pub(super) fn begin(&self) {
        self.beat();
        self.is_busy.store(true, Ordering::Release);
    }

    /// The turn has ended well.
    pub(super) fn end(&self) {
        self.hand.lock().clear();
        self.is_busy.store(false, Ordering::Release);
        self.beat();
    }

    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Acquire)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    pub(super) fn take_in_hand<M: Message>(&self, batch: Vec<Envelope<M>>) -> Vec<M> {
        let mut hand = self.hand.lock();
        let take = |envelope: Envelope<M>| {
            let message = envelope.message;
            let (kind, key, trace_id) = (message.kind(), message.key(), message.trace_id());
            hand.push(InHand { kind, key, trace_id, asked: envelope.asked });
            message
        };
        batch.into_iter().map(take).collect()
    }

    /// The messages in hand at the death; they are given out once.
    pub(super) fn let_go(&self) -> Vec<InHand> {
        std::mem::take(&mut *self.hand.lock())
    }

    /// `file:line` of the panic that ended this incarnation.
    pub(super) fn panicked_at(&self) -> Option<String> {
        self.panicked_at.lock().take()
    }
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers the place of each thread's last panic, then calls the previous hook. Installed once in a process.
pub(super) fn note_panic_sites() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let site = info.location().map(|at| format!("{}:{}", at.file(), at.line()));
            LAST_PANIC.set(site);
            before(info);
        }));
    });
}

/// Lives in the actor's future. When a panic unwinds through the future, it stores the place of the panic, which only
/// the panicking thread knows.
pub(super) struct Witness(pub(super) Arc<Heartbeat>);

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.panicked_at.lock() = LAST_PANIC.take();
        }
    }
}
