//! What `rialto load` can be told on its command line.

use std::path::PathBuf;
use std::time::Duration;

/// Sends load to a running system and says how it answered.
///
/// Closed loop (`--connections`): each connection has one request in flight and sends the next when the answer is
/// there; latency is the time of service. Open loop (`--rate`): work starts at its scheduled instant whether or not
/// earlier work has been answered, and latency counts from that instant, so a server that stalls cannot hide it.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit code: 0 for a clean run, 1 when nothing succeeded, anything unexpected happened or the run \
                        could not be made, 2 when the command is not understood. SIGINT and SIGTERM end the run early: \
                        what was measured is printed and written, and the exit code is 130 or 143."
)]
#[command(group(clap::ArgGroup::new("pace").required(true).args(["connections", "rate"])))]
pub struct LoadArgs {
    /// Base URL of the API, such as http://127.0.0.1:8080 (http only; a path such as /api is kept).
    #[arg(long)]
    pub url: String,

    /// What to send.
    #[arg(long, value_enum)]
    pub scenario: Scenario,

    /// Closed loop: so many connections, each with one request in flight.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: Option<u32>,

    /// Open loop: so many starts a second; a start is a request (authorize, hot-merchant), a flow (full-flow) or a
    /// group of 16 requests (duplicates).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,

    /// How long to start work; what is under way then is finished. Such as 30s, 500ms, 2m.
    #[arg(long, value_parser = parse_positive_duration)]
    pub duration: Duration,

    /// Also write the result to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// full-flow: the pause between the capture and the refund.
    #[arg(long, default_value = "1s", value_parser = parse_duration)]
    pub think: Duration,

    /// How long one request may take, waiting for a connection included.
    #[arg(long, default_value = "10s", value_parser = parse_positive_duration)]
    pub timeout: Duration,

    /// full-flow: how long a capture may take to become CAPTURED, and the last refund to become REFUNDED.
    #[arg(long, default_value = "30s", value_parser = parse_positive_duration)]
    pub settle_timeout: Duration,

    /// Open loop: at most so many connections; what finds none free waits, and its wait counts.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_connections: u32,

    /// Threads that send. One is enough for most servers on the same machine, and leaves the other cores to them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,

    /// Seed of merchants and amounts. Idempotency keys differ from run to run whatever the seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What a run sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Authorizations spread over MERCHANT-1 to MERCHANT-1000.
    Authorize,
    /// Authorize, capture, think, refund; one flow in eight polls for CAPTURED before it thinks, to see how long it
    /// takes.
    FullFlow,
    /// Authorizations for MERCHANT-1 alone.
    HotMerchant,
    /// Groups of 8 identical requests at once, then the same 8 again.
    Duplicates,
}

impl Scenario {
    /// The name used on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::FullFlow => "full-flow",
            Self::HotMerchant => "hot-merchant",
            Self::Duplicates => "duplicates",
        }
    }
}

fn parse_positive_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration.is_zero() { Err("must be more than zero".to_owned()) } else { Ok(duration) }
}

/// Parses a whole number with the unit `ms`, `s`, `m` or `h`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a whole number and ms, s, m or h, such as 30s or 500ms".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a whole number before the unit".to_owned())?;
    let total_ms = number.checked_mul(unit_ms).filter(|total_ms| *total_ms <= 24 * 3_600_000);
    total_ms.map(Duration::from_millis).ok_or_else(|| "more than 24 h".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArgs,
    }

    fn parse(line: &str) -> Result<LoadArgs, clap::Error> {
        Line::try_parse_from(line.split(' ')).map(|line| line.load)
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "30", "s", "1.5s", "-1s", "3 s", "3d", "25h", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert!(parse_positive_duration("0s").is_err());
    }

    #[test]
    fn documented_command_line_parses() {
        let args =
            parse("load --url http://h:1 --scenario full-flow --rate 300 --duration 30s --json out.json").unwrap();
        assert_eq!(args.scenario, Scenario::FullFlow);
        assert_eq!((args.rate, args.connections), (Some(300), None));
        assert_eq!(args.duration, Duration::from_secs(30));
        assert_eq!(args.think, Duration::from_secs(1));
    }

    #[test]
    fn exactly_one_pace_is_given() {
        assert!(parse("load --url http://h:1 --scenario authorize --duration 1s").is_err());
        assert!(parse("load --url http://h:1 --scenario authorize --duration 1s --rate 1 --connections 1").is_err());
        assert!(parse("load --url http://h:1 --scenario authorize --duration 1s --connections 0").is_err());
        for scenario in ["authorize", "full-flow", "hot-merchant", "duplicates"] {
            let args =
                parse(&format!("load --url http://h:1 --scenario {scenario} --duration 1s --connections 1")).unwrap();
            assert_eq!(args.scenario.name(), scenario);
        }
    }
}
