//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use crate::http::problem::{Code, FieldError, Problem};

/// As people know it.
pub(super) const KEY_HEADER: &str = "Idempotency-Key";
/// As a name: a text is copied into one for each look.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request's key; none if it has no such header.
///
/// # Errors
/// [`Code::IdempotencyKeyInvalid`].
pub fn header_key(request: &HttpRequest) -> Result<Option<Cow<'_, str>>, Problem> {
    read(request.headers().get_all(&IDEMPOTENCY_KEY).map(|value| value.as_bytes()))
}

/// One value at most: bare, or the draft's item, a quoted string (RFC 9651 section 3.3.3). Its parameters are left
/// aside, as the RFC asks of those that are not known.
pub(super) fn read<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Cow<'a, str>>, Problem> {
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("The header was sent twice."));
    }
    let text = std::str::from_utf8(value).map_err(|_| invalid("It has a character that is not printable ASCII."))?;
    if !text.starts_with('"') {
        return Ok(Some(Cow::Borrowed(text)));
    }
    // Most strings have neither escapes nor parameters.
    let plain = text[1..].strip_suffix('"').filter(|text| text.bytes().all(is_plain));
    if let Some(plain) = plain {
        return Ok(Some(Cow::Borrowed(plain)));
    }
    match sfv::Parser::new(text).parse::<sfv::Item>().map(|item| item.bare_item) {
        Ok(sfv::BareItem::String(key)) => Ok(Some(Cow::Owned(String::from(key)))),
        _ => Err(invalid("It begins with a quote and is no string of RFC 9651.")),
    }
}

/// What a string has that is as it is meant.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

fn invalid(why: &'static str) -> Problem {
    Problem::of_field(FieldError::of_header(KEY_HEADER, Code::IdempotencyKeyInvalid).detail(why))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_header_key_comes_bare_or_quoted_and_once() {
        let read_key = |texts: &[&str]| read(texts.iter().map(|text| text.as_bytes())).map(|key| key.map(String::from));
        assert_eq!(read_key(&[]).unwrap(), None);
        for (sent, meant) in [
            ("abc", "abc"),
            ("", ""),
            (r"a\b", r"a\b"),
            ("abc;a=1", "abc;a=1"),
            ("it is \"quoted\"", "it is \"quoted\""),
            ("\"abc\"", "abc"),
            ("\"\"", ""),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("\"abc1\";a=1", "abc1"),
            ("\"abc1\"; a; b=?0;c=\"x;y\"; d=1.5;e=tok;f=:YQ==:", "abc1"),
            (r#""a;b=1\"";c"#, "a;b=1\""),
        ] {
            assert_eq!(read_key(&[sent]).unwrap().as_deref(), Some(meant), "{sent}");
        }
        for bad in [
            &["a", "a"][..],
            &["a", "b"],
            &["\"abc\";a", "\"abc\";a"],
            &["\""],
            &["\"abc"],
            &[r#""a"b""#],
            &[r#""a\b""#],
            &[r#""a\""#],
            &["\"abc\" x"],
            &["\"abc\", \"abc\""],
            &["\"abc\";"],
            &["\"abc\";A=1"],
            &["\"abc\";a="],
            &["\"abc\" ;a=1"],
        ] {
            let problem = read_key(bad).unwrap_err();
            assert_eq!(
                (problem.code, problem.errors[0].header),
                (Code::IdempotencyKeyInvalid, Some(KEY_HEADER)),
                "{bad:?}"
            );
            assert!(problem.errors[0].detail.is_some());
        }
        assert!(read([&b"caf\xe9"[..]].into_iter()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read([bytes.as_slice()].into_iter());
        }
    }
}
