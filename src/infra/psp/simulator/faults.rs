//! The outcome of an operation, forced by its amount or drawn by chance.

use crate::config::SimulatorConfig;
use crate::infra::psp::{Action, PspOperation};

/// The outcome of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultDecision {
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
    /// The answer is invalid.
    Garbage,
    /// Approved for one minor unit less than asked.
    OtherAmount,
    /// Answered after [`SLOW_MS`].
    Slow,
}

/// How often [`FaultDecision::RefusedAtFirst`] refuses.
pub(super) const REFUSALS: u32 = 3;
/// How long [`FaultDecision::Slow`] takes, in milliseconds.
pub(super) const SLOW_MS: u64 = 3_000;

impl SimulatorConfig {
    /// The operation's faults, where `drawn` is a number below 1000.
    pub(super) fn faults(&self, operation: &PspOperation, drawn: u64) -> FaultDecision {
        if let Some(faults) = self.magic_amounts.then(|| magic(operation)).flatten() {
            return faults;
        }
        let authorizes = operation.action == Action::Authorize;
        let mut above = drawn;
        for (permille, faults) in [
            (self.failure_permille, FaultDecision::Refused),
            (self.timeout_permille, FaultDecision::LostAfter),
            (self.garbage_permille, FaultDecision::Garbage),
            (if authorizes { self.decline_permille } else { 0 }, FaultDecision::Declined("card_declined")),
        ] {
            match above.checked_sub(u64::from(permille)) {
                Some(rest) => above = rest,
                None => return faults,
            }
        }
        FaultDecision::Honest
    }
}

/// An amount that forces an outcome, for those who try things out.
#[derive(Debug, Clone, Copy)]
pub struct MagicAmount {
    /// In any currency's minor unit.
    pub amount: i64,
    /// Of which operations.
    pub of: MagicOf,
    decision: FaultDecision,
    /// What the simulator does.
    pub outcome: &'static str,
    /// What Rialto's caller sees of it.
    pub seen: &'static str,
}

/// The operations of which an amount is magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MagicOf {
    Authorize,
    CaptureAndRefund,
}

impl MagicOf {
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::CaptureAndRefund => "capture, refund",
        }
    }
}

