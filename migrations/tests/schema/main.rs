//! The schemas on a real database. Every case runs on SQLite in a temporary file and, if `RIALTO_TEST_DATABASE_URL`
//! names a MariaDB server (`mysql://user:password@host:port`, allowed to create databases), on a database made there as
//! well.

mod databases;
mod refusals;
mod round_trip;
mod status;
mod upgrade;
