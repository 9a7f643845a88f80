//! A shard's database on a real server: the proxy through which nodes reach it, and its faults.

use std::collections::BTreeMap;

use super::process::ClusterError;
use super::proxy::Proxy;
use crate::infra::database::IllTreated;

/// The setting that names the shards' databases.
pub const DATABASES: &str = "RIALTO__SHARD__DATABASES";
/// Whom nodes log in as: the user of scripts/servers for whom `read_only` holds. Its password is its name.
pub const USER: &str = "node";

/// See the module.
pub struct Database {
    pub proxy: Proxy,
    pub server: IllTreated,
    name: String,
}

impl Database {
    /// The databases that the settings name, each with a proxy.
    pub async fn all(settings: &BTreeMap<String, String>) -> Result<Vec<Self>, ClusterError> {
        let named = settings.get(DATABASES).map_or("[]", String::as_str);
        let failed = |said: String| ClusterError::Failed { what: DATABASES.to_owned(), said };
        let named: Vec<String> = serde_json::from_str(named).map_err(|error| failed(error.to_string()))?;
        let mut all = Vec::new();
        for url in named {
            let place = url.rsplit_once('@').and_then(|(_, place)| place.split_once('/'));
            let (address, name) = place.ok_or_else(|| failed(url.clone()))?;
            let server = IllTreated::new(&url).map_err(|error| failed(error.to_string()))?;
            let proxy = Proxy::start(address.to_owned()).await?;
            all.push(Self { proxy, server, name: name.to_owned() });
        }
        Ok(all)
    }

    /// The URL by which nodes reach it.
    fn url(&self) -> String {
        format!("mysql://{USER}:{USER}@{}/{}", self.proxy.address, self.name)
    }
}

/// The setting that names them in this order.
pub fn urls<'a>(databases: impl IntoIterator<Item = &'a Database>) -> String {
    let urls: Vec<String> = databases.into_iter().map(|database| format!("{:?}", database.url())).collect();
    format!("[{}]", urls.join(","))
}
