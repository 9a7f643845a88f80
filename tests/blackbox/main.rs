//! Black-box tests: the real program as a process of its own, spoken to over HTTP and the command line. One suite, run with
//! everything embedded, and with `RIALTO_TEST_ON_SERVERS` on MariaDB, Redis and Kafka.

mod collector;
mod node;
mod replay;
mod scrape;
mod servers;
mod watch;

mod alerts;
mod answers;
mod bad_input;
mod captures;
mod conflicts;
mod contract;
mod crashes;
mod dead_letters;
mod exercise;
mod faults;
mod hosts;
mod idempotency;
mod limits;
mod listing;
mod metrics;
mod outages;
mod payments;
mod psp_faults;
mod psp_simulator;
mod startup;
mod traces;
mod two_hosts;
