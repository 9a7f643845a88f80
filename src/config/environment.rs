//! The variables of the environment that begin with `RIALTO_`: settings, and a few others. One that is meant and not
//! read leaves a default in force that nobody chose, so it is refused.

use std::ffi::OsString;

use figment::value::{Dict, Value};

use super::check::ConfigError;
use super::unknown::{check, leaves, nearest_key, unknown};

/// What begins the name of a setting in the environment.
pub const PREFIX: &str = "RIALTO__";
/// Variables of the program that are no settings.
const OTHERS: &[&str] = &["RIALTO_ROLES"];
/// What begins the names of what `scripts/`, the tests and compose.yaml read.
const OF_TOOLS: &[&str] = &["RIALTO_TEST_", "RIALTO_SIMULATION_", "RIALTO_SERVERS_", "RIALTO_BENCH_"];
/// The same, whole names.
const NAMES_OF_TOOLS: &[&str] = &["RIALTO_URL", "RIALTO_RUN", "RIALTO_RESULT", "RIALTO_NAME", "RIALTO_PORT"];
/// What some expect to be a variable, and where it is given.
const ELSEWHERE: &[(&str, &str)] = &[
    ("RIALTO_LOG", "RUST_LOG"),
    ("RIALTO_LOG_LEVEL", "RUST_LOG"),
    ("RIALTO_DATA_DIR", "the option --data-dir"),
    ("RIALTO_DATA", "the option --data-dir"),
    ("RIALTO_LISTEN", "the option --listen"),
    ("RIALTO_CONFIG", "the option --config"),
];
/// How many letters the name of another variable may be off.
const DISTANCE_MAX: usize = 2;

/// A setting in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// As it is written.
    pub name: String,
    /// As a file would name it.
    pub key: String,
    pub value: String,
}

/// The settings in the environment.
///
/// # Errors
/// [`ConfigError`] for a variable that looks like a setting and is none (`RIALTO__SHARD__MAX_BACH`,
/// `RIALTO_SHARD__MAX_BATCH`), for any other `RIALTO_...` that nothing reads, for a setting that is given twice, in two
/// spellings, and for a value that is no text.
pub fn settings(
    variables: impl Iterator<Item = (OsString, OsString)>,
    known: &Dict,
) -> Result<Vec<Variable>, ConfigError> {
    let keys = leaves(known);
    let mut found: Vec<Variable> = Vec::new();
    for (name, value) in variables {
        // A name that is no text is none of ours.
        let Ok(name) = name.into_string() else { continue };
        let key = match meant(&name, value.to_str(), known) {
            Meant::Setting(key) => key,
            Meant::Nothing(rest) => return Err(unknown_variable(name, &rest, &keys)),
            Meant::SomethingElse => continue,
        };
        let Ok(value) = value.into_string() else {
            let allowed = "a text in UTF-8".to_owned();
            return Err(ConfigError::WrongKind { given: format!("{name}=(other bytes)"), key, allowed });
        };
        let text = Value::from(value.clone());
        check(&name, &key, &text, &keys, &in_environment)?;
        if !name.to_uppercase().starts_with(PREFIX) {
            return Err(unknown(&name, &text, Some(in_environment(&key))));
        }
        if let Some(other) = found.iter().find(|other| other.key == key) {
            let (first, second) = (other.name.clone(), name);
            return Err(ConfigError::Twice { first, second });
        }
        found.push(Variable { name, key, value });
    }
    Ok(found)
}

/// What a variable is for.
enum Meant {
    /// A setting, as a file would name it; whether there is such a one is not looked at.
    Setting(String),
    /// It begins as ours do, and nothing reads it. Holds the rest of its name.
    Nothing(String),
    SomethingElse,
}

fn meant(name: &str, value: Option<&str>, known: &Dict) -> Meant {
    let upper = name.to_uppercase();
    if let Some(rest) = upper.strip_prefix(PREFIX) {
        return Meant::Setting(rest.to_lowercase().replace("__", "."));
    }
    let Some(rest) = upper.strip_prefix("RIALTO_").or_else(|| upper.strip_prefix("RIALTO.")) else {
        return Meant::SomethingElse;
    };
    let is_of_tools = OF_TOOLS.iter().any(|prefix| upper.starts_with(prefix)) || NAMES_OF_TOOLS.contains(&&*upper);
    if OTHERS.contains(&&*upper) || is_of_tools || is_of_service(&upper, value) {
        return Meant::SomethingElse;
    }
    let rest = rest.to_lowercase();
    if rest.contains("__") {
        return Meant::Setting(rest.replace("__", "."));
    }
    // One underscore where there have to be two.
    match known.keys().find(|section| rest.starts_with(&format!("{section}_"))) {
        Some(section) => Meant::Setting(format!("{section}.{}", &rest[section.len() + 1..])),
        None => Meant::Nothing(rest),
    }
}

