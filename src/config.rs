//! One typed configuration: defaults (the embedded ones), then a TOML file, then the environment
//! (`RIALTO__SHARD__MAX_BATCH` is `shard.max_batch`). Rialto refuses to start with one that is wrong, and names the
//! key, the value and what is allowed.

mod breaker;
mod check;
mod clock;
mod control;
mod dead_letters;
mod faults;
mod http;
mod idempotency;
mod in_force;
mod kafka;
mod limits;
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

pub use self::redis::Redis;
pub use breaker::Breaker;
pub use check::ConfigError;
pub use clock::Clock;
pub use control::Control;
pub use dead_letters::DeadLetters;
pub use faults::Faults;
pub use http::Http;
pub use idempotency::Idempotency;
pub use in_force::{InForce, without_secrets};
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

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};

impl Config {
    /// Whether every process that sees the shards sees the same control store.
    pub fn has_shared_control(&self) -> bool {
        self.shard.databases.is_empty() || !self.control.database.is_empty()
    }

    /// The configuration of these variables, named as in the environment, over the defaults.
    pub fn of(variables: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let named = variables.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix("RIALTO__")?.to_lowercase().replace("__", ".");
            Some((key, value.parse::<Value>().ok()?))
        });
        let figment = named.fold(Figment::from(Serialized::defaults(Self::default())), |figment, (key, value)| {
            figment.merge(Serialized::default(&key, value))
        });
        Self::checked(&figment)
    }

    /// The configuration of `file` and the environment over the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::checked(&Self::sources(file)?)
    }

    /// What [`Self::load`] loads, each setting with its source.
    pub fn explained(file: Option<&Path>) -> Result<Vec<InForce>, ConfigError> {
        let figment = Self::sources(file)?;
        Self::checked(&figment)?;
        Ok(in_force::in_force(&figment, &Self::known()?))
    }

    /// Every setting with its default.
    fn known() -> Result<Dict, ConfigError> {
        unknown::given(&Figment::from(Serialized::defaults(Self::default())))
    }

    fn sources(file: Option<&Path>) -> Result<Figment, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(path) = file {
            if !path.is_file() {
                return Err(ConfigError::NoFile(path.to_owned()));
            }
            let settings = Toml::file_exact(path);
            unknown::check_file(&unknown::given(&Figment::from(&settings))?, &Self::known()?)?;
            figment = figment.merge(settings);
        }
        unknown::check_environment(std::env::vars_os(), &Self::known()?)?;
        Ok(figment.merge(Env::prefixed("RIALTO__").split("__")))
    }

    /// The configuration of a TOML text over the defaults.
    #[cfg(any(test, fuzzing))]
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let settings = Toml::string(text);
        unknown::check_file(&unknown::given(&Figment::from(&settings))?, &Self::known()?)?;
        Self::checked(&Figment::from(Serialized::defaults(Self::default())).merge(settings))
    }

    fn checked(figment: &Figment) -> Result<Self, ConfigError> {
        let config: Self = figment.extract().map_err(|error| ConfigError::Unreadable(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }
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
