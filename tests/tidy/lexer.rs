//! Just enough of Rust's lexical structure for the rules: comments and literals fall away, so that no rule
//! trips over a word in a string, and what only tests see can be cut out.

/// A piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Word(String),
    PathSeparator,
    Mark(char),
    Literal,
}

/// A piece of code and the line it is on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub line: usize,
}

impl Token {
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// The code of `text`, without comments, and with every literal reduced to the fact that there is one.
pub fn lex(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(&here) = chars.get(at) {
        let rest = &chars[at..];
        let (length, kind) = if here.is_whitespace() {
            (1, None)
        } else if rest.starts_with(&['/', '/']) {
            (rest.iter().take_while(|c| **c != '\n').count(), None)
        } else if rest.starts_with(&['/', '*']) {
            (block_comment(rest), None)
        } else if let Some(length) = string(rest).or_else(|| character(rest)) {
            (length, Some(Kind::Literal))
        } else if here.is_alphabetic() || here == '_' {
            let raw = if rest.starts_with(&['r', '#']) { 2 } else { 0 };
            let word: String = rest[raw..].iter().take_while(|c| is_word_part(**c)).collect();
            (raw + word.chars().count(), Some(Kind::Word(word)))
        } else if here.is_ascii_digit() {
            (rest.iter().take_while(|c| is_word_part(**c)).count(), Some(Kind::Literal))
        } else if rest.starts_with(&[':', ':']) {
            (2, Some(Kind::PathSeparator))
        } else if here == '\'' {
            (1 + rest[1..].iter().take_while(|c| is_word_part(**c)).count(), None) // a lifetime
        } else {
            (1, Some(Kind::Mark(here)))
        };
        tokens.extend(kind.map(|kind| Token { kind, line }));
        line += rest[..length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    tokens
}

/// The functions that have a body: name, first and last line.
pub fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let tokens = lex(text);
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let Some(name) = pair[1].word().filter(|_| pair[0].is_word("fn")) else { continue };
        let (mut depth, mut is_body) = (0_i32, false);
        for token in &tokens[at + 2..] {
            match token.kind {
                Kind::Mark('(' | '[' | '{') => {
                    is_body |= token.is_mark('{') && depth == 0;
                    depth += 1;
                }
                Kind::Mark(')' | ']' | '}') => depth -= 1,
                Kind::Mark(';') if depth == 0 => break,
                _ => {}
            }
            if is_body && depth == 0 {
                found.push((name.to_owned(), pair[0].line, token.line));
                break;
            }
        }
    }
    found
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(&['/', '*']) {
            (at, depth) = (at + 2, depth + 1);
        } else if rest[at..].starts_with(&['*', '/']) {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of the string literal of any kind that `rest` begins with.
fn string(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let raw = rest[..prefix].contains(&'r');
    if prefix > 2 || (hashes > 0 && !raw) || rest.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let mut at = prefix + hashes + 1;
    while at < rest.len() {
        match rest[at] {
            '\\' if !raw => at += 2,
            '"' if rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                return Some(at + 1 + hashes);
            }
            _ => at += 1,
        }
    }
    Some(rest.len())
}

/// The length of the character literal that `rest` begins with; a lifetime is none.
fn character(rest: &[char]) -> Option<usize> {
    let prefix = usize::from(rest.first() == Some(&'b'));
    if rest.get(prefix) != Some(&'\'') {
        return None;
    }
    if rest.get(prefix + 1) == Some(&'\\') {
        let escaped = rest.get(prefix + 3..)?.iter().position(|c| *c == '\'')?;
        return Some(prefix + 3 + escaped + 1);
    }
    (rest.get(prefix + 2) == Some(&'\'')).then_some(prefix + 3)
}

/// What is left without the items under `#[cfg(test)]`, and the names of the modules in other files among those.
pub fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut test_modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let Some(attribute) = test_attribute(&tokens[at..]) else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let mut item = at + attribute;
        while tokens.get(item).is_some_and(|token| token.is_mark('#')) {
            item += bracketed(&tokens[item + 1..]) + 1;
        }
        let end = item + item_length(&tokens[item..]);
        let words: Vec<&str> = tokens[item..end].iter().filter_map(Token::word).collect();
        if let (Some(position), true) = (words.iter().position(|word| *word == "mod"), tokens[end - 1].is_mark(';')) {
            test_modules.extend(words.get(position + 1).map(|name| (*name).to_owned()));
        }
        at = end;
    }
    (kept, test_modules)
}

