//! What JSON's grammar allows and we do not: deep nesting, and a member twice in one object (RFC 8259 section 4 leaves
//! open which one counts).

use std::borrow::Cow;

/// Objects and arrays within each other. What we accept has two.
const DEPTH_MAX: usize = 32;

/// Whether a text that is JSON nests at most [`DEPTH_MAX`] deep and has no object that repeats a member. One pass, no
/// recursion, and numbers are left as they are written, however long.
pub fn is_sound(json: &[u8]) -> bool {
    // The names so far of every object that is open; an array has none.
    let mut open: Vec<Vec<Cow<'_, [u8]>>> = Vec::new();
    let mut place = 0;
    while let Some(byte) = json.get(place) {
        place += 1;
        match byte {
            b'{' | b'[' if open.len() == DEPTH_MAX => return false,
            b'{' => open.push(Vec::with_capacity(8)),
            b'[' => open.push(Vec::new()),
            b'}' | b']' => {
                let mut names = open.pop().unwrap_or_default();
                names.sort_unstable();
                if names.windows(2).any(|pair| pair[0] == pair[1]) {
                    return false;
                }
            }
            b'"' => {
                let text = &json[place..end_of_string(json, place)];
                place = (place + text.len() + 1).min(json.len());
                if let (true, Some(names)) = (json[place..].trim_ascii_start().starts_with(b":"), open.last_mut()) {
                    let Some(name) = unescaped(text) else { return false };
                    names.push(name);
                }
            }
            _ => {}
        }
    }
    true
}

/// Where the quote is that ends the string which begins at `place`.
fn end_of_string(json: &[u8], place: usize) -> usize {
    let mut end = place;
    while let Some(byte) = json.get(end) {
        match byte {
            b'"' => return end,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    json.len()
}

/// A name as it is meant; `None` if its escapes mean nothing.
fn unescaped(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !text.contains(&b'\\') {
        return Some(Cow::Borrowed(text));
    }
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).ok().map(|name| Cow::Owned(name.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn a_member_twice_is_not_sound_at_any_level() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1 , "b":2, "a" : 3}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":[{"a":{},"b":[],"a":1}]}"#,
            r#"{"a\"b":1,"a\u0022b":2}"#,
            r#"{"":1,"":2}"#,
            r#"{"\ud800":1}"#,
        ] {
            assert!(!is_sound(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn other_repetitions_are() {
        for json in [
            "1",
            r#"{"a":"a","b":"a"}"#,
            r#"{"a":{"a":1},"b":{"a":1}}"#,
            r#"[{"a":1},{"a":1},"a","a"]"#,
            r#"{"a":"{\"a\":1","b":"\\"}"#,
            r#"{"a":["b","b"],"b":1e999}"#,
        ] {
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok() && is_sound(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn nesting_ends_somewhere() {
        assert!(is_sound(nested(DEPTH_MAX).as_bytes()));
        assert!(!is_sound(nested(DEPTH_MAX + 1).as_bytes()));
        assert!(!is_sound(nested(1_000).as_bytes()));
    }
}
