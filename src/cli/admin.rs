//! How commands speak to a running node's `/admin`.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::process::refuse;

/// Longer than the longest deadline of what a node does for an operator.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which node, and who speaks.
#[derive(Debug, Clone, clap::Args)]
pub struct AdminArgs {
    /// The node's base URL.
    #[arg(long, default_value = "http://127.0.0.1:8080", global = true)]
    pub url: String,
    /// Who acts, for the trail of operators' actions.
    #[arg(long, env = "USER", default_value = "unnamed", global = true)]
    pub operator: String,
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The node cannot be reached, or not in time.
    #[error("{0}")]
    Unreachable(#[from] reqwest::Error),
    /// The node refuses.
    #[error("the node answers {status}: {detail}")]
    Refused { status: StatusCode, detail: String },
}

/// Asks a node; the exit code of a command that has no answer, once that was said.
pub fn asked<T>(question: impl Future<Output = Result<T, AdminError>>) -> Result<T, ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| refuse(&error))?.block_on(question).map_err(|error| refuse(&error))
}

/// A node's `/admin`.
pub struct Admin {
    args: AdminArgs,
    http: reqwest::Client,
}

impl Admin {
    /// # Errors
    /// [`AdminError::Unreachable`] if no client can be made.
    pub fn new(args: AdminArgs) -> Result<Self, AdminError> {
        Ok(Self { args, http: reqwest::Client::builder().timeout(TIMEOUT).build()? })
    }

    /// # Errors
    /// [`AdminError`] when there is no answer or no success.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, AdminError> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    /// # Errors
    /// [`AdminError`] when there is no answer or no success.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, AdminError> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// # Errors
    /// [`AdminError`] when there is no answer or no success.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, AdminError> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// # Errors
    /// [`AdminError`] when there is no answer or no success.
    pub async fn delete(&self, path: &str) -> Result<Value, AdminError> {
        self.send(self.request(Method::DELETE, path)).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/admin{path}", self.args.url.trim_end_matches('/'));
        self.http.request(method, url).header("x-operator", &self.args.operator)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, AdminError> {
        let answer = request.send().await?;
        let status = answer.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body: Value = answer.json().await?;
        if status.is_success() {
            return Ok(body);
        }
        let said = |member: &str| body[member].as_str().map(str::to_owned);
        let detail = said("detail").or_else(|| said("title")).unwrap_or_default();
        Err(AdminError::Refused { status, detail })
    }
}
