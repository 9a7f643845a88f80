//! Black-box tests: the real program as a process of its own, spoken to over HTTP and the command line. One suite, run
//! with everything embedded, and with `RIALTO_TEST_ON_SERVERS` on MariaDB, Redis and Kafka.

#[macro_use]
#[path = "../common/mod.rs"]
mod common;

mod collector;
mod node;
mod replay;
mod scrape;
mod servers;
mod watch;

mod alerts;
mod answers;
mod backup;
mod backup_failures;
mod bad_input;
mod clock;
mod conflicts;
mod control_store;
mod crashes;
mod damage;
mod data_guard;
mod dead_letters;
mod exercise;
mod faults;
mod flows;
mod forced;
mod full_disk;
mod hosts;
mod idempotency;
mod identity;
mod identity_servers;
mod limits;
mod metrics;
mod night;
mod operators;
mod outages;
mod outputs;
mod overload;
mod payments;
mod psp_simulator;
mod read_only;
mod refusals;
mod runbooks;
mod startup;
mod traces;
mod two_hosts;
mod upgrade;
mod wire;
