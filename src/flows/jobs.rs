//! The background jobs as operators see them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::actors::job::JobRecord;
use crate::actors::lease_guard::LeaseHolder;
use crate::domain::{ShardId, Timestamp};

/// Who does a job on a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobLease {
    /// There is one process, and no leases.
    Alone,
    /// This process.
    Held,
    /// Another process.
    Elsewhere,
    /// The store of leases does not answer: every process does it.
    Degraded,
    /// It is not known yet.
    Unknown,
}

/// One background job on one shard.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    #[schema(value_type = String, example = "resolve")]
    pub job: &'static str,
    pub shard: u32,
    pub lease: JobLease,
    /// The process that holds the lease, if it is another one.
    pub holder: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_run_at: Option<Timestamp>,
    /// How long the last step took.
    pub took_ms: u64,
    /// Rows, letters or payments that it dealt with.
    pub count: u64,
    pub last_error: Option<JobError>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Timestamp>,
}

/// Why the last step that failed did. It stays until another one fails.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobError {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub message: String,
}

impl From<(&'static str, ShardId, JobRecord)> for JobView {
    fn from((job, shard, record): (&'static str, ShardId, JobRecord)) -> Self {
        let (lease, holder) = match record.holder {
            Some(LeaseHolder::Alone) => (JobLease::Alone, None),
            Some(LeaseHolder::This) => (JobLease::Held, None),
            Some(LeaseHolder::Other(name)) => (JobLease::Elsewhere, Some(name.to_string())),
            Some(LeaseHolder::Everyone) => (JobLease::Degraded, None),
            Some(LeaseHolder::Nobody) | None => (JobLease::Unknown, None),
        };
        Self {
            job,
            shard: shard.0,
            lease,
            holder,
            last_run_at: record.last_run_at,
            took_ms: u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX),
            count: record.count,
            last_error: record.last_error.map(|(at, message)| JobError { at, message }),
            next_run_at: record.next_run_at,
        }
    }
}
