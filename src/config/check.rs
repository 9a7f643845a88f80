//! The bounds of settings, and how each section states them.

use std::path::PathBuf;

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value of the wrong kind, or a text that is no TOML; the text names key and source.
    #[error("configuration: {0}")]
    Unreadable(Box<figment::Error>),
    #[error("configuration: no file {0}")]
    NoFile(PathBuf),
    #[error("configuration: {key} is {value}; allowed: {allowed}")]
    NotAllowed { key: &'static str, value: String, allowed: String },
    /// A key that does not exist, as it is written.
    #[error("configuration: there is no setting {key} (it is given as {value}); allowed: {allowed}")]
    Unknown { key: String, value: String, allowed: String },
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
    Err(ConfigError::NotAllowed { key, value: value.to_string(), allowed })
}
