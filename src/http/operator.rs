//! Who acts, as the header `X-Operator` says. Until there are keys it proves nothing.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use super::card_number::holds_card_number;
use super::problem::{Code, FieldError, Problem};
use crate::domain::text::is_printable;

/// As people know it.
const HEADER: &str = "X-Operator";
const NAME: HeaderName = HeaderName::from_static("x-operator");
/// In characters.
const NAME_MAX: usize = 64;

/// Whoever does not say who they are.
pub const UNNAMED: &str = "unnamed";

/// An operator's name, without spaces around it.
///
/// # Errors
/// [`Code::OperatorInvalid`], [`Code::CardNumberNotAllowed`].
pub fn operator_name(text: &str) -> Result<&str, Code> {
    let name = text.trim_matches([' ', '\t']);
    if holds_card_number(name) {
        return Err(Code::CardNumberNotAllowed);
    }
    let is_valid = (1..=NAME_MAX).contains(&name.chars().count()) && name.chars().all(is_printable);
    if is_valid { Ok(name) } else { Err(Code::OperatorInvalid) }
}

/// Who asks: up to 64 printable characters, in UTF-8.
///
/// # Errors
/// A name that is there and is none is refused: the trail would say nothing of who it was.
pub fn operator(request: &HttpRequest) -> Result<String, Problem> {
    let mut values = request.headers().get_all(&NAME).map(|value| value.as_bytes());
    let refused = |code, detail: &'static str| Problem::of_field(FieldError::of_header(HEADER, code).detail(detail));
    let Some(value) = values.next() else { return Ok(UNNAMED.to_owned()) };
    if values.next().is_some() {
        return Err(refused(Code::OperatorInvalid, "The header was sent twice."));
    }
    let text = std::str::from_utf8(value).map_err(|_| refused(Code::OperatorInvalid, "It is not UTF-8."))?;
    operator_name(text).map(str::to_owned).map_err(|code| match code {
        Code::CardNumberNotAllowed => refused(code, "It holds a card number."),
        _ => refused(code, "It has 1 to 64 printable characters."),
    })
}
