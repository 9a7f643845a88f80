//! Connections that answer in time. A server that is down says so at once; a network that is gone says nothing, for as
//! long as TCP hopes.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

use super::error::DatabaseError;
use crate::infra::data_guard::{DataGuard, Lost};

/// How long a batch, its COMMIT, or a query may take. A network that is gone answers nothing at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// Gives up on what takes too long.
pub async fn in_time<T>(asked: impl Future<Output = T>) -> Result<T, DatabaseError> {
    tokio::time::timeout(ANSWER_TIMEOUT, asked).await.map_err(|_| DatabaseError::Unavailable(no_answer()))
}

fn no_answer() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("no answer within {ANSWER_TIMEOUT:?}")))
}

/// What is read from a file that is gone, or written there, is nowhere when the process ends.
pub fn lost(lost: Lost) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(lost.to_string()))
}

/// Connections on which every statement is bounded, to a file that is still under its path.
#[derive(Debug, Clone)]
pub struct Bounded(pub DatabaseConnection, pub DataGuard);

impl Bounded {
    async fn run<T>(&self, asked: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.1.check().map_err(lost)?;
        tokio::time::timeout(ANSWER_TIMEOUT, asked).await.unwrap_or_else(|_| Err(no_answer()))
    }
}

#[async_trait]
impl ConnectionTrait for Bounded {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.0.execute(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.0.execute_unprepared(sql)).await
    }

    async fn query_one(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.0.query_one(statement)).await
    }

    async fn query_all(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.0.query_all(statement)).await
    }
}