const fn magic_amount(
    amount: i64,
    of: MagicOf,
    decision: FaultDecision,
    [outcome, seen]: [&'static str; 2],
) -> MagicAmount {
    MagicAmount { amount, of, decision, outcome, seen }
}

/// All magic amounts. `docs/failures.md` shows them; a test compares it with this table.
pub const MAGIC_AMOUNTS: [MagicAmount; 10] = {
    use FaultDecision::{Declined, Garbage, LostAfter, LostBefore, OtherAmount, Refused, RefusedAtFirst, Slow};
    use MagicOf::{Authorize, CaptureAndRefund};
    [
        magic_amount(
            4002,
            Authorize,
            Declined("insufficient_funds"),
            ["declines, `insufficient_funds`", "402; `DECLINED`, failure `insufficient_funds`"],
        ),
        magic_amount(
            4003,
            Authorize,
            LostAfter,
            ["does it, and the answer is lost (`timeout_ms`)", "202 `UNKNOWN`; the look-up finds it: `AUTHORIZED`"],
        ),
        magic_amount(
            4004,
            Authorize,
            LostBefore,
            [
                "never hears of it (`timeout_ms`)",
                "202 `UNKNOWN`; two look-ups do not find it: `FAILED`, failure `not_sent`",
            ],
        ),
        magic_amount(
            4005,
            Authorize,
            Refused,
            ["refuses the connection", "503 `psp_not_reached`; there is no payment, and the key stays free"],
        ),
        magic_amount(
            4006,
            Authorize,
            OtherAmount,
            ["approves 4005", "202 `UNKNOWN`, failure `amount_mismatch`; held until a person acts"],
        ),
        magic_amount(
            4007,
            Authorize,
            Garbage,
            ["does it, and the answer makes no sense", "202 `UNKNOWN`; the look-up finds it: `AUTHORIZED`"],
        ),
        magic_amount(4008, Authorize, Slow, ["approves after 3 s", "200 after 3 s; `AUTHORIZED`"]),
        magic_amount(
            5001,
            CaptureAndRefund,
            RefusedAtFirst,
            ["refuses the connection three times, then approves", "200; `CAPTURED` or `REFUNDED` after three retries"],
        ),
        magic_amount(
            5002,
            CaptureAndRefund,
            Refused,
            ["refuses the connection, always", "200; failed after ten tries, failure `psp_unavailable`"],
        ),
        magic_amount(
            5003,
            CaptureAndRefund,
            Declined("refused_by_issuer"),
            ["declines, `refused_by_issuer`", "200; failed, failure `card_declined`"],
        ),
    ]
};

fn magic(operation: &PspOperation) -> Option<FaultDecision> {
    let of = match operation.action {
        Action::Authorize => MagicOf::Authorize,
        Action::Capture { .. } | Action::Refund { .. } => MagicOf::CaptureAndRefund,
        Action::Void { .. } => return None,
    };
    let is_its = |magic: &&MagicAmount| magic.of == of && magic.amount == operation.money.minor;
    MAGIC_AMOUNTS.iter().find(is_its).map(|magic| magic.decision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RatesExceedWhole;
    use crate::domain::psp::PspKey;
    use crate::domain::{Currency, Money, PaymentId};

    fn operation(action: Action, minor: i64) -> PspOperation {
        let payment_id = PaymentId::from_stored(1);
        PspOperation {
            key: PspKey::authorize(payment_id),
            payment_id,
            merchant_id: "MERCHANT-1".into(),
            money: Money::new(minor, Currency::parse("KRW").unwrap()),
            action,
        }
    }

    #[test]
    fn fault_rates_divide_a_thousand_draws() {
        let config = SimulatorConfig {
            failure_permille: 10,
            timeout_permille: 20,
            garbage_permille: 30,
            decline_permille: 40,
            ..Default::default()
        };
        let count = |action: Action, faults| {
            let operation = operation(action, 4003);
            (0..1_000).filter(|drawn| config.faults(&operation, *drawn) == faults).count()
        };
        let capture = Action::Capture { authorization: "a".into() };
        for (faults, authorizing, capturing) in [
            (FaultDecision::Refused, 10, 10),
            (FaultDecision::LostAfter, 20, 20),
            (FaultDecision::Garbage, 30, 30),
            (FaultDecision::Declined("card_declined"), 40, 0),
            (FaultDecision::Honest, 900, 940),
        ] {
            assert_eq!(count(Action::Authorize, faults), authorizing, "{faults:?}");
            assert_eq!(count(capture.clone(), faults), capturing, "{faults:?}");
        }
    }

    #[test]
    fn magic_amounts_apply_only_to_their_action_and_when_enabled() {
        let on = SimulatorConfig { magic_amounts: true, failure_permille: 1_000, ..Default::default() };
        assert_eq!(on.faults(&operation(Action::Authorize, 4004), 0), FaultDecision::LostBefore);
        assert_eq!(on.faults(&operation(Action::Authorize, 5001), 0), FaultDecision::Refused);
        let refund = Action::Refund { authorization: "a".into() };
        assert_eq!(on.faults(&operation(refund.clone(), 5001), 0), FaultDecision::RefusedAtFirst);
        assert_eq!(SimulatorConfig::default().faults(&operation(refund, 5001), 0), FaultDecision::Honest);
    }

    #[test]
    fn simulator_settings_are_checked() {
        assert_eq!(serde_json::from_str::<SimulatorConfig>("{}").unwrap(), SimulatorConfig::default());
        assert!(serde_json::from_str::<SimulatorConfig>(r#"{"latency": 3}"#).is_err());
        let config: SimulatorConfig =
            serde_json::from_str(r#"{"decline_permille": 600, "timeout_permille": 500}"#).unwrap();
        assert_eq!(config.check(), Err(RatesExceedWhole { sum: 1_100 }));
        assert_eq!(SimulatorConfig::default().check(), Ok(()));
    }
}
