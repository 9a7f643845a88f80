//! Endpoints, each declared once: see [`Endpoint`].

mod answer;
mod codes;
mod declaration;
mod entry;
mod path;
mod query;

pub use answer::{Answer, Content, Json, Listed, NoContent};
pub use codes::{ASK, READ, WRITE};
pub use declaration::{Endpoint, Method, Place, Request};
pub use entry::{Described, Entry};
pub use path::{PathParameter, PathParameters};
pub use query::{
    LIMIT_DEFAULT, Pairs, Query, QueryParameter, Shape, parse_end, parse_limit, parse_number, parse_time, wrong,
};
