//! Query strings. A parameter that is not known is refused, so that a misspelled filter never lists everything.

use actix_web::web;

use crate::domain::Timestamp;
use crate::http::problem::{Code, Problem};

/// How much of a list is shown when the call does not say.
pub const LIMIT_DEFAULT: u32 = 20;
const LIMIT_MAX: u32 = 100;

/// One parameter of a query.
#[derive(Debug, Clone, Copy)]
pub struct QueryParameter {
    pub name: &'static str,
    pub about: &'static str,
    pub shape: Shape,
    pub is_required: bool,
    /// What a value of another shape is answered. None if every text will do.
    pub code: Option<Code>,
}

/// What the values of a parameter look like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// An integer from 1 to 100.
    Limit,
    /// RFC 3339.
    Time,
    /// Statuses of payments, with commas between them.
    PaymentStatuses,
    /// Statuses of refunds, with commas between them.
    RefundStatuses,
    /// Text that fits a regular expression.
    Pattern(&'static str),
    /// Any text.
    Text,
}

impl Shape {
    /// Whether a value is several, with commas between them.
    pub fn is_list(self) -> bool {
        matches!(self, Self::PaymentStatuses | Self::RefundStatuses)
    }
}

impl QueryParameter {
    /// How much of a list is shown.
    pub const fn limit(about: &'static str) -> Self {
        Self::optional("limit", about, Shape::Limit, Code::LimitInvalid)
    }

    pub const fn optional(name: &'static str, about: &'static str, shape: Shape, code: Code) -> Self {
        Self { name, about, shape, is_required: false, code: Some(code) }
    }

    pub const fn required(name: &'static str, about: &'static str, shape: Shape, code: Code) -> Self {
        Self { name, about, shape, is_required: true, code: Some(code) }
    }

    /// One that any text will do for.
    pub const fn text(name: &'static str, about: &'static str) -> Self {
        Self { name, about, shape: Shape::Text, is_required: false, code: None }
    }
}

/// The parameters of a query.
pub trait Query: Sized {
    /// All that are known.
    const PARAMETERS: &'static [QueryParameter];
    /// Whether others are refused.
    const IS_CLOSED: bool = true;

    /// Makes sense of the parameters that were given.
    ///
    /// # Errors
    /// The code of the first that has none.
    fn read(pairs: &Pairs) -> Result<Self, Problem>;

    /// Reads a query string.
    ///
    /// # Errors
    /// [`Code::UnknownParameter`] for one that is not known or is given twice, or as [`read`](Self::read).
    fn of(query: &str) -> Result<Self, Problem> {
        Self::read(&if Self::IS_CLOSED { Pairs::parse(query, Self::PARAMETERS)? } else { Pairs(Vec::new()) })
    }
}

/// The given parameters, each once and each known.
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn parse(query: &str, known: &[QueryParameter]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query).map_err(|_| Code::UnknownParameter)?;
        let pairs = pairs.into_inner();
        for (place, (name, _)) in pairs.iter().enumerate() {
            let is_repeated = pairs[..place].iter().any(|(earlier, _)| earlier == name);
            if is_repeated || !known.iter().any(|parameter| parameter.name == name) {
                let name: String = name.chars().take(64).collect();
                return Err(Problem::from(Code::UnknownParameter).detail(format!("Not known, or given twice: {name}.")));
            }
        }
        Ok(Self(pairs))
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

impl Query for () {
    const PARAMETERS: &'static [QueryParameter] = &[];

    fn read(_pairs: &Pairs) -> Result<Self, Problem> {
        Ok(())
    }
}

/// Whatever the query is, it changes nothing.
pub struct AnyQuery;

impl Query for AnyQuery {
    const PARAMETERS: &'static [QueryParameter] = &[];
    const IS_CLOSED: bool = false;

    fn read(_pairs: &Pairs) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// How much of a list is shown: 1 to 100.
///
/// # Errors
/// [`Code::LimitInvalid`].
pub fn parse_limit(text: &str) -> Result<u32, Problem> {
    parse_number(text).filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(|| Code::LimitInvalid.into())
}

/// Up to nine digits and nothing else: Rust's own reading takes a sign.
pub fn parse_number(text: &str) -> Option<u32> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// # Errors
/// [`Code::TimeInvalid`] for what is not RFC 3339.
pub fn parse_time(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).ok_or_else(|| Code::TimeInvalid.into())
}
