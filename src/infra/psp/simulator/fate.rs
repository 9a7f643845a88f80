//! What becomes of an operation, by the amount or by chance.

use crate::config::SimulatorConfig;
use crate::infra::psp::{Action, Operation};

/// What becomes of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Honest,
    Declined(&'static str),
    /// The connection is refused.
    Refused,
    /// As `Refused` the first [`REFUSALS`] times, then `Honest`.
    RefusedAtFirst,
    /// The request is lost on its way.
    LostBefore,
    /// The answer is lost.
    LostAfter,
    /// The answer makes no sense.
    Garbage,
    /// Approved for one minor unit less than asked.
    OtherAmount,
    /// Answered after [`SLOW_MS`].
    Slow,
}

/// How often [`Fate::RefusedAtFirst`] refuses.
pub(super) const REFUSALS: u32 = 3;
/// How long [`Fate::Slow`] takes, in milliseconds.
pub(super) const SLOW_MS: u64 = 3_000;

impl SimulatorConfig {
    /// The operation's fate, where `drawn` is a number below 1000.
    pub(super) fn fate(&self, operation: &Operation, drawn: u64) -> Fate {
        if let Some(fate) = self.magic_amounts.then(|| magic(operation)).flatten() {
            return fate;
        }
        let authorizes = operation.action == Action::Authorize;
        let mut above = drawn;
        for (permille, fate) in [
            (self.failure_permille, Fate::Refused),
            (self.timeout_permille, Fate::LostAfter),
            (self.garbage_permille, Fate::Garbage),
            (if authorizes { self.decline_permille } else { 0 }, Fate::Declined("card_declined")),
        ] {
            match above.checked_sub(u64::from(permille)) {
                Some(rest) => above = rest,
                None => return fate,
            }
        }
        Fate::Honest
    }
}

fn magic(operation: &Operation) -> Option<Fate> {
    match (&operation.action, operation.money.minor) {
        (Action::Authorize, 4002) => Some(Fate::Declined("insufficient_funds")),
        (Action::Authorize, 4003) => Some(Fate::LostAfter),
        (Action::Authorize, 4004) => Some(Fate::LostBefore),
        (Action::Authorize, 4005) => Some(Fate::Refused),
        (Action::Authorize, 4006) => Some(Fate::OtherAmount),
        (Action::Authorize, 4007) => Some(Fate::Garbage),
        (Action::Authorize, 4008) => Some(Fate::Slow),
        (Action::Capture { .. } | Action::Refund { .. }, 5001) => Some(Fate::RefusedAtFirst),
        (Action::Capture { .. } | Action::Refund { .. }, 5002) => Some(Fate::Refused),
        (Action::Capture { .. } | Action::Refund { .. }, 5003) => Some(Fate::Declined("refused_by_issuer")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RatesExceedWhole;
    use crate::domain::psp::PspKey;
    use crate::domain::{Currency, Money, PaymentId};

    fn operation(action: Action, minor: i64) -> Operation {
        let payment_id = PaymentId::from_stored(1);
        Operation {
            key: PspKey::authorize(payment_id),
            payment_id,
            merchant_id: "MERCHANT-1".into(),
            money: Money::new(minor, Currency::parse("KRW").unwrap()),
            action,
        }
    }

    #[test]
    fn rates_are_bands_of_a_thousand() {
        let config = SimulatorConfig {
            failure_permille: 10,
            timeout_permille: 20,
            garbage_permille: 30,
            decline_permille: 40,
            ..Default::default()
        };
        let count = |action: Action, fate| {
            let operation = operation(action, 4003);
            (0..1_000).filter(|drawn| config.fate(&operation, *drawn) == fate).count()
        };
        let capture = Action::Capture { authorization: "a".into() };
        for (fate, authorizing, capturing) in [
            (Fate::Refused, 10, 10),
            (Fate::LostAfter, 20, 20),
            (Fate::Garbage, 30, 30),
            (Fate::Declined("card_declined"), 40, 0),
            (Fate::Honest, 900, 940),
        ] {
            assert_eq!(count(Action::Authorize, fate), authorizing, "{fate:?}");
            assert_eq!(count(capture.clone(), fate), capturing, "{fate:?}");
        }
    }

    #[test]
    fn magic_amounts_count_only_for_their_action_and_when_on() {
        let on = SimulatorConfig { magic_amounts: true, failure_permille: 1_000, ..Default::default() };
        assert_eq!(on.fate(&operation(Action::Authorize, 4004), 0), Fate::LostBefore);
        assert_eq!(on.fate(&operation(Action::Authorize, 5001), 0), Fate::Refused);
        let refund = Action::Refund { authorization: "a".into() };
        assert_eq!(on.fate(&operation(refund.clone(), 5001), 0), Fate::RefusedAtFirst);
        assert_eq!(SimulatorConfig::default().fate(&operation(refund, 5001), 0), Fate::Honest);
    }

    #[test]
    fn settings_are_checked() {
        assert_eq!(serde_json::from_str::<SimulatorConfig>("{}").unwrap(), SimulatorConfig::default());
        assert!(serde_json::from_str::<SimulatorConfig>(r#"{"latency": 3}"#).is_err());
        let config: SimulatorConfig =
            serde_json::from_str(r#"{"decline_permille": 600, "timeout_permille": 500}"#).unwrap();
        assert_eq!(config.check(), Err(RatesExceedWhole { sum: 1_100 }));
        assert_eq!(SimulatorConfig::default().check(), Ok(()));
    }
}
