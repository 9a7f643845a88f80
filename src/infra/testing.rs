//! The real servers that tests use.

/// Where one of the servers of `scripts/servers` listens, `HOST:PORT`. `RIALTO_TEST_SERVERS` names their directory;
/// without it there are none, and the test says that it is skipped.
pub fn server(name: &str) -> Option<String> {
    let Ok(dir) = std::env::var("RIALTO_TEST_SERVERS") else {
        println!("skipped: RIALTO_TEST_SERVERS names no directory of servers");
        return None;
    };
    let address = std::fs::read_to_string(format!("{dir}/{name}.address"));
    Some(address.unwrap_or_else(|error| panic!("{dir} has no {name}: {error}")).trim().to_owned())
}
