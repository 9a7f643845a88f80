//! What the header `Content-Type` says (RFC 9110, 8.3).

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};

/// Whether it names JSON in UTF-8: `application/json`, with whatever parameters beside a `charset`, which has to be
/// UTF-8. None if there is no such header.
pub fn is_json(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(CONTENT_TYPE)?;
    Some(value.to_str().is_ok_and(is_json_type))
}

fn is_json_type(value: &str) -> bool {
    let (kind, mut rest) = value.split_once(';').unwrap_or((value, ""));
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        return false;
    }
    while let Some((parameter, after)) = next_parameter(rest) {
        rest = after;
        // RFC 9110, 5.6.6: between two semicolons there may be nothing.
        if parameter.is_empty() {
            continue;
        }
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
            return false;
        }
    }
    true
}

/// The first parameter, and what comes after it. A semicolon in a quoted string is part of it.
fn next_parameter(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let (mut is_quoted, mut is_escaped) = (false, false);
    let ends = text.bytes().position(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b';' => return !is_quoted,
            _ => {}
        }
        false
    });
    let (parameter, after) = ends.map_or((text, ""), |ends| (&text[..ends], &text[ends + 1..]));
    Some((parameter.trim(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_any_parameters_but_another_charset_is_json() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json;",
            "application/json ; charset=utf-8",
            "application/json; foo=bar; charset=\"UTF-8\"",
            "application/json;;charset=utf-8;",
            r#"application/json; foo="a; charset=latin1 \" ;"; charset=utf-8"#,
        ] {
            assert!(is_json_type(value), "{value}");
        }
        for value in [
            "",
            "text/plain",
            "text/json",
            "application/json5",
            "application/jsonp; charset=utf-8",
            "application/problem+json",
            "application/json; charset=latin1",
            "application/json; foo=bar; charset=utf-16",
            "application/json; charset",
            "application/json, text/plain",
        ] {
            assert!(!is_json_type(value), "{value}");
        }
    }
}