/// Whether Kubernetes or Docker has set it for a service whose name begins with `rialto`
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_of_service(upper: &str, value: Option<&str>) -> bool {
    let is_address = value.is_some_and(|value| ["tcp://", "udp://", "sctp://"].iter().any(|s| value.starts_with(s)));
    let is_part = ["_SERVICE_HOST", "_SERVICE_PORT"].iter().any(|part| upper.contains(part));
    let is_of_port = upper.split_once("_PORT_").is_some_and(|(_, port)| port.starts_with(|c: char| c.is_ascii_digit()));
    is_part || is_of_port || upper.ends_with("_PORT") && is_address
}

fn unknown_variable(name: String, rest: &str, keys: &[(String, Value)]) -> ConfigError {
    let upper = name.to_uppercase();
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == upper).map(|(_, place)| (*place).to_owned());
    let near = OTHERS.iter().find(|other| strsim::damerau_levenshtein(other, &upper) <= DISTANCE_MAX);
    let nearest = elsewhere
        .or_else(|| near.map(|near| (*near).to_owned()))
        .or_else(|| nearest_key(rest, keys).map(in_environment))
        .map_or_else(String::new, |nearest| format!("; the nearest is {nearest}"));
    let allowed = format!("{}, and {PREFIX}SECTION__NAME for what `rialto config` shows{nearest}", OTHERS.join(", "));
    ConfigError::UnknownVariable { name, allowed }
}

/// The variable of a setting.
pub fn in_environment(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn of(variables: &[(&str, &str)]) -> Result<Vec<Variable>, ConfigError> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        settings(variables, &Config::known().unwrap())
    }

    fn said(name: &str, value: &str) -> Option<String> {
        of(&[(name, value)]).err().map(|error| error.to_string())
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
            "RIALTO_SERVICE_HOST",
            "RIALTO_INGEST_PORT_8080_TCP_ADDR",
            "PATH",
        ] {
            assert_eq!(said(name, "1"), None);
        }
    }

    #[test]
    fn variable_that_nothing_reads_is_refused_and_its_value_not_shown() {
        for (name, nearest) in [
            ("RIALTO_ROLE", "RIALTO_ROLES"),
            ("RIALTO_LOG", "RUST_LOG"),
            ("RIALTO_DATA_DIR", "--data-dir"),
            ("rialto_listen", "--listen"),
            ("RIALTO_MAX_BATCH", "RIALTO__SHARD__MAX_BATCH"),
            ("RIALTO_FOO", "`rialto config` shows"),
            ("RIALTO_API_TOKEN", "RIALTO_ROLES"),
        ] {
            let said = said(name, "s3cret").unwrap_or_else(|| panic!("{name} was taken"));
            assert!(said.contains(name) && said.contains(nearest) && !said.contains("s3cret"), "{said}");
        }
        assert!(!said("RIALTO_FOO", "1").unwrap().contains("nearest"));
    }

    #[test]
    fn password_for_a_setting_that_does_not_exist_is_not_shown() {
        for name in ["RIALTO__REDIS__PASSWORD", "RIALTO_REDIS_PASSWORD", "RIALTO__CONTROL__DATABASE_URL"] {
            let said = said(name, "s3cret").unwrap();
            assert!(said.contains(name) && !said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn setting_in_two_spellings_is_refused() {
        let both = [("RIALTO__SHARD__COUNT", "3"), ("rialto__shard__count", "4")];
        let said = of(&both).unwrap_err().to_string();
        assert!(said.contains("RIALTO__SHARD__COUNT and rialto__shard__count"), "{said}");
        let one = Variable { name: "rialto__shard__count".into(), key: "shard.count".into(), value: "4".into() };
        assert_eq!(of(&both[1..]).unwrap(), [one]);
    }

    #[test]
    fn value_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStringExt as _;
        let variable = (OsString::from("RIALTO__SHARD__COUNT"), OsString::from_vec(vec![0xff]));
        let said = settings([variable].into_iter(), &Config::known().unwrap()).unwrap_err().to_string();
        assert!(said.contains("RIALTO__SHARD__COUNT") && said.contains("UTF-8"), "{said}");
    }
}
