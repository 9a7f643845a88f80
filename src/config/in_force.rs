//! Which value each setting has, and where it comes from.

use figment::value::{Dict, Value};
use figment::{Figment, Source};
use serde::Serialize;

use super::masking::written;

/// One setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// As in the file: `shard.max_batch`.
    pub key: String,
    /// As TOML writes it; secrets in it are replaced by `***`.
    pub value: String,
    /// `default`, `file PATH`, or `environment NAME`.
    pub source: String,
}

impl InForce {
    /// Whether nobody has set it.
    pub fn is_default(&self) -> bool {
        self.source == DEFAULT
    }
}

const DEFAULT: &str = "default";

/// The settings of `figment`, section by section, in the order of their names.
pub fn in_force(figment: &Figment, known: &Dict) -> Vec<InForce> {
    let mut found = Vec::new();
    for (section, values) in known {
        collect(figment, section, values, &mut found);
    }
    found
}

fn collect(figment: &Figment, key: &str, default: &Value, found: &mut Vec<InForce>) {
    if let Some(values) = default.as_dict() {
        values.iter().for_each(|(name, value)| collect(figment, &format!("{key}.{name}"), value, found));
        return;
    }
    let value = figment.find_value(key).unwrap_or_else(|_| default.clone());
    let source = match figment.get_metadata(value.tag()) {
        Some(metadata) => match &metadata.source {
            Some(Source::File(path)) => format!("file {}", path.display()),
            _ if metadata.name.contains("environment") => {
                format!("environment RIALTO__{}", key.to_uppercase().replace('.', "__"))
            }
            _ => DEFAULT.to_owned(),
        },
        None => DEFAULT.to_owned(),
    };
    found.push(InForce { key: key.to_owned(), value: written(&value), source });
}
