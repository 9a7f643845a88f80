//! How commands speak to a running node's `/admin`.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::process::refuse;
use crate::http::{UNNAMED, operator_name};

/// Longer than the longest deadline of what a node does for an operator.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which node, and who speaks.
#[derive(Debug, Clone, clap::Args)]
pub struct AdminArgs {
    /// The node's base URL.
    #[arg(long, default_value = "http://127.0.0.1:8080", global = true, value_parser = node_url)]
    pub url: String,
    /// Who acts, for the trail of operators' actions: 1 to 64 printable characters.
    #[arg(long, env = "USER", default_value = UNNAMED, global = true, value_parser = operator)]
    pub operator: String,
}

fn node_url(text: &str) -> Result<String, String> {
    match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        _ => Err("a node's URL begins with http:// or https://, such as http://127.0.0.1:8080".to_owned()),
    }
}

/// An operator's name, as the node would read it.
///
/// # Errors
/// Why the node would refuse it.
pub fn operator(text: &str) -> Result<String, String> {
    operator_name(text).map(str::to_owned).map_err(|code| code.about().to_owned())
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The node cannot be reached, or not in time.
    #[error("the node does not answer: {}", with_causes(.0))]
    Unreachable(#[from] reqwest::Error),
    #[error("the node's answer ({0}) is no JSON: is it a Rialto node?")]
    Unreadable(StatusCode),
    /// The node refuses; each line after the first is of one thing that is wrong.
    #[error("the node answers {status}: {why}")]
    Refused { status: StatusCode, why: String },
}

/// An error with those that caused it: an HTTP client's first one says only that it failed.
fn with_causes(error: &dyn Error) -> String {
    let (mut said, mut error) = (error.to_string(), error);
    while let Some(cause) = error.source() {
        said.push_str(&format!(": {cause}"));
        error = cause;
    }
    said
}

/// What a problem (RFC 9457) says, and below it each of its `errors`: where, why, and what would be taken.
fn problem_said(problem: &Value) -> String {
    let said = |member: &str| problem[member].as_str();
    let mut text = said("detail").or_else(|| said("title")).unwrap_or_default().to_owned();
    for error in problem["errors"].as_array().into_iter().flatten() {
        let member = |name: &str| error[name].as_str();
        let place = ["pointer", "parameter", "header"].into_iter().find_map(member).unwrap_or_default();
        let why = member("detail").or_else(|| member("code")).unwrap_or_default();
        text.push_str(&format!("\n  {place}: {why}"));
        for name in ["minimum", "maximum"].into_iter().filter(|name| error[*name].is_i64()) {
            text.push_str(&format!(" {name} {}", error[name]));
        }
        let allowed: Vec<_> = error["allowed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !allowed.is_empty() {
            text.push_str(&format!(" allowed: {}", allowed.join(", ")));
        }
    }
    text
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
        // As bytes: a header's text would be ASCII alone.
        self.http.request(method, url).header("x-operator", self.args.operator.as_bytes())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, AdminError> {
        let answer = request.send().await?;
        let status = answer.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let body: Result<Value, _> = serde_json::from_slice(&answer.bytes().await?);
        let body = body.map_err(|_| AdminError::Unreadable(status))?;
        if status.is_success() {
            return Ok(body);
        }
        Err(AdminError::Refused { status, why: problem_said(&body) })
    }
}

/// One segment of a path, as somebody has typed it.
pub fn segment(text: &str) -> impl Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_is_told_with_all_that_is_wrong() {
        let problem = json!({"title": "A number is out of its range", "detail": "It is 1 to 9.", "errors": [
            {"pointer": "/times", "code": "x", "detail": "It is 1 to 9.", "minimum": 1, "maximum": 9},
            {"header": "X-Operator", "code": "operator_invalid"},
            {"parameter": "colour", "code": "x", "detail": "It is not known.", "allowed": ["a", "b"]},
        ]});
        let said = "It is 1 to 9.\n  /times: It is 1 to 9. minimum 1 maximum 9\n  X-Operator: operator_invalid\n  \
                    colour: It is not known. allowed: a, b";
        assert_eq!(problem_said(&problem), said);
        assert_eq!(problem_said(&json!({"title": "There is nothing here"})), "There is nothing here");
    }

    #[test]
    fn names_and_urls_are_refused_before_anything_is_sent() {
        assert_eq!(operator(" zoë ").as_deref(), Ok("zoë"));
        for name in ["", "  ", &"k".repeat(65), "kim\u{1b}[2J", "a\nb", "4111 1111 1111 1111"] {
            assert!(operator(name).is_err(), "{name:?}");
        }
        for url in ["", "ftp://x", "127.0.0.1:8080", "http://", "file:///etc/passwd"] {
            assert!(node_url(url).unwrap_err().contains("http://127.0.0.1:8080"), "{url}");
        }
        assert!(node_url("https://node.example/base/").is_ok());
    }
}
