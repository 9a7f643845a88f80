//! One typed configuration: defaults (the embedded ones), then a TOML file, then the environment
//! (`RIALTO__SHARD__MAX_BATCH` is `shard.max_batch`). Rialto refuses to start with one that is wrong, and names the
//! key, the value and what is allowed.

mod breaker;
mod check;
mod clock;
mod control;
mod dead_letters;
mod environment;
mod faults;
mod http;
mod idempotency;
mod in_force;
mod kafka;
mod limits;
mod masking;
mod node;
mod outbox;
mod payment;
mod psp;
mod redis;
mod requests;
mod resolver;
mod roles;
mod settings;
mod shard;
mod simulator;
mod storage;
mod supervision;
mod telemetry;
mod units;
mod unknown;
mod wrong;

pub use self::redis::Redis;
pub use breaker::Breaker;
pub use check::ConfigError;
pub use clock::Clock;
pub use control::Control;
pub use dead_letters::DeadLetters;
pub use faults::Faults;
pub use http::Http;
pub use idempotency::Idempotency;
pub use in_force::InForce;
pub use kafka::Kafka;
pub use limits::Limits;
pub use node::Node;
pub use outbox::Outbox;
pub use payment::Payment;
pub use psp::Psp;
pub use requests::Requests;
pub use resolver::Resolver;
pub use roles::{Role, Roles, UnknownRole};
pub use settings::Config;
pub use shard::Shard;
pub use simulator::{RatesExceedWhole, SimulatorConfig};
pub use storage::Storage;
pub use supervision::Supervision;
pub use telemetry::Telemetry;

use std::collections::BTreeMap;
use std::path::Path;

use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use environment::{PREFIX, Variable};

impl Config {
    /// Whether every process that sees the shards sees the same control store.
    pub fn has_shared_control(&self) -> bool {
        self.shard.databases.is_empty() || !self.control.database.is_empty()
    }

    /// The configuration of these variables, named as in the environment, over the defaults.
    pub fn of(variables: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let ours = variables.iter().filter(|(name, _)| name.starts_with(PREFIX));
        let variables = environment::settings(ours.map(|(name, value)| (name.into(), value.into())), &Self::known()?)?;
        let defaults = Figment::from(Serialized::defaults(Self::default()));
        let figment = variables.iter().fold(defaults, |figment, Variable { key, value, .. }| {
            // Whatever is no number, list or the like is a text.
            let Ok(value) = value.parse::<Value>();
            figment.merge(Serialized::default(key, value))
        });
        Sources { figment, variables }.checked()
    }

    /// The configuration of `file` and the environment over the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Sources::of(file)?.checked()
    }

    /// What [`Self::load`] loads, each setting with its source.
    pub fn explained(file: Option<&Path>) -> Result<Vec<InForce>, ConfigError> {
        let sources = Sources::of(file)?;
        sources.checked()?;
        Ok(in_force::in_force(&sources.figment, &Self::known()?))
    }

    /// Every setting with its default.
    fn known() -> Result<Dict, ConfigError> {
        given(&Figment::from(Serialized::defaults(Self::default())))
    }

    /// The configuration of a TOML text over the defaults.
    #[cfg(any(test, fuzzing))]
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Sources::of_text(Path::new("rialto.toml"), text, Toml::string(text))?.checked()
    }
}

/// Where a configuration comes from: what is further on goes over what is before it.
struct Sources {
    figment: Figment,
    variables: Vec<Variable>,
}

impl Sources {
    /// The defaults, a file and the environment.
    fn of(file: Option<&Path>) -> Result<Self, ConfigError> {
        let variables = environment::settings(std::env::vars_os(), &Config::known()?)?;
        let sources = match file {
            Some(path) => Self::of_text(path, &read(path)?, Toml::file_exact(path))?,
            None => Self { figment: Figment::from(Serialized::defaults(Config::default())), variables: Vec::new() },
        };
        Ok(Self { figment: sources.figment.merge(Env::prefixed(PREFIX).split("__")), variables })
    }

