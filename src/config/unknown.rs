//! Settings that do not exist. One that was meant and is not read leaves a default in force that nobody chose, so it is
//! refused, with the nearest spelling.

use figment::value::{Dict, Value};

use super::check::ConfigError;
use super::masking::{given_for, written};

/// How many letters a name may be off and still be taken for a misspelling.
const DISTANCE_MAX: usize = 4;

/// Refuses what `given` (a file's settings) has and `known` has not.
///
/// # Errors
/// [`ConfigError::Unknown`] for the first one, as it is written in the file.
pub fn check_file(given: &Dict, known: &Dict) -> Result<(), ConfigError> {
    let known = leaves(known);
    for (key, value) in leaves(given) {
        check(&key, &key, &value, &known, &|key| key.to_owned())?;
    }
    Ok(())
}

/// Refuses a key that is none of the known ones; `spell` says these as they are written there.
pub fn check(
    spelled: &str,
    key: &str,
    value: &Value,
    known: &[(String, Value)],
    spell: &dyn Fn(&str) -> String,
) -> Result<(), ConfigError> {
    let is_known = known.iter().any(|(known, _)| known == key);
    // A whole section may be given at once, and is then checked member by member when it is read.
    let is_section = known.iter().any(|(known, _)| known.starts_with(&format!("{key}.")));
    if is_known || is_section {
        return Ok(());
    }
    Err(unknown(spelled, value, nearest_key(key, known).map(spell)))
}

/// A setting that does not exist, as it is spelled.
pub fn unknown(spelled: &str, value: &Value, nearest: Option<String>) -> ConfigError {
    let value = match value {
        Value::String(_, text) => format!("{:?}", given_for(spelled, text)),
        value => given_for(spelled, &written(value)),
    };
    let allowed = nearest.map_or_else(
        || "what `rialto config` shows; no setting has a similar name".to_owned(),
        |nearest| format!("what `rialto config` shows; the nearest is {nearest}"),
    );
    ConfigError::Unknown { key: spelled.to_owned(), value, allowed }
}

/// The known key that is spelled most like this one.
pub fn nearest_key<'a>(key: &'a str, known: &'a [(String, Value)]) -> Option<&'a str> {
    nearest(key, known.iter().map(|(known, _)| known.as_str()))
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
    // A short name is near to everything.
    (best.0 <= DISTANCE_MAX && best.0 < wanted.chars().count()).then_some(best.1)
}

/// Every value with its key, section by section.
pub fn leaves(dict: &Dict) -> Vec<(String, Value)> {
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

#[cfg(test)]
mod tests {
    use crate::config::Config;

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
