//! The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use crate::http::problem::{Code, Problem};

/// As a name: a text is copied into one for each look.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request's key; none if it has no such header.
///
/// # Errors
/// [`Code::IdempotencyKeyInvalid`].
pub fn header_key(request: &HttpRequest) -> Result<Option<Cow<'_, str>>, Problem> {
    read(request.headers().get_all(&IDEMPOTENCY_KEY).map(|value| value.as_bytes()))
}

/// One value at most, bare or as the draft's quoted string (RFC 8941 section 3.3.3, where a backslash stands before a
/// quote or a backslash).
pub(super) fn read<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Cow<'a, str>>, Problem> {
    let Some(value) = values.next() else { return Ok(None) };
    let text = std::str::from_utf8(value).map_err(|_| Code::IdempotencyKeyInvalid)?;
    if values.next().is_some() {
        return Err(Problem::from(Code::IdempotencyKeyInvalid).detail("The header was sent twice."));
    }
    let Some(quoted) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return Ok(Some(Cow::Borrowed(text)));
    };
    if !quoted.contains(['\\', '"']) {
        return Ok(Some(Cow::Borrowed(quoted)));
    }
    let mut key = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Err(Code::IdempotencyKeyInvalid.into()),
            '\\' => match letters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(Code::IdempotencyKeyInvalid.into()),
            },
            plain => key.push(plain),
        }
    }
    Ok(Some(Cow::Owned(key)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_header_key_comes_bare_or_quoted_and_once() {
        let read_key = |texts: &[&str]| read(texts.iter().map(|text| text.as_bytes())).map(|key| key.map(String::from));
        assert_eq!(read_key(&[]).unwrap(), None);
        for (sent, meant) in
            [("abc", "abc"), ("\"abc\"", "abc"), (r#""a\"b\\c""#, r#"a"b\c"#), (r"a\b", r"a\b"), ("\"", "\""), ("", "")]
        {
            assert_eq!(read_key(&[sent]).unwrap().as_deref(), Some(meant), "{sent}");
        }
        for bad in [&["a", "a"][..], &["a", "b"], &[r#""a"b""#], &[r#""a\b""#], &[r#""a\""#]] {
            assert_eq!(read_key(bad).unwrap_err().code, Code::IdempotencyKeyInvalid, "{bad:?}");
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
