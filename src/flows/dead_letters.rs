//! Dead letters for those who operate the node: look, redrive, put away.

use futures_util::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Call, FlowError, Operations};
use crate::domain::command::Command;
use crate::domain::commands::{Discard, Redrive};
use crate::domain::dead_letter::{Disposal, LetterStatus, StoredDeadLetter};
use crate::domain::{LetterId, Timestamp};
use crate::infra::database::LetterFilter;

/// Letters that one call redrives or discards at most; what is more says so and is asked for again.
const SELECTED_MAX: usize = 1_000;

/// A dead letter as it is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterView {
    #[schema(value_type = String)]
    pub id: LetterId,
    pub topic: &'static str,
    pub source_topic: String,
    pub source_partition: Option<u32>,
    pub source_offset: Option<i64>,
    pub event_key: String,
    pub payload: String,
    pub error_type: String,
    pub error_message: String,
    pub retry_count: u32,
    #[schema(value_type = String, format = DateTime)]
    pub first_failed_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_failed_at: Timestamp,
    pub trace_id: Option<String>,
    pub status: LetterStatus,
    /// `event`, `request` or `foreign`.
    pub matter: &'static str,
    /// How often it was redriven.
    pub redrives: u32,
    /// When it is delivered again, on the schedule or because it was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub redrive_at: Option<Timestamp>,
    /// Why it was discarded.
    pub note: Option<String>,
}

/// Some of the dead letters, the highest ids first.
#[derive(Debug)]
pub struct LetterPage {
    pub letters: Vec<DeadLetterView>,
    pub has_more: bool,
}

/// Which letters a call is about.
#[derive(Debug, Clone)]
pub enum Selection {
    These(Vec<LetterId>),
    /// Open ones only, whatever status the filter says.
    Matching(LetterFilter),
}

/// What became of one letter, or would.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisposalView {
    #[schema(value_type = String)]
    pub id: LetterId,
    pub outcome: Disposal,
}

/// What became of the selected letters, or would.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disposals {
    /// Whether nothing was done.
    pub dry_run: bool,
    pub data: Vec<DisposalView>,
    /// Whether more letters match than one call takes.
    pub has_more: bool,
}

impl Operations {
    /// Dead letters of all shards.
    pub async fn dead_letters(&self, filter: &LetterFilter, limit: usize) -> Result<LetterPage, FlowError> {
        let (found, has_more) = self.matching(filter, limit).await?;
        Ok(LetterPage { letters: found.into_iter().map(DeadLetterView::from).collect(), has_more })
    }

    pub async fn dead_letter(&self, id: LetterId) -> Result<Option<DeadLetterView>, FlowError> {
        Ok(self.shards.of(id.bucket()).database.dead_letter(id).await?.map(DeadLetterView::from))
    }

    /// Tries again what the selected letters are about; as a `dry_run` only says what that would be.
    pub async fn redrive(
        &self,
        selection: Selection,
        dry_run: bool,
        operator: &str,
        call: &Call,
    ) -> Result<Disposals, FlowError> {
        let operator = Some(call.by(operator));
        let redrive =
            |letter_id| Redrive { letter_id, is_trial: dry_run, operator: operator.clone(), trace: call.trace };
        self.dispose(selection, dry_run, redrive).await
    }

    /// Puts the selected letters away; as a `dry_run` only says which.
    pub async fn discard(
        &self,
        selection: Selection,
        reason: &str,
        dry_run: bool,
        operator: &str,
        call: &Call,
    ) -> Result<Disposals, FlowError> {
        let operator = call.by(operator);
        let discard = |letter_id| {
            let (reason, operator) = (reason.to_owned(), operator.clone());
            Discard { letter_id, reason, is_trial: dry_run, operator, trace: call.trace }
        };
        self.dispose(selection, dry_run, discard).await
    }

    /// Has the letters' shards decide on each of them. What one letter fails on hides nothing of the others: it is an
    /// error only if all of them failed.
    async fn dispose<C: Command<Answer = Option<Disposal>>>(
        &self,
        selection: Selection,
        dry_run: bool,
        command: impl Fn(LetterId) -> C,
    ) -> Result<Disposals, FlowError> {
        let (ids, has_more) = self.selected(selection).await?;
        let decisions = ids.iter().map(|id| self.shards.of(id.bucket()).write(command(*id)));
        let decided = join_all(decisions).await;
        if let Some(Err(error)) = decided.first()
            && decided.iter().all(Result::is_err)
        {
            return Err((*error).into());
        }
        let outcomes = decided.into_iter().map(|outcome| match outcome {
            Ok(outcome) => outcome.unwrap_or(Disposal::NotFound),
            Err(_) => Disposal::Failed,
        });
        let data = ids.iter().zip(outcomes).map(|(id, outcome)| DisposalView { id: *id, outcome }).collect();
        Ok(Disposals { dry_run, data, has_more })
    }

    async fn selected(&self, selection: Selection) -> Result<(Vec<LetterId>, bool), FlowError> {
        match selection {
            Selection::These(ids) => Ok((ids, false)),
            Selection::Matching(filter) => {
                let open = LetterFilter { status: Some(LetterStatus::Open), ..filter };
                let (found, has_more) = self.matching(&open, SELECTED_MAX).await?;
                Ok((found.into_iter().map(|kept| kept.letter.id).collect(), has_more))
            }
        }
    }

    async fn matching(&self, filter: &LetterFilter, limit: usize) -> Result<(Vec<StoredDeadLetter>, bool), FlowError> {
        let mut letters = Vec::new();
        for shard in self.shards.all() {
            letters.extend(shard.database.dead_letters(filter, limit as u64 + 1).await?);
        }
        letters.sort_by_key(|kept| std::cmp::Reverse(kept.letter.id));
        let has_more = letters.len() > limit;
        letters.truncate(limit);
        Ok((letters, has_more))
    }
}

impl From<StoredDeadLetter> for DeadLetterView {
    fn from(kept: StoredDeadLetter) -> Self {
        let letter = kept.letter;
        Self {
            id: letter.id,
            topic: letter.topic.name(),
            source_topic: letter.source.topic,
            source_partition: letter.source.partition,
            source_offset: letter.source.offset,
            event_key: letter.source.key,
            payload: letter.payload,
            error_type: letter.error_type,
            error_message: letter.error_message,
            retry_count: letter.retry_count,
            first_failed_at: letter.first_failed_at,
            last_failed_at: letter.last_failed_at,
            trace_id: letter.trace_id,
            status: kept.status,
            matter: kept.matter.name(),
            redrives: kept.redrives,
            redrive_at: kept.due_at,
            note: kept.note,
        }
    }
}
