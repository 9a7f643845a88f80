//! Answers and limits on Redis, one round trip for each batch.

mod answers;
mod limits;

pub use answers::RedisAnswers;
pub use limits::RedisLimits;