    /// The defaults and a text, which `provider` holds.
    fn of_text(path: &Path, text: &str, provider: impl Provider) -> Result<Self, ConfigError> {
        text.parse::<toml::Table>().map_err(|error| wrong::no_toml(path, text, &error))?;
        let settings = Figment::from(provider);
        unknown::check_file(&given(&settings)?, &Config::known()?)?;
        let figment = Figment::from(Serialized::defaults(Config::default())).merge(settings);
        Ok(Self { figment, variables: Vec::new() })
    }

    fn checked(&self) -> Result<Config, ConfigError> {
        let extracted: Result<Config, _> = self.figment.extract();
        let config = extracted.map_err(|error| wrong::explain(&error, &self.figment, &self.variables))?;
        config.check()?;
        Ok(config)
    }
}

/// What a source gives, without defaults.
fn given(source: &Figment) -> Result<Dict, ConfigError> {
    source.extract().map_err(|error| wrong::explain(&error, source, &[]))
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let not_a_file = |what| Err(ConfigError::NotAFile { path: path.to_owned(), what });
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(ConfigError::NoFile(path.to_owned())),
        Ok(found) if found.is_dir() => return not_a_file("a directory"),
        Ok(found) if !found.is_file() => return not_a_file("no regular file"),
        _ => {}
    }
    std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Policy;

    #[test]
    fn defaults_are_valid_and_equal_those_of_the_domain() {
        let config = Config::load(None).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(format!("{:?}", config.policy()), format!("{:?}", Policy::default()));
    }

    #[test]
    fn shipped_file_lists_every_setting_with_its_default() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rialto.toml");
        assert_eq!(Config::load(Some(&path)).unwrap(), Config::default());
        let said: figment::value::Dict = Figment::from(Toml::file_exact(&path)).extract().unwrap();
        let known: figment::value::Dict = Figment::from(Serialized::defaults(Config::default())).extract().unwrap();
        let keys = |dict: &figment::value::Dict| {
            let sections = dict.iter().flat_map(|(section, values)| {
                let values = values.as_dict().unwrap().keys();
                values.map(move |key| format!("{section}.{key}")).collect::<Vec<_>>()
            });
            sections.collect::<Vec<_>>()
        };
        assert_eq!(keys(&said), keys(&known));
    }

    #[test]
    fn file_changes_only_the_settings_that_it_names() {
        let config = Config::from_toml("[shard]\nmax_batch = 7\n").unwrap();
        assert_eq!(config.shard.max_batch, 7);
        assert_eq!(config.http, Http::default());
    }

    #[test]
    fn config_error_hides_addresses() {
        for text in [
            "[shard]\ncount = 1\ndatabases = [\"//u:secret@h\"]\n",
            "[redis]\nurl = \"//:secret@h\"\n",
            "[control]\ndatabase = \"//u:secret@h\"\n",
        ] {
            let said = Config::from_toml(text).unwrap_err().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }

    /// Every way to give a password where it cannot be read.
    #[test]
    fn no_error_shows_a_secret() {
        for text in [
            "[shard]\ndatabases = \"mysql://u:s3cret@h/db\"\n",
            "[shard]\ndatabases = [[\"mysql://u:s3cret@h/db\"]]\n",
            "[shard]\ncount = \"mysql://u:s3cret@h/db\"\n",
            "[shard]\nnames = [\"mysql://u:s3cret@h/db\"]\n",
            "[control]\ndatabase = \"mysql://u:s3cret@h/db\n",
            "[control]\ndatabase = mysql://u:s3cret@h/db\n",
            "[control]\ndatabase = [\"mysql://u:s3cret@h/db\"]\n",
            "[control]\ndatabase = \"u:s3cret@h/db\"\n",
            "[redis]\nurl = \"redis://:s3cret@h\" x\n",
            "[redis]\npassword = \"s3cret\"\n",
            "[http]\nnames = [\"u:s3cret@h\"]\n",
            "[kafka]\nbrokers = \"u:s3cret@h\"\n",
            "control = \"mysql://u:s3cret@h/db\"\n",
        ] {
            let said = Config::from_toml(text).unwrap_err().to_string();
            assert!(!said.contains("s3cret"), "{text}: {said}");
        }
        for (name, value) in [
            ("RIALTO__SHARD__DATABASES", "mysql://u:s3cret@h:99999/db"),
            ("RIALTO__SHARD__DATABASES", "[mysql://u:one@h/d, \"mysql://u:s3cret@h/e\""),
            ("RIALTO__SHARD__DATABASES", "s3cret"),
            ("RIALTO__SHARD", "{databases=\"mysql://u:s3cret@h/d\"}"),
            ("RIALTO__CONTROL__DATABASE", "{a=\"s3cret\"}"),
            ("RIALTO__REDIS__URL", "[redis://:s3cret@h]"),
            ("RIALTO__REDIS", "redis://:s3cret@h"),
        ] {
            let variables = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let said = Config::of(&variables).unwrap_err().to_string();
            assert!(!said.contains("s3cret") && said.contains("RIALTO__"), "{name}={value}: {said}");
        }
    }

    #[test]
    fn value_of_the_wrong_kind_is_named_as_it_is_written() {
        for (name, value, parts) in [
            ("RIALTO__SHARD__COUNT", "0", ["RIALTO__SHARD__COUNT=0: ", "shard.count is a whole number of 1 or more"]),
            ("RIALTO__SHARD__COUNT", "abc", ["RIALTO__SHARD__COUNT=abc: ", "shard.count is a whole number"]),
            ("RIALTO__SHARD__COUNT", "", ["RIALTO__SHARD__COUNT=: ", "shard.count is a whole number"]),
            ("RIALTO__SHARD", "2", ["RIALTO__SHARD=2: ", "shard is a section"]),
            ("RIALTO__SHARD", "{count=abc}", ["RIALTO__SHARD={count=abc}: ", "shard.count is a whole number"]),
            ("RIALTO__RESOLVER__LADDER_MS", "5,10", ["RIALTO__RESOLVER__LADDER_MS=5,10: ", "is a list of 5 values"]),
            ("RIALTO__RESOLVER__LADDER_MS", "[5,10]", ["RIALTO__RESOLVER__LADDER_MS=[5,10]", "a list of 5 values"]),
            ("RIALTO__RESOLVER__LADDER_MS", "[1,2,3,4,x]", ["resolver.ladder_ms is a list", "of it a whole number"]),
            ("RIALTO__TELEMETRY__METRICS", "yes", ["RIALTO__TELEMETRY__METRICS=yes: ", "is true or false"]),
            ("RIALTO__HTTP__NAMES", "a", ["RIALTO__HTTP__NAMES=a: ", "http.names is a list"]),
        ] {
            let variables = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let said = Config::of(&variables).unwrap_err().to_string();
            parts.iter().for_each(|part| assert!(said.contains(part), "{name}={value}: {part}: {said}"));
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rialto.toml");
        for (text, parts) in [
            ("[shard]\ncount = \"2\"\n", ["rialto.toml: shard.count = \"2\": ", "shard.count is a whole number of 1"]),
            ("[shard]\ncount = -3\n", ["rialto.toml: shard.count = -3: ", "shard.count is a whole number of 1"]),
            ("shard = 3\n", ["rialto.toml: shard = 3: ", "shard is a section"]),
            ("[limits]\nhosts = 0\n", ["rialto.toml: limits.hosts = 0: ", "limits.hosts is a whole number of 1"]),
            ("[shard]\nmax_batch = 1.5\n", ["shard.max_batch = 1.5: ", "shard.max_batch is a whole number"]),
            ("[kafka]\nbrokers = 7\n", ["kafka.brokers = 7: ", "kafka.brokers is a text"]),
            ("[shard]\ncount = 2\n[redis]\nurl = \"redis://h\n", ["rialto.toml, line 4, column ", "string"]),
        ] {
            std::fs::write(&file, text).unwrap();
            let said = Config::load(Some(&file)).unwrap_err().to_string();
            parts.iter().for_each(|part| assert!(said.contains(part), "{text}: {part}: {said}"));
            assert!(!said.contains("struct") && !said.contains("u32") && !said.contains("default."), "{said}");
        }
        let said = Config::load(Some(dir.path())).unwrap_err().to_string();
        assert!(said.ends_with("is a directory; allowed: a TOML file"), "{said}");
    }

    #[test]
    fn config_error_names_key_and_allowed_range() {
        for (text, names) in [
            ("[shard]\nmax_batch = 0\n", vec!["shard.max_batch", "0", "1 to 1000"]),
            ("[shard]\nmax_bach = 5\n", vec!["max_bach"]),
            ("[shard]\nmax_batch = \"many\"\n", vec!["shard.max_batch", "many"]),
            ("[shard]\ncount = 0\n", vec!["shard.count"]),
            ("[node]\nid = 64\n", vec!["node.id", "64", "0 to 63"]),
            ("[resolver]\nafter_ms = 100\n", vec!["resolver.after_ms", "100"]),
            ("[shard]\ndatabases = [\"mysql://one\"]\n", vec!["shard.databases", "a list of 1", "shard.count"]),
            ("[shard]\ncount = 1\ndatabases = [\"postgres://one\"]\n", vec!["shard.databases", "mysql://"]),
            ("[shard]\ncount = 1\ndatabases = [\"mysql://one\"]\n", vec!["kafka.brokers", "shard.databases"]),
            ("[http]\nnames = [\"pay.example.com:8080\"]\n", vec!["http.names", "pay.example.com:8080", "host names"]),
            ("[http]\nnames = [\"*\"]\n", vec!["http.names", "*. and one"]),
            ("[http]\nwrite_timeout_ms = 1\n", vec!["http.write_timeout_ms", "1", "100 to 60000"]),
            ("[http]\nconnections_per_address_max = 0\n", vec!["http.connections_per_address_max", "1 to 1000000"]),
            ("[psp]\nurl = \"localhost:8090\"\n", vec!["psp.url", "http://"]),
            ("[redis]\nurl = \"localhost\"\n", vec!["redis.url", "redis://"]),
            ("[telemetry]\nobserve_every_ms = 1\n", vec!["telemetry.observe_every_ms", "1", "100"]),
            ("[telemetry]\notlp_endpoint = \"localhost\"\n", vec!["telemetry.otlp_endpoint", "http://"]),
            ("[telemetry]\ntrace_sample_ratio = 1.5\n", vec!["telemetry.trace_sample_ratio", "1.5", "0 to 1"]),
            ("[faults]\nevent_log_stop = \"true\"\n", vec!["faults.event_log_stop", "faults.event_log_start"]),
            ("[control]\ndatabase = \"localhost\"\n", vec!["control.database", "mysql://"]),
            (
                "[shard]\ncount = 1\ndatabases = [\"mysql://one\"]\n[control]\ndatabase = \"mysql://one\"\n",
                vec!["control.database", "that of a shard"],
            ),
            ("[kafka]\nbrokers = \"foo\"\n", vec!["kafka.brokers", "foo", "host:port"]),
            ("[kafka]\nbrokers = \"foo:99999\"\n", vec!["kafka.brokers", "foo:99999", "1 to 65535"]),
            ("[kafka]\nbrokers = \"a:9092,b:0\"\n", vec!["kafka.brokers", "b:0", "1 to 65535"]),
            ("[kafka]\nbrokers = \"a:9092,,b:9092\"\n", vec!["kafka.brokers", "host:port"]),
            ("nonsense", vec!["configuration"]),
        ] {
            let said = Config::from_toml(text).unwrap_err().to_string();
            for name in names {
                assert!(said.contains(name), "{text:?}: {said}");
            }
        }
        assert!(Config::load(Some(Path::new("/no/such/file"))).unwrap_err().to_string().contains("/no/such/file"));
    }
}
