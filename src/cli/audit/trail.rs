//! What must hold of the trail: each action of an operator is in the control store, or waits in the shard where it was
//! done, and is the same in both.

use super::error::AuditError;
use super::report::Invariant::TrailWhole;
use super::report::{Finding, Report};
use super::sources::Trail;
use crate::domain::ActionId;
use crate::infra::control::ControlReader;
use crate::infra::database::ShardDatabase;

/// Actions that are read at once.
const PAGE: u64 = 500;

/// Counts the actions, and holds those that wait against those that are kept. The shards are read first: what is moved
/// meanwhile is seen twice instead of not at all. Of a store that is away, or goes away meanwhile, the report says that
/// the trail was not checked.
pub async fn judge(databases: &[ShardDatabase], trail: &Trail, report: &mut Report) -> Result<(), AuditError> {
    let control = match trail {
        // The shards have the trail, and nothing waits.
        Trail::InShards => return Ok(()),
        Trail::Away(why) => {
            report.leave_unchecked(TrailWhole, why);
            return Ok(());
        }
        Trail::Kept(control) => control,
    };
    match judge_kept(databases, control, report).await {
        Err(AuditError::Control(error)) if !error.is_final() => report.leave_unchecked(TrailWhole, &error.to_string()),
        judged => judged?,
    }
    Ok(())
}

async fn judge_kept(
    databases: &[ShardDatabase],
    control: &ControlReader,
    report: &mut Report,
) -> Result<(), AuditError> {
    for database in databases {
        judge_waiting(database, control, report).await?;
    }
    let mut after = i64::MIN;
    loop {
        let kept = control.actions_after(after, PAGE).await?;
        let Some(last) = kept.last() else { return Ok(()) };
        after = last.id;
        report.count_actions(kept.len() as u64);
    }
}

async fn judge_waiting(
    database: &ShardDatabase,
    control: &ControlReader,
    report: &mut Report,
) -> Result<(), AuditError> {
    let (shard, mut after) = (database.id, i64::MIN);
    loop {
        let waiting = database.waiting_actions(after, PAGE).await;
        let waiting = waiting.map_err(|error| AuditError::Shard { shard, error })?;
        let Some(last) = waiting.last() else { return Ok(()) };
        after = last.id;
        for action in &waiting {
            let text = format!("shard {shard}: {}", ActionId::from_stored(action.id));
            let kept = control.action(action.id).await?;
            report.note(match kept {
                Some(kept) if kept != *action => {
                    Finding::broken(TrailWhole, format!("{text} is another action in the control store"))
                }
                _ => Finding::in_flight(TrailWhole, format!("{text} waits to be moved to the control store")),
            });
        }
    }
}
