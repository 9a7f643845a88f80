//! Query strings. A parameter that is not known is refused, so that a misspelled filter never lists everything.

use actix_web::web;

use crate::domain::Timestamp;
use crate::domain::payment::PaymentStatus;
use crate::domain::refund::RefundStatus;
use crate::http::card_number::holds_card_number;
use crate::http::problem::{Code, FieldError, Problem};

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
    /// One of these.
    Names(&'static [&'static str]),
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

    /// Makes sense of the parameters that were given.
    ///
    /// # Errors
    /// The code of the first that has none.
    fn read(pairs: &Pairs) -> Result<Self, Problem>;

    /// Reads a query string.
    ///
    /// # Errors
    /// [`Code::UnknownParameter`] for one that is not known or is given twice, [`Code::CardNumberNotAllowed`], or as
    /// [`read`](Self::read); with the parameter's name, and what it takes.
    fn of(query: &str) -> Result<Self, Problem> {
        let pairs = Pairs::parse(query, Self::PARAMETERS)?;
        Self::read(&pairs).map_err(|problem| pairs.explain(problem, Self::PARAMETERS))
    }
}

/// The given parameters, each once and each known.
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn parse(query: &str, known: &[QueryParameter]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query).map_err(|_| Code::UnknownParameter)?;
        let pairs = pairs.into_inner();
        for (place, (name, value)) in pairs.iter().enumerate() {
            let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
                return Err(Problem::of_field(unknown(name, known)));
            };
            let error = |code| FieldError::of_parameter(parameter.name, code);
            if pairs[..place].iter().any(|(earlier, _)| earlier == name) {
                let error = error(Code::UnknownParameter).detail(format!("`{name}` is given twice."));
                return Err(Problem::of_field(error));
            }
            if holds_card_number(value) {
                let error = error(Code::CardNumberNotAllowed).detail(format!("`{name}` holds a card number."));
                return Err(Problem::of_field(error));
            }
        }
        Ok(Self(pairs))
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, if it is given; what is wrong with it is the parameter's.
    ///
    /// # Errors
    /// As `parse`.
    pub fn parsed<T, E: Into<Problem>>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        self.value(name).map(parse).transpose().map_err(|error| {
            let problem = error.into();
            if problem.errors.is_empty() { wrong(name, problem.code) } else { problem }
        })
    }

    /// Adds to a problem which parameter has it, if only one can, and what that takes.
    fn explain(&self, mut problem: Problem, known: &[QueryParameter]) -> Problem {
        if problem.errors.is_empty() {
            let mut at_fault = known.iter().filter(|parameter| {
                parameter.code == Some(problem.code) && (parameter.is_required || self.value(parameter.name).is_some())
            });
            let (Some(parameter), None) = (at_fault.next(), at_fault.next()) else { return problem };
            problem.errors.push(FieldError::of_parameter(parameter.name, problem.code));
        }
        for error in &mut problem.errors {
            let parameter = known.iter().find(|parameter| error.parameter.as_deref() == Some(parameter.name));
            if let (Some(parameter), None) = (parameter, &error.detail) {
                let given = self.value(parameter.name).unwrap_or_default();
                *error = parameter.shape.explain(parameter, given, error.clone());
            }
        }
        problem
    }
}

/// The problem of this parameter.
pub fn wrong(name: &'static str, code: Code) -> Problem {
    Problem::of_field(FieldError::of_parameter(name, code))
}

/// The problem of a parameter that nobody knows, with those that are known.
fn unknown(name: &str, known: &[QueryParameter]) -> FieldError {
    let names: Vec<_> = known.iter().map(|parameter| parameter.name).collect();
    let takes =
        if names.is_empty() { "The call takes none".to_owned() } else { format!("The call takes {}", listed(&names)) };
    // A card number is not said back, and what is long is cut.
    let (shown, detail) = if holds_card_number(name) {
        ("", format!("A parameter whose name holds a card number is not known. {takes}."))
    } else {
        let cut = name.char_indices().nth(64).map_or(name, |(end, _)| &name[..end]);
        (cut, format!("`{cut}` is not known. {takes}."))
    };
    FieldError {
        allowed: Some(names),
        ..FieldError::of_parameter(shown.to_owned(), Code::UnknownParameter).detail(detail)
    }
}

/// Names as one text.
fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Shape {
    /// Says of a value that is not of this shape what would be.
    fn explain(self, parameter: &QueryParameter, given: &str, error: FieldError) -> FieldError {
        let name = parameter.name;
        let of_names = |more: &str, names: Vec<&'static str>, error: FieldError| FieldError {
            detail: Some(format!("`{name}` is one of {}{more}.", listed(&names)).into()),
            allowed: Some(names),
            ..error
        };
        let of_several = |names, error| of_names(", or several with commas between them", names, error);
        match self {
            Self::Limit => {
                let detail = format!("`{name}` is an integer from 1 to {LIMIT_MAX}, of digits only.");
                error.detail(detail).between(1, LIMIT_MAX.into())
            }
            Self::Time => {
                let plus = if given.contains(' ') { " In a query the plus sign is written `%2B`." } else { "" };
                error
                    .detail(format!("`{name}` is an RFC 3339 time with an offset, such as 2026-11-23T09:30:00Z.{plus}"))
            }
            Self::PaymentStatuses => of_several(PaymentStatus::ALL.map(PaymentStatus::name).to_vec(), error),
            Self::RefundStatuses => of_several(RefundStatus::ALL.map(RefundStatus::name).to_vec(), error),
            Self::Names(names) => of_names("", names.to_vec(), error),
            Self::Pattern(pattern) => {
                let rule = format!("must fit the regular expression `{pattern}`. {}.", parameter.about);
                let missing = if given.is_empty() { "has to be given, and " } else { "" };
                error.detail(format!("`{name}` {missing}{rule}"))
            }
            Self::Text => error,
        }
    }
}

impl Query for () {
    const PARAMETERS: &'static [QueryParameter] = &[];

    fn read(_pairs: &Pairs) -> Result<Self, Problem> {
        Ok(())
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

/// The instant of which all is later that is later than the time: finer digits than milliseconds are cut. For lower
/// bounds.
///
/// # Errors
/// [`Code::TimeInvalid`] for what is not RFC 3339.
pub fn parse_time(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).ok_or_else(|| Code::TimeInvalid.into())
}

/// The instant of which all is earlier that is earlier than the time: finer digits than milliseconds round it up. For
/// upper bounds.
///
/// # Errors
/// [`Code::TimeInvalid`] for what is not RFC 3339.
pub fn parse_end(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse_up(text).ok_or_else(|| Code::TimeInvalid.into())
}