/// The length of `#[cfg(test)]` or `#[cfg(all(test, ..))]` if `tokens` begin with it.
fn test_attribute(tokens: &[Token]) -> Option<usize> {
    let begins = tokens.first()?.is_mark('#') && tokens.get(1)?.is_mark('[') && tokens.get(2)?.is_word("cfg");
    let length = begins.then(|| 1 + bracketed(&tokens[1..]))?;
    let words: Vec<&str> = tokens[3..length].iter().filter_map(Token::word).collect();
    matches!(words.as_slice(), ["test"] | ["all", "test", ..]).then_some(length)
}

/// The length of the item that `tokens` begin with: to its `;`, or to the end of its block; to the comma of a field.
fn item_length(tokens: &[Token]) -> usize {
    let ends_with_semicolon = tokens.iter().take(6).any(|token| token.is_word("use"));
    let is_item = tokens.first().and_then(Token::word).is_some_and(|word| {
        ["pub", "fn", "mod", "use", "impl", "struct", "enum", "const", "static", "type", "trait", "async", "unsafe"]
            .contains(&word)
    });
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at].kind {
            Kind::Mark(';') => return at + 1,
            Kind::Mark(',') if !is_item => return at + 1,
            Kind::Mark('{') if !ends_with_semicolon => return at + bracketed(&tokens[at..]),
            Kind::Mark('(' | '[' | '{') => at += bracketed(&tokens[at..]),
            Kind::Mark('}') => return at.max(1),
            _ => at += 1,
        }
    }
    tokens.len()
}

/// The length of the bracketed group that `tokens` begin with.
fn bracketed(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        lex(text).iter().filter_map(Token::word).map(str::to_owned).collect()
    }

    fn words_without_tests(text: &str) -> Vec<String> {
        without_tests(lex(text)).0.iter().filter_map(Token::word).map(str::to_owned).collect()
    }

    #[test]
    fn comments_and_literals_fall_away() {
        let text = r####"a // b
            /* c /* d */ e */ f
            "g \" h" r#"i " j"# 'k' '\'' b'l' b"m" br##"n"# o"## '\u{1F600}' p<'q> r#type 0xff_u8 s"####;
        assert_eq!(words(text), ["a", "f", "p", "type", "s"]);
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let tokens = lex("a\n\"x\ny\" b\n/* \n */ c");
        let lines: Vec<(Option<&str>, usize)> = tokens.iter().map(|token| (token.word(), token.line)).collect();
        assert_eq!(lines, [(Some("a"), 1), (None, 2), (Some("b"), 3), (Some("c"), 5)]);
    }

    #[test]
    fn items_of_tests_are_cut_out() {
        let text = "fn a() {} #[cfg(test)] mod tests { fn b() { if x { y } } } fn c() {}";
        assert_eq!(words_without_tests(text), ["fn", "a", "fn", "c"]);
        let text = "#[cfg(test)] use d::{e, f}; #[cfg(all(test, unix))] #[derive(G)] pub struct H { i: j } k";
        assert_eq!(words_without_tests(text), ["k"]);
        assert_eq!(words_without_tests("struct A { #[cfg(test)] b: C, d: E }"), ["struct", "A", "d", "E"]);
        assert_eq!(words_without_tests("#[cfg(not(test))] fn a() {}").last().unwrap(), "a");
    }

    #[test]
    fn modules_of_tests_in_other_files_are_named() {
        let (kept, modules) = without_tests(lex("#[cfg(test)] mod tests; #[cfg(test)] pub(crate) mod testing; mod a;"));
        assert_eq!(modules, ["tests", "testing"]);
        assert!(kept[0].is_word("mod") && kept[1].is_word("a"));
    }
}
