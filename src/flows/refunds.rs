//! Look up one refund, or a merchant's refunds. Reads what is committed; changes nothing.

use super::listing::{Bounds, Page, Window};
use super::{App, FlowError};
use crate::domain::refund::{Refund, RefundStatus};
use crate::domain::{Bucket, PaymentId, RefundId};
use crate::infra::database::{RefundFilter, ShardDatabase};

/// Which of a merchant's refunds to list.
#[derive(Debug, Clone)]
pub struct RefundsQuery {
    pub merchant_id: String,
    /// Any of these; all statuses, if none is named.
    pub statuses: Vec<RefundStatus>,
    pub window: Window<RefundId>,
}

impl App {
    /// The refund: one that waits for its capture, too.
    pub async fn refund(&self, id: RefundId) -> Result<Refund, FlowError> {
        let database = &self.shards.of(id.bucket()).database;
        if let Some(refund) = database.refund(id).await? {
            return Ok(refund);
        }
        let payment_id = database.payment_of_waiting(id).await?.ok_or(FlowError::RefundNotFound)?;
        self.waiting_refund(database, id, payment_id).await?.ok_or(FlowError::RefundNotFound)
    }

    /// A refund that waited a moment ago: it stands in its payment's row, or has begun since.
    async fn waiting_refund(
        &self,
        database: &ShardDatabase,
        id: RefundId,
        payment_id: PaymentId,
    ) -> Result<Option<Refund>, FlowError> {
        let payment = self.payment(payment_id).await?;
        match payment.refunds_waiting.iter().find(|waiting| waiting.id == id) {
            Some(waiting) => Ok(Some(waiting.clone().begun(&payment))),
            None => Ok(database.refund(id).await?),
        }
    }

    /// A page of refunds. Those that wait for their capture are requested, and stand among the others.
    pub async fn refunds(&self, query: RefundsQuery) -> Result<Page<Refund, RefundId>, FlowError> {
        let database = &self.shards.of(Bucket::of_merchant(&query.merchant_id)).database;
        let Bounds { above, below, ascending, limit } = query.window.bounds();
        let RefundsQuery { merchant_id, statuses, window } = query;
        let filter = RefundFilter { merchant_id, statuses, above, below, ascending, limit };
        let shows_requested = filter.statuses.is_empty() || filter.statuses.contains(&RefundStatus::Requested);
        // Before the others, so that one which begins meanwhile is among them twice, and not missing.
        let waiting = if shows_requested { database.waiting_refunds(&filter).await? } else { Vec::new() };
        let mut found: Vec<(RefundId, _)> = Vec::new();
        for refund in database.refunds(&filter).await? {
            let id = match &refund {
                Ok(refund) => Some(refund.id),
                Err(damaged) => damaged.id.parse().ok().map(RefundId::from_stored),
            };
            found.extend(id.map(|id| (id, refund)));
        }
        for (id, payment_id) in waiting {
            if found.iter().any(|(known, _)| *known == id) {
                continue;
            }
            let refund = self.waiting_refund(database, id, payment_id).await?;
            let is_listed = |refund: &Refund| filter.statuses.is_empty() || filter.statuses.contains(&refund.status);
            found.extend(refund.filter(is_listed).map(|refund| (id, Ok(refund))));
        }
        found.sort_by_key(|(id, _)| *id);
        if !ascending {
            found.reverse();
        }
        Ok(window.page(found.into_iter().map(|(_, refund)| refund).collect()))
    }
}
