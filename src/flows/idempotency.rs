//! The first layer of idempotency: answers that are still in the cache. The database, the second layer, decides.

use std::ops::ControlFlow;

use opentelemetry::trace::SpanKind;

use super::{Answer, App, FlowError};
use crate::actors::idempotency_cache::{CachedAnswer, find, keep};
use crate::actors::row_reader;
use crate::domain::idempotency::{Claimed, Fingerprint, KeyUse, Scope};
use crate::domain::outcome::Recorded;
use crate::domain::{Bucket, TraceContext};
use crate::infra::telemetry::traces::Span;

impl App {
    /// Answers a repeated call from the cache. Anything but a hit, a broken cache too, leaves it to the database.
    pub(super) async fn cached(&self, key_use: &KeyUse, trace: TraceContext) -> Option<Result<Answer, FlowError>> {
        let _span = Span::begin(trace, SpanKind::Internal, || "idempotency_cache find");
        let hit = find(&self.cache, key_use.scope).await?;
        if hit.recorded.kept_until.is_none_or(|until| until <= self.now()) {
            return None;
        }
        Some(if hit.fingerprint == key_use.fingerprint {
            self.idempotency.hit("cache");
            Ok(Answer { recorded: hit.recorded, replayed: true })
        } else {
            self.idempotency.conflict("mismatch");
            Err(FlowError::KeyReused)
        })
    }

    /// Remembers an answer that is durable under its key, as long as it is. A cache that cannot take it costs the next call
    /// a look into the database.
    pub(super) fn remember(&self, scope: Scope, fingerprint: Fingerprint, recorded: &Recorded) {
        if recorded.kept_until.is_some() {
            keep(&self.cache, scope, &CachedAnswer { fingerprint, recorded: recorded.clone() });
        }
    }

    /// What a call that is about to be refused for another reason gets: what its key's first call got, or else `refused`.
    /// The database is asked, because only it knows; while it does not answer nobody may say that nothing was done.
    pub(super) async fn recorded_or(
        &self,
        key_use: Option<&KeyUse>,
        bucket: Bucket,
        trace: TraceContext,
        refused: FlowError,
    ) -> Result<Answer, FlowError> {
        let Some(key_use) = key_use else { return Err(refused) };
        let _span = Span::begin(trace, SpanKind::Internal, || "claim_reader find");
        let reader = &self.claim_readers[self.shards.index_of(bucket)];
        let claim = row_reader::find(reader, key_use.scope).await?.filter(|claim| claim.holds(self.now()));
        let Some(claim) = claim else { return Err(refused) };
        match self.fresh(claim.again(key_use)) {
            ControlFlow::Break(answer) => answer.inspect(|answer| {
                self.remember(key_use.scope, key_use.fingerprint, &answer.recorded);
            }),
            // A claim is there, so nothing of the call is fresh.
            ControlFlow::Continue(()) => Err(refused),
        }
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
