//! The roles of a process.

use std::fmt;
use std::str::FromStr;

/// One part of the pipeline, which can be a process of its own. The name is that of `--roles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes requests for payments.
    Ingest,
    /// Publishes to the event log what the shards have committed.
    Publisher,
    /// Captures and voids at the PSP.
    Settlement,
    /// Refunds at the PSP.
    Refund,
    /// Writes the ledger.
    Ledger,
    /// Settles unknown outcomes and ends authorizations that expire.
    Resolver,
}

impl Role {
    const ALL: [Self; 6] =
        [Self::Ingest, Self::Publisher, Self::Settlement, Self::Refund, Self::Ledger, Self::Resolver];

    fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Publisher => "publisher",
            Self::Settlement => "settlement",
            Self::Refund => "refund",
            Self::Ledger => "ledger",
            Self::Resolver => "resolver",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The roles of one process, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// A process that does everything.
    pub fn all() -> Self {
        Self(Role::ALL.into_iter().fold(0, |roles, role| roles | role.bit()))
    }

    pub fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether some role reads or writes the event log.
    pub fn use_event_log(self) -> bool {
        [Role::Publisher, Role::Settlement, Role::Refund, Role::Ledger].into_iter().any(|role| self.has(role))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        let names: Vec<_> = Role::ALL.into_iter().filter(|role| self.has(*role)).map(Role::name).collect();
        f.write_str(&names.join(","))
    }
}

/// A name that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no role; allowed: all, or some of ingest, publisher, settlement, refund, ledger and resolver, with commas"
)]
pub struct UnknownRole(String);

impl FromStr for Roles {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        if text == "all" {
            return Ok(Self::all());
        }
        let role = |name: &str| {
            let found = Role::ALL.into_iter().find(|role| role.name() == name);
            found.map(Role::bit).ok_or_else(|| UnknownRole(name.to_owned()))
        };
        text.split(',').try_fold(Self(0), |roles, name| Ok(Self(roles.0 | role(name.trim())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_parsed_and_displayed() {
        for (text, said) in [
            ("all", "all"),
            ("ingest", "ingest"),
            ("resolver, publisher", "publisher,resolver"),
            ("ingest,publisher,settlement,refund,ledger,resolver", "all"),
        ] {
            assert_eq!(text.parse::<Roles>().unwrap().to_string(), said);
        }
        for wrong in ["", "ingest,", "everything", "all,ingest", "Ingest"] {
            let said = wrong.parse::<Roles>().unwrap_err().to_string();
            assert!(said.contains("settlement"), "{said}");
        }
        let some: Roles = "ingest,ledger".parse().unwrap();
        assert!(some.has(Role::Ingest) && some.has(Role::Ledger) && !some.has(Role::Refund));
    }

    #[test]
    fn ingest_and_resolver_roles_need_no_event_log() {
        assert!(!"ingest,resolver".parse::<Roles>().unwrap().use_event_log());
        for role in ["publisher", "settlement", "refund", "ledger"] {
            assert!(role.parse::<Roles>().unwrap().use_event_log(), "{role}");
        }
    }
}
