//! End an authorization whose time has passed.

use crate::domain::command::{Command, key_of};
use crate::domain::id::PaymentId;
use crate::domain::payment::Refusal;
use crate::domain::trace::TraceContext;
use crate::domain::unit_of_work::{ReadSet, UnitOfWork};

/// Give up an authorization that nobody has captured in time, and have the PSP release it.
#[derive(Debug, Clone)]
pub struct ExpireAuthorization {
    pub payment_id: PaymentId,
    pub trace: TraceContext,
}

impl Command for ExpireAuthorization {
    type Answer = Result<(), Refusal>;
    const KIND: &'static str = "expire_authorization";
    const TRUSTS_RECENT: bool = true;

    fn key(&self) -> u128 {
        key_of(self.payment_id.get())
    }

    fn trace(&self) -> Option<TraceContext> {
        Some(self.trace)
    }

    fn reads(&self, read_set: &mut ReadSet) {
        read_set.payments.insert(self.payment_id);
    }

    fn decide(&self, unit: &mut UnitOfWork<'_>) -> Result<(), Refusal> {
        let mut payment = unit.payments.get(&self.payment_id).ok_or(Refusal::PaymentNotFound)?.clone();
        payment.expire(unit.now)?;
        unit.release_authorization(&mut payment, &self.trace);
        unit.store_payment(payment);
        Ok(())
    }
}
