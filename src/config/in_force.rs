//! Which value each setting has, and where it comes from.

use figment::value::{Dict, Value};
use figment::{Figment, Source};
use serde::Serialize;

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

/// A value as TOML writes it, without secrets.
pub fn written(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{:?}", without_secrets(text)),
        Value::Array(_, values) => format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Bool(_, value) => value.to_string(),
        Value::Char(_, value) => format!("{:?}", value.to_string()),
        Value::Num(_, number) => {
            let signed = number.to_i128().map(|number| number.to_string());
            let unsigned = number.to_u128().map(|number| number.to_string());
            signed.or(unsigned).or_else(|| number.to_f64().map(|number| number.to_string())).unwrap_or_default()
        }
        Value::Empty(..) | Value::Dict(..) => String::new(),
    }
}

/// An address without user, password and query (RFC 3986, 3.2.1 and 3.4): any of them may be a secret.
pub fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (address, query) = rest.split_once('?').map_or((rest, ""), |(address, _)| (address, "?***"));
    let authority_ends = address.find('/').unwrap_or(address.len());
    // A password may hold an `@` that nobody has escaped.
    let host = address[..authority_ends].rsplit_once('@').map(|(_, host)| host);
    let user = if host.is_some() { "***@" } else { "" };
    let host = host.unwrap_or(&address[..authority_ends]);
    format!("{scheme}://{user}{host}{}{query}", &address[authority_ends..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_addresses_are_hidden() {
        for (text, shown) in [
            ("mysql://root:s3cret@db:3306/rialto", "mysql://***@db:3306/rialto"),
            ("redis://:p@ss@cache", "redis://***@cache"),
            ("https://psp.example/v1?token=abc", "https://psp.example/v1?***"),
            ("http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/traces"),
            ("rialto:", "rialto:"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }
}
