//! The first layer of idempotency: answers that are still in the cache. The database, the second layer, decides.

use std::ops::ControlFlow;

use opentelemetry::trace::SpanKind;

use super::{Answer, App, FlowError};
use crate::actors::idempotency_cache::{CachedAnswer, find, keep};
use crate::domain::TraceContext;
use crate::domain::idempotency::{Claimed, Fingerprint, KeyUse, Scope};
use crate::domain::outcome::Recorded;
use crate::infra::telemetry::traces::Span;

impl App {
    /// Answers a repeated call from the cache. Anything but a hit, a broken cache too, leaves it to the database.
    pub(super) async fn cached(&self, key_use: &KeyUse, trace: TraceContext) -> Option<Result<Answer, FlowError>> {
        let _span = Span::begin(trace, SpanKind::Internal, || "idempotency_cache find");
        let hit = find(&self.cache, key_use.scope).await?;
        Some(if hit.fingerprint == key_use.fingerprint {
            self.idempotency.hit("cache");
            Ok(Answer { recorded: hit.recorded, replayed: true })
        } else {
            self.idempotency.conflict("mismatch");
            Err(FlowError::KeyReused)
        })
    }

    /// Remembers a durable answer. A cache that cannot take it costs the next call a look into the database.
    pub(super) fn remember(&self, scope: Scope, fingerprint: Fingerprint, recorded: &Recorded) {
        keep(&self.cache, scope, &CachedAnswer { fingerprint, recorded: recorded.clone() });
    }

    /// Goes on with what executed now, or ends with what a repeated call is told.
    pub(super) fn fresh<T>(&self, claimed: Claimed<T>) -> ControlFlow<Result<Answer, FlowError>, T> {
        match claimed {
            Claimed::Fresh(value) => ControlFlow::Continue(value),
            Claimed::Replay(recorded) => {
                self.idempotency.hit("shard");
                ControlFlow::Break(Ok(Answer { recorded: *recorded, replayed: true }))
            }
            Claimed::InProgress => {
                self.idempotency.conflict("in_progress");
                ControlFlow::Break(Err(FlowError::KeyInProgress))
            }
            Claimed::KeyReused => {
                self.idempotency.conflict("mismatch");
                ControlFlow::Break(Err(FlowError::KeyReused))
            }
        }
    }
}
