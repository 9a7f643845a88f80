//! The figures that the rules are given. They come from the configuration; the rules themselves read no configuration.

use std::time::Duration;

use super::psp::RetryPolicy;

/// See the configuration for the reasons of the defaults.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The largest amount of one payment, in the minor unit.
    pub amount_max: i64,
    /// How many refunds a payment may have.
    pub refunds_max: u32,
    /// How long an authorization can be captured.
    pub capture_window: Duration,
    /// How long an authorization may be under way before the resolver looks at it: more than any PSP call takes.
    pub resolve_after: Duration,
    /// How long after it was taken on an authorization may be sent to the PSP. One that is sent later could arrive when
    /// the resolver has asked twice and found that the PSP does not know it.
    pub send_within: Duration,
    /// The resolver's waits between its questions to the PSP; the last one goes on for ever.
    pub resolver_ladder: [Duration; 5],
    /// For captures, voids and refunds at the PSP.
    pub retry: RetryPolicy,
    /// How long a request that nobody has worked on waits for its event before the retrier takes it.
    pub request_grace: Duration,
    /// How long stored answers are kept.
    pub answers_kept: Duration,
    /// How long a dead letter that can be redriven waits until it is, without being asked to.
    pub redrive_every: Duration,
    /// How often that happens to one letter.
    pub redrives_max: u32,
}

impl Policy {
    /// The wait before the resolver's attempt number `attempts` (from 0).
    pub fn resolver_delay(&self, attempts: u32) -> Duration {
        self.resolver_ladder[(attempts as usize).min(self.resolver_ladder.len() - 1)]
    }
}

impl Default for Policy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            amount_max: 1_000_000_000_000,
            refunds_max: 1_000,
            capture_window: 7 * DAY,
            resolve_after: Duration::from_secs(15),
            send_within: Duration::from_millis(7_500),
            resolver_ladder: [
                Duration::from_secs(5),
                Duration::from_secs(30),
                Duration::from_secs(5 * 60),
                Duration::from_secs(60 * 60),
                DAY,
            ],
            retry: RetryPolicy { tries_max: 10, base: Duration::from_millis(500), cap: Duration::from_secs(60) },
            request_grace: Duration::from_secs(10),
            answers_kept: 7 * DAY,
            redrive_every: Duration::from_secs(60 * 60),
            redrives_max: 24,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_ends_in_days_and_goes_on() {
        let policy = Policy::default();
        assert_eq!(policy.resolver_delay(0), Duration::from_secs(5));
        assert_eq!(policy.resolver_delay(4), policy.resolver_delay(400));
    }
}
