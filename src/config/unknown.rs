//! Settings that do not exist. One that was meant and is not read leaves a default in force that nobody chose, so it is
//! refused, with the nearest spelling.

use std::ffi::OsString;

use figment::Figment;
use figment::value::{Dict, Value};

use super::check::ConfigError;
use super::in_force::written;

/// What begins the name of a setting in the environment.
pub const PREFIX: &str = "RIALTO__";
/// Variables of the program that are no settings.
const OTHERS: &[&str] = &["RIALTO_ROLES"];
/// How many letters a name may be off and still be taken for a misspelling.
const DISTANCE_MAX: usize = 4;

/// Refuses what `given` (a file's settings) has and `known` has not.
///
/// # Errors
/// [`ConfigError::Unknown`] for the first one, as it is written in the file.
pub fn check_file(given: &Dict, known: &Dict) -> Result<(), ConfigError> {
    let known = leaves(known);
    for (key, value) in leaves(given) {
        check(&key, &key, &written(&value), &known, &|key| key.to_owned())?;
    }
    Ok(())
}

/// Refuses variables of the environment that look like settings and are none: `RIALTO__SHARD__MAX_BACH`,
/// `RIALTO_SHARD__MAX_BATCH`. Others that begin with `RIALTO_` are somebody else's.
///
/// # Errors
/// [`ConfigError::Unknown`] for the first one, as it is written in the environment.
pub fn check_environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
    known: &Dict,
) -> Result<(), ConfigError> {
    let keys = leaves(known);
    for (name, value) in variables {
        // A name that is no text is none of ours; a value that is none is said as far as it is.
        let Ok(name) = name.into_string() else { continue };
        let Some(key) = meant(&name, known) else { continue };
        let value = written(&Value::from(value.to_string_lossy().into_owned()));
        check(&name, &key, &value, &keys, &in_environment)?;
        if !name.to_uppercase().starts_with(PREFIX) {
            return Err(unknown(&name, &value, Some(in_environment(&key))));
        }
    }
    Ok(())
}

/// Which setting a variable means, as a file would name it; none if it means none.
fn meant(name: &str, known: &Dict) -> Option<String> {
    let upper = name.to_uppercase();
    if let Some(rest) = upper.strip_prefix(PREFIX) {
        return Some(rest.to_lowercase().replace("__", "."));
    }
    let rest = upper.strip_prefix("RIALTO_").or_else(|| upper.strip_prefix("RIALTO."))?;
    if OTHERS.contains(&upper.as_str()) {
        return None;
    }
    let rest = rest.to_lowercase();
    if rest.contains("__") {
        return Some(rest.replace("__", "."));
    }
    // One underscore where there have to be two.
    let section = known.keys().find(|section| rest.starts_with(&format!("{section}_")))?;
    Some(format!("{section}.{}", &rest[section.len() + 1..]))
}

fn in_environment(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// The keys that exist, as a file names them.
fn check(
    spelled: &str,
    key: &str,
    value: &str,
    known: &[(String, Value)],
    spell: &dyn Fn(&str) -> String,
) -> Result<(), ConfigError> {
    let is_known = known.iter().any(|(known, _)| known == key);
    // A whole section may be given at once, and is then checked member by member when it is read.
    let is_section = known.iter().any(|(known, _)| known.starts_with(&format!("{key}.")));
    if is_known || is_section {
        return Ok(());
    }
    Err(unknown(spelled, value, nearest(key, known.iter().map(|(known, _)| known.as_str())).map(spell)))
}

fn unknown(spelled: &str, value: &str, nearest: Option<String>) -> ConfigError {
    let allowed = nearest.map_or_else(
        || "what `rialto config` shows; no setting has a similar name".to_owned(),
        |nearest| format!("what `rialto config` shows; the nearest is {nearest}"),
    );
    ConfigError::Unknown { key: spelled.to_owned(), value: value.to_owned(), allowed }
}

/// The known key that is spelled most like this one. Its own section counts before others.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let wanted = key.rsplit('.').next().unwrap_or(key);
    let section = |key: &str| key.rsplit_once('.').map(|(section, _)| section.to_owned()).unwrap_or_default();
    let own = section(key);
    let distance = |known: &'a str| {
        let whole = strsim::damerau_levenshtein(key, known);
        // The right name in a wrong section, and the right section with a wrong name.
        let of_name = strsim::damerau_levenshtein(wanted, name(known));
        whole.min(of_name + usize::from(section(known) != own))
    };
    let best = known.map(|known| (distance(known), known)).min_by_key(|(distance, _)| *distance)?;
    (best.0 <= DISTANCE_MAX).then_some(best.1)
}

