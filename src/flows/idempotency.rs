//! The first layer of idempotency: answers that are still in the cache. The database, the second layer, decides.

use std::ops::ControlFlow;

use opentelemetry::trace::SpanKind;

use super::{App, FlowError, Response};
use crate::actors::idempotency_cache::{CachedAnswer, find, keep};
use crate::actors::row_reader;
use crate::domain::idempotency::KeyOutcome;
use crate::domain::key::{Fingerprint, KeyHash, KeyedRequest};
use crate::domain::outcome::StoredResponse;
use crate::domain::{Bucket, TraceContext};
use crate::infra::telemetry::traces::Span;

impl App {
    /// Answers a repeated call from the cache. Anything but a hit, a broken cache too, leaves it to the database.
    pub(super) async fn cached(
        &self,
        keyed_request: &KeyedRequest,
        trace: TraceContext,
    ) -> Option<Result<Response, FlowError>> {
        let _span = Span::begin(trace, SpanKind::Internal, || "idempotency_cache find");
        let hit = find(&self.cache, keyed_request.key_hash).await?;
        if hit.recorded.kept_until.is_none_or(|until| until <= self.now()) {
            return None;
        }
        Some(if hit.fingerprint == keyed_request.fingerprint {
            self.idempotency.hit("cache");
            Ok(Response { recorded: hit.recorded, replayed: true })
        } else {
            self.idempotency.conflict("mismatch");
            Err(FlowError::KeyReused)
        })
    }

    /// Remembers an answer that is durable under its key, as long as it is. A cache that cannot take it costs the next
    /// call a look into the database.
    pub(super) fn remember(&self, key_hash: KeyHash, fingerprint: Fingerprint, recorded: &StoredResponse) {
        if recorded.kept_until.is_some() {
            keep(&self.cache, key_hash, &CachedAnswer { fingerprint, recorded: recorded.clone() });
        }
    }

    /// What a call that is about to be refused for another reason gets: what its key's first call got, or else
    /// `refused`. The database is asked, because only it knows; while it does not answer nobody may say that nothing
    /// was done.
    pub(super) async fn recorded_or(
        &self,
        keyed_request: Option<&KeyedRequest>,
        bucket: Bucket,
        trace: TraceContext,
        refused: FlowError,
    ) -> Result<Response, FlowError> {
        let Some(keyed_request) = keyed_request else { return Err(refused) };
        let _span = Span::begin(trace, SpanKind::Internal, || "claim_reader find");
        let reader = &self.claim_readers[self.shards.index_of(bucket)];
        let record = row_reader::find(reader, keyed_request.key_hash).await?.filter(|record| record.holds(self.now()));
        let Some(record) = record else { return Err(refused) };
        match self.fresh(record.again(keyed_request)) {
            ControlFlow::Break(answer) => answer.inspect(|answer| {
                self.remember(keyed_request.key_hash, keyed_request.fingerprint, &answer.recorded);
            }),
            // A record is there, so nothing of the call is fresh.
            ControlFlow::Continue(()) => Err(refused),
        }
    }

    /// Goes on with what executed now, or ends with what a repeated call is told.
    pub(super) fn fresh<T>(&self, outcome: KeyOutcome<T>) -> ControlFlow<Result<Response, FlowError>, T> {
        match outcome {
            KeyOutcome::Fresh(value) => ControlFlow::Continue(value),
            KeyOutcome::Replay(recorded) => {
                self.idempotency.hit("shard");
                ControlFlow::Break(Ok(Response { recorded: *recorded, replayed: true }))
            }
            KeyOutcome::InProgress => {
                self.idempotency.conflict("in_progress");
                ControlFlow::Break(Err(FlowError::KeyInProgress))
            }
            KeyOutcome::KeyReused => {
                self.idempotency.conflict("mismatch");
                ControlFlow::Break(Err(FlowError::KeyReused))
            }
        }
    }
}
