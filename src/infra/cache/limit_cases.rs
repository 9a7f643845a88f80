//! What is expected of every [`LimitStore`].

use std::num::NonZeroU32;
use std::time::Duration;

use super::LimitedAction::{Authorize, Capture, Refund};
use super::{LimitStore, LimitedAction, Take, Taken};

pub fn want(merchant: &str, action: LimitedAction, per_minute: u32) -> Take {
    Take { merchant: merchant.into(), action, per_minute: NonZeroU32::new(per_minute).unwrap() }
}

/// `pass` lets time pass for the store; `slack` is how much more than that may have passed by the end.
pub async fn a_bucket_empties_and_fills(store: &dyn LimitStore, pass: impl AsyncFn(Duration), slack: Duration) {
    let secs = Duration::from_secs;
    // 3 a minute: one more every 20 s. (wait before the wish, allowed, remaining, reset)
    for (i, (wait, allowed, remaining, reset)) in [
        (0, true, 2, 20),
        (0, true, 1, 40),
        (0, true, 0, 60),
        (0, false, 0, 20),
        (5, false, 0, 15),
        (15, true, 0, 60),
        (40, true, 1, 40),
        (600, true, 2, 20),
    ]
    .into_iter()
    .enumerate()
    {
        pass(secs(wait)).await;
        let taken = store.take_many(&[want("MERCHANT-1", Refund, 3)]).await.unwrap();
        // Until it is full is told in whole tokens, until one more is allowed to the microsecond.
        let slack = if allowed { Duration::ZERO } else { slack };
        assert!((secs(reset) - slack..=secs(reset)).contains(&taken[0].reset), "step {i}: {taken:?}");
        assert_eq!(taken, [Taken { allowed, limit: 3, remaining, reset: taken[0].reset }], "step {i}");
    }
}

pub async fn merchants_and_actions_have_separate_buckets(store: &dyn LimitStore) {
    let wants = [
        want("MERCHANT-1", Authorize, 1),
        want("MERCHANT-1", Authorize, 1),
        want("MERCHANT-2", Authorize, 1),
        want("MERCHANT-1", Capture, 1),
        want("MERCHANT-1", Refund, 2),
        want("MERCHANT-1", Refund, 2),
    ];
    let taken = store.take_many(&wants).await.unwrap();
    let allowed: Vec<_> = taken.iter().map(|taken| taken.allowed).collect();
    assert_eq!(allowed, [true, false, true, true, true, true]);
}

pub async fn returned_token_can_be_taken_again(store: &dyn LimitStore) {
    let wants = [want("MERCHANT-1", Authorize, 2), want("MERCHANT-1", Authorize, 2), want("MERCHANT-1", Authorize, 2)];
    let allowed = async |wants: &[Take]| -> Vec<bool> {
        store.take_many(wants).await.unwrap().iter().map(|taken| taken.allowed).collect()
    };
    assert_eq!(allowed(&wants).await, [true, true, false]);
    store.give_back_many(&wants[..1]).await.unwrap();
    assert_eq!(allowed(&wants[..2]).await, [true, false]);
    // No bucket grows above its size, nor is one made.
    store.give_back_many(&wants).await.unwrap();
    store.give_back_many(&[want("MERCHANT-2", Authorize, 2)]).await.unwrap();
    assert_eq!(allowed(&wants).await, [true, true, false]);
}

pub async fn default_limits_are_exact(store: &dyn LimitStore) {
    for (action, per_minute) in [(Authorize, 48_000), (Capture, 48_000), (Refund, 30_000)] {
        let wants = vec![want("MERCHANT-1", action, per_minute); per_minute as usize + 1];
        let taken = store.take_many(&wants).await.unwrap();
        assert_eq!(taken.iter().filter(|taken| taken.allowed).count(), per_minute as usize);
        assert_eq!(taken[0].remaining, per_minute - 1);
        assert_eq!(taken.last().unwrap().reset, Duration::from_secs(60) / per_minute);
    }
}
