//! The bounds of settings, and how each section states them.

use std::path::PathBuf;

use super::masking::without_secrets;

/// Why there is no configuration to start with. No text of it shows a secret: every value is masked before it comes
/// here.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A text that is no TOML; its lines are not shown, since they may hold a password.
    #[error("configuration: {}, line {line}, column {column}: {problem}", file.display())]
    NotToml { file: PathBuf, line: usize, column: usize, problem: String },
    #[error("configuration: no file {}", .0.display())]
    NoFile(PathBuf),
    #[error("configuration: {} is {what}; allowed: a TOML file", path.display())]
    NotAFile { path: PathBuf, what: &'static str },
    #[error("configuration: {} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("configuration: {key} is {value}; allowed: {allowed}")]
    NotAllowed { key: &'static str, value: String, allowed: String },
    /// A value of the wrong kind: where and as what it is given, and of which kind it is to be.
    #[error("configuration: {given}: {key} is {allowed}")]
    WrongKind { given: String, key: String, allowed: String },
    /// A key that does not exist, as it is written.
    #[error("configuration: there is no setting {key} (it is given as {value}); allowed: {allowed}")]
    Unknown { key: String, value: String, allowed: String },
    /// A variable `RIALTO_...` of the environment that nothing reads. Its value is not known to be no secret.
    #[error("configuration: nothing reads the variable {name}; allowed: {allowed}")]
    UnknownVariable { name: String, allowed: String },
    #[error("configuration: both {first} and {second} are set; allowed: one of them")]
    Twice { first: String, second: String },
    /// What the library says of a value, masked.
    #[error("configuration: {0}")]
    Other(String),
}

/// The value of a wrong address is hidden, because it may hold a password.
pub fn address(key: &'static str, address: &str, schemes: &[&str]) -> Result<(), ConfigError> {
    if address.is_empty() {
        return Ok(());
    }
    if !schemes.iter().any(|scheme| address.starts_with(scheme)) {
        return not_allowed(key, "another address", format!("what begins with {}", schemes.join(" or ")));
    }
    match reqwest::Url::parse(address) {
        Ok(_) => Ok(()),
        Err(error) => not_allowed(key, format!("no address ({error})"), format!("{}host:port", schemes.join(" or "))),
    }
}

pub fn range(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) { Ok(()) } else { not_allowed(key, value, format!("{least} to {most}")) }
}

pub fn not_allowed(key: &'static str, value: impl ToString, allowed: String) -> Result<(), ConfigError> {
    Err(ConfigError::NotAllowed { key, value: without_secrets(&value.to_string()), allowed })
}
