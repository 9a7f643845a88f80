//! Answers that clients have not taken yet. Each connection has one; large ones are counted together, so that many who
//! ask for much and do not read it fill no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Answers up to so many bytes are not counted: connections have a limit of their own.
const SMALL: u64 = 64 * 1024;
/// Bytes of all large answers together.
const MOST: u64 = 256 * 1024 * 1024;

/// Clones count together.
#[derive(Clone, Default)]
pub struct Unread(Arc<AtomicU64>);

/// Counts until it is dropped.
pub struct Held {
    unread: Unread,
    bytes: u64,
}

impl Unread {
    /// Room for an answer of so many bytes; none if there is no more.
    pub fn hold(&self, bytes: u64) -> Option<Held> {
        let bytes = if bytes > SMALL { bytes } else { 0 };
        let more = |held: u64| held.checked_add(bytes).filter(|held| *held <= MOST);
        // Only the sum matters, and no other memory depends on it.
        let counted = bytes == 0 || self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        counted.then(|| Held { unread: self.clone(), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.unread.0.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_have_room_together_and_small_ones_always() {
        let unread = Unread::default();
        let mut held: Vec<_> = (0..4).map(|_| unread.hold(MOST / 4).unwrap()).collect();
        assert!(unread.hold(SMALL + 1).is_none() && unread.hold(u64::MAX).is_none());
        assert!(unread.hold(SMALL).is_some() && unread.hold(0).is_some());
        held.pop();
        held.push(unread.hold(MOST / 4).unwrap());
        assert!(unread.hold(SMALL + 1).is_none());
        held.clear();
        assert_eq!(unread.0.load(Ordering::Relaxed), 0);
    }
}
