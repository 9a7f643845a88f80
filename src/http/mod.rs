//! The HTTP layer: parses, validates, calls the flows and writes answers. It knows no SQL and no Redis.

mod admin;
mod body;
mod card_number;
mod endpoint;
mod endpoints;
mod event_loop_delay;
mod explain;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod health;
mod merchants;
mod openapi;
mod operator;
mod payments;
mod problem;
mod program;
mod refunds;
mod refused;
mod request;
mod scrape;
mod served;
mod server;
mod service;

pub use body::BodyLimits;
pub use operator::{UNNAMED, operator_name};
pub use served::ServedNames;
pub use server::{Deadlines, HttpSettings, Places, serve};
pub use service::Service;