/// Every value with its key, section by section.
fn leaves(dict: &Dict) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in dict {
        match value {
            Value::Dict(_, members) if !members.is_empty() => {
                found.extend(leaves(members).into_iter().map(|(rest, value)| (format!("{name}.{rest}"), value)));
            }
            value => found.push((name.clone(), value.clone())),
        }
    }
    found
}

/// What a source gives, without defaults.
///
/// # Errors
/// If it cannot be read at all.
pub fn given(source: &Figment) -> Result<Dict, ConfigError> {
    source.extract().map_err(|error| ConfigError::Unreadable(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn said(name: &str, value: &str) -> Option<String> {
        let known = Config::known().unwrap();
        let variables = [(OsString::from(name), OsString::from(value))];
        check_environment(variables.into_iter(), &known).err().map(|error| error.to_string())
    }

    #[test]
    fn misspelled_variable_is_refused_with_the_nearest_one() {
        for (name, value, parts) in [
            ("RIALTO__SHARD__MAX_BACH", "7", ["RIALTO__SHARD__MAX_BACH", "7", "RIALTO__SHARD__MAX_BATCH"]),
            ("RIALTO_SHARD__MAX_BATCH", "7", ["RIALTO_SHARD__MAX_BATCH", "7", "RIALTO__SHARD__MAX_BATCH"]),
            ("RIALTO_SHARD_MAX_BATCH", "7", ["RIALTO_SHARD_MAX_BATCH", "7", "RIALTO__SHARD__MAX_BATCH"]),
            ("RIALTO__SHARDS__MAX_BATCH", "7", ["RIALTO__SHARDS__MAX_BATCH", "7", "RIALTO__SHARD__MAX_BATCH"]),
            ("RIALTO__SHARD_MAX_BATCH", "7", ["RIALTO__SHARD_MAX_BATCH", "7", "RIALTO__SHARD__MAX_BATCH"]),
            (
                "RIALTO__PSP__SIMULATOR__LATENCY",
                "7",
                ["RIALTO__PSP__SIMULATOR__LATENCY", "7", "RIALTO__PSP__SIMULATOR__LATENCY_MS"],
            ),
            ("RIALTO__REDIS__ULR", "redis://:s3cret@h", ["RIALTO__REDIS__ULR", "redis://***@h", "RIALTO__REDIS__URL"]),
            ("RIALTO__PONY", "pink", ["RIALTO__PONY", "pink", "no setting"]),
        ] {
            let said = said(name, value).unwrap_or_else(|| panic!("{name} was taken"));
            parts.iter().for_each(|part| assert!(said.contains(part), "{part}: {said}"));
            assert!(!said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn settings_and_other_variables_pass() {
        for name in [
            "RIALTO__SHARD__MAX_BATCH",
            "rialto__shard__max_batch",
            "RIALTO__PSP__SIMULATOR__LATENCY_MS",
            "RIALTO_ROLES",
            "RIALTO_TEST_ON_SERVERS",
            "RIALTO_SIMULATION_SEED",
            "RIALTO_PORT",
            "PATH",
        ] {
            assert_eq!(said(name, "1"), None);
        }
    }

    #[test]
    fn misspelled_key_of_a_file_is_refused_with_the_nearest_one() {
        for (text, parts) in [
            ("[shard]\nmax_bach = 5\n", ["shard.max_bach", "5", "shard.max_batch"]),
            ("[shards]\nmax_batch = 5\n", ["shards.max_batch", "5", "shard.max_batch"]),
            ("[psp.simulator]\nlatency = 5\n", ["psp.simulator.latency", "5", "psp.simulator.latency_ms"]),
            ("max_batch = 5\n", ["max_batch", "5", "shard.max_batch"]),
        ] {
            let said = Config::from_toml(text).unwrap_err().to_string();
            parts.iter().for_each(|part| assert!(said.contains(part), "{part}: {said}"));
        }
    }
}
