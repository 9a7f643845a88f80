//! Values of the wrong kind, said in the words of whoever gave them. The library's own words show secrets, and name
//! types of this program.

use std::path::Path;

use figment::error::{Error, Kind};
use figment::value::Value;
use figment::{Figment, Source};

use super::check::ConfigError;
use super::environment::Variable;
use super::masking::{given_for, without_secrets, written};

/// Why a configuration cannot be extracted from its sources; `variables` are those of the environment among them.
pub fn explain(error: &Error, sources: &Figment, variables: &[Variable]) -> ConfigError {
    let found = (1..=error.path.len()).rev().find_map(|length| {
        let key = error.path[..length].join(".");
        sources.find_value(&key).ok().map(|value| (key, value))
    });
    let Some((key, value)) = found else { return ConfigError::Other(first_line(&error.kind.to_string())) };
    let allowed = allowed(&error.kind, error.path.len() > key.split('.').count());
    ConfigError::WrongKind { given: given(sources, variables, &key, &value), key, allowed }
}

/// A value as it is written where it is given, and where that is.
fn given(sources: &Figment, variables: &[Variable], key: &str, value: &Value) -> String {
    let assignment = || match value {
        Value::String(_, text) => format!("{key} = {:?}", given_for(key, text)),
        value => format!("{key} = {}", written(value)),
    };
    match sources.get_metadata(value.tag()).and_then(|metadata| metadata.source.as_ref()) {
        Some(Source::File(path)) => format!("{}: {}", path.display(), assignment()),
        _ => {
            // A variable may give a whole section.
            let is_it = |variable: &&Variable| key == variable.key || key.starts_with(&format!("{}.", variable.key));
            match variables.iter().find(is_it) {
                Some(Variable { name, value, .. }) => format!("{name}={}", given_for(key, value)),
                None => assignment(),
            }
        }
    }
}

/// What a setting is to be, for people. Where it is about an element, the setting is a list of such.
fn allowed(kind: &Kind, is_element: bool) -> String {
    let wanted = match kind {
        Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) | Kind::InvalidLength(_, wanted) => wanted,
        other => return first_line(&other.to_string()),
    };
    let said = match wanted.trim_start_matches("a ").trim_start_matches("an ") {
        "nonzero u32" => "a whole number of 1 or more".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more, within reason".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number, within reason".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "boolean" | "bool" => "true or false".to_owned(),
        "string" | "str" | "path string" => "a text, in quotes where it looks like a number".to_owned(),
        "sequence" => "a list, in brackets and with commas".to_owned(),
        wanted => match (wanted.strip_prefix("array of length "), wanted.starts_with("struct ")) {
            (Some(length), _) => format!("a list of {length} values, in brackets and with commas"),
            (None, true) => "a section, whose settings are given one by one".to_owned(),
            (None, false) => wanted.to_owned(),
        },
    };
    if is_element { format!("a list, in brackets and with commas, and each value of it {said}") } else { said }
}

fn first_line(text: &str) -> String {
    without_secrets(text.lines().next().unwrap_or_default())
}

/// Why a text is no TOML, without any of it.
pub fn no_toml(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = &text.as_bytes()[..error.span().map_or(0, |span| span.start).min(text.len())];
    let line_begins = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    ConfigError::NotToml {
        file: file.to_owned(),
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: 1 + String::from_utf8_lossy(&before[line_begins..]).chars().count(),
        problem: without_secrets(&error.message().replace('\n', ", ")),
    }
}
