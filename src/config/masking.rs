//! Values as they may be shown: no password, no token.

use figment::value::Value;

/// What stands for a secret.
const MASK: &str = "***";
/// Parts of names whose values are secrets, if there were such settings.
const SECRET_NAMES: &[&str] = &["pass", "pwd", "secret", "token", "credential"];
/// How the names of settings end that are addresses.
const ADDRESS_NAMES: &[&str] = &["url", "database", "databases", "endpoint"];

/// Names that stand for a secret as a whole, and a shell's command, which may hold one.
const SECRET_WORDS: &[&str] = &["auth", "pw", "pwd", "event_log_stop"];

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
        Value::Empty(..) => "\"\"".to_owned(),
        Value::Dict(..) => "{...}".to_owned(),
    }
}

/// A text given for a setting of this name, which need not exist.
pub fn given_for(key: &str, text: &str) -> String {
    // As in a file, or as a variable of the environment spells it.
    let key = key.to_lowercase().replace("__", ".");
    let has = |is_one: fn(&str) -> bool| key.split('.').any(is_one);
    let is_secret = has(|name| SECRET_NAMES.iter().any(|part| name.contains(part)) || name.ends_with("key"));
    let is_secret = is_secret || has(|name| SECRET_WORDS.contains(&name));
    // An address without its scheme may be anything, and so may a text in place of a section.
    let is_address = has(|name| ADDRESS_NAMES.iter().any(|end| name.ends_with(end)));
    let is_section = !key.contains('.') && text.parse::<u64>().is_err();
    let is_hidden = is_secret || is_address && !text.contains("://") || is_section;
    if is_hidden { MASK.to_owned() } else { without_secrets(text) }
}

/// A text in which there may be addresses, without user, password and query (RFC 3986, 3.2.1 and 3.4): any of them may
/// be a secret. Where it is not sure which part is the secret, more is hidden: all from the first scheme to the last
/// `@`, for a password may hold any letter that nobody has escaped.
pub fn without_secrets(text: &str) -> String {
    let (before, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (&text[..scheme.len() + 3], rest));
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    if before.is_empty() && user.is_none() {
        return text.to_owned();
    }
    // A password with a question mark, or a query with an @.
    if user.is_some_and(|user| user.contains('?')) {
        return format!("{before}{MASK}");
    }
    let (address, query) = match place.find(['?', '#']) {
        Some(end) => (&place[..end], if place[end..].starts_with('?') { "?***" } else { "#***" }),
        None => (place, ""),
    };
    let authority = &address[..address.find('/').unwrap_or(address.len())];
    // What stands where a port belongs is a password whose host is missing.
    let is_ipv6 = authority.starts_with('[');
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit() || is_ipv6 && byte.is_ascii_hexdigit());
    let host = authority.trim_end_matches(['"', '\'', ']', ',', ' ']);
    if host.rsplit_once(':').is_some_and(|(_, port)| !is_port(port)) {
        return format!("{before}{MASK}");
    }
    let user = if user.is_some() { "***@" } else { "" };
    format!("{before}{user}{address}{query}")
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
            ("http://[::1]:4318/v1", "http://[::1]:4318/v1"),
            ("http://[::1]/v1", "http://[::1]/v1"),
            ("rialto:", "rialto:"),
            ("127.0.0.1:9092", "127.0.0.1:9092"),
            ("mysql://u:s3/cret@db/rialto", "mysql://***@db/rialto"),
            ("mysql://u:s3?cret@db/rialto", "mysql://***"),
            ("https://psp/v1?token=s3@cret", "https://***"),
            ("mysql://u:s3cret", "mysql://***"),
            ("[\"mysql://u:s3cret\"]", "[\"mysql://***"),
            ("u:s3cret@db/rialto", "***@db/rialto"),
            ("[\"mysql://u:s3cret@h/d\", \"mysql://v:other@h/e\"", "[\"mysql://***@h/e\""),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }

    #[test]
    fn what_is_given_for_a_secret_is_hidden() {
        for (key, text, shown) in [
            ("redis.password", "hunter2", "***"),
            ("redis.url", "hunter2", "***"),
            ("shard.databases", "hunter2", "***"),
            ("redis.url", "redis://:hunter2@h", "redis://***@h"),
            ("redis.url", "redis://h#hunter2", "redis://h#***"),
            ("redis", "hunter2", "***"),
            ("REDIS.URL.X", "hunter2", "***"),
            ("redis.pw", "hunter2", "***"),
            ("faults.event_log_stop", "curl -u u:hunter2 h", "***"),
            ("shard", "3", "3"),
            ("shard.max_batch", "many", "many"),
            ("limits.authorize_per_minute", "7", "7"),
        ] {
            assert_eq!(given_for(key, text), shown, "{key}={text}");
        }
    }
}
