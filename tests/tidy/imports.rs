//! Which paths a file names, and which files they lead to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::lexer::{Kind, Token};
use crate::project::{Project, Source};

/// A path that a file names, in a `use` or in the middle of its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Segments as written: `crate`, `super` and `self` are not resolved.
    pub path: Vec<String>,
    /// The name that a `use` binds it to; none for a path in code.
    pub bound: Option<String>,
    /// Whether it is passed on (`pub use`), which is a public module and not a need.
    pub passed_on: bool,
    /// The line, from 1.
    pub line: usize,
}

/// All paths that `tokens` name. A group such as `use a::{b, c::d}` is one path for each leaf.
pub fn named(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let next_is_generic = tokens.get(at + 1).is_some_and(|token| token.is_mark('<'));
        if tokens[at].is_word("use") && !next_is_generic {
            let passed_on = at > 0 && (tokens[at - 1].is_word("pub") || tokens[at - 1].is_mark(')'));
            let mut leaves = Vec::new();
            at = use_tree(tokens, at + 1, &[], &mut leaves);
            found.extend(leaves.into_iter().map(|named| Named { passed_on, ..named }));
        } else if tokens[at].word().is_some() {
            let (path, end) = plain_path(tokens, at);
            if path.len() > 1 {
                found.push(Named { path, bound: None, passed_on: false, line: tokens[at].line });
            }
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

fn plain_path(tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some(word) = tokens.get(at).and_then(Token::word) {
        path.push(word.to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|token| token.kind != Kind::PathSeparator) {
            break;
        }
        at += 1;
    }
    (path, at)
}

fn use_tree(tokens: &[Token], at: usize, before: &[String], leaves: &mut Vec<Named>) -> usize {
    let leading = tokens.get(at).is_some_and(|token| token.kind == Kind::PathSeparator);
    let begins = at + usize::from(leading);
    let (path, mut at) = plain_path(tokens, begins);
    let mut path = [before, &path].concat();
    match tokens.get(at) {
        Some(token) if token.is_mark('{') => {
            at += 1;
            while tokens.get(at).is_some_and(|token| !token.is_mark('}')) {
                let end = use_tree(tokens, at, &path, leaves);
                if end == at {
                    break; // not Rust; the compiler will say so
                }
                at = end + usize::from(tokens.get(end).is_some_and(|token| token.is_mark(',')));
            }
            return at + 1;
        }
        Some(token) if token.is_mark('*') => {
            leaves.push(Named { path, bound: Some("*".to_owned()), passed_on: false, line: token.line });
            return at + 1;
        }
        _ => {}
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop(); // `a::{self, b}` names `a`
    }
    let mut bound = path.last().cloned();
    if tokens.get(at).is_some_and(|token| token.is_word("as")) {
        bound = tokens.get(at + 1).and_then(Token::word).map(str::to_owned);
        at += 2;
    }
    if let Some(token) = tokens.get(begins).filter(|_| !path.is_empty()) {
        leaves.push(Named { path, bound, passed_on: false, line: token.line });
    }
    at.max(begins + usize::from(leading))
}

/// Where a path of `source` leads inside the package, from its root; `None` for other crates and local names.
pub fn resolve(project: &Project, source: &Source, path: &[String]) -> Option<Vec<String>> {
    let module = source.module.as_deref()?;
    let first = path.first()?.as_str();
    match first {
        "crate" if source.room() == "runtime" => Some([&["runtime".to_owned()], &path[1..]].concat()),
        "crate" | "rialto" => Some(path[1..].to_vec()),
        "self" if path.len() > 1 => Some([module, &path[1..]].concat()),
        "super" => {
            let up = path.iter().take_while(|segment| *segment == "super").count();
            Some([&module[..module.len().saturating_sub(up)], &path[up..]].concat())
        }
        _ => {
            let child = [module, &[first.to_owned()]].concat();
            project.by_module(&child).map(|_| [module, path].concat())
        }
    }
}

/// The file in which the thing at `path` is made. A name that a module only passes on leads to where it comes from.
fn made_in<'a>(project: &'a Project, path: &[String], hops: usize) -> Option<&'a Source> {
    let length = (0..=path.len()).rev().find(|length| project.by_module(&path[..*length]).is_some())?;
    let source = project.by_module(&path[..length])?;
    let name = path.get(length);
    let passed_on =
        named(&source.tokens).into_iter().find(|named| named.bound.is_some() && named.bound.as_ref() == name);
    let further = passed_on.filter(|_| hops > 0).and_then(|named| resolve(project, source, &named.path));
    further.and_then(|further| made_in(project, &further, hops - 1)).or(Some(source))
}

/// Which files each file needs.
fn needs(project: &Project) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in &project.sources {
        for named in named(&source.needs).iter().filter(|named| !named.passed_on) {
            let target = resolve(project, source, &named.path).and_then(|path| made_in(project, &path, 8));
            if let Some(target) = target.filter(|target| target.path != source.path) {
                needs.entry(&source.path).or_default().insert(&target.path);
            }
        }
    }
    needs
}

/// The shortest cycle of imports through each file that is in one, each cycle once, beginning with its first file.
pub fn cycles(project: &Project) -> BTreeSet<Vec<String>> {
    let needs = needs(project);
    let mut found = BTreeSet::new();
    for file in needs.keys() {
        if let Some(mut cycle) = way_back(&needs, file) {
            let first = (0..cycle.len()).min_by_key(|at| cycle[*at]).unwrap_or_default();
            cycle.rotate_left(first);
            found.insert(cycle.into_iter().map(str::to_owned).collect());
        }
    }
    found
}

/// The shortest way from a file over its imports back to itself.
fn way_back<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>, file: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![file]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for target in way.last().and_then(|last| needs.get(last)).into_iter().flatten().copied() {
            if target == file {
                return Some(way);
            }
            if seen.insert(target) {
                ways.push_back([&way[..], &[target]].concat());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::lex;

    fn paths(text: &str) -> Vec<String> {
        named(&lex(text)).iter().map(|named| named.path.join("::")).collect()
    }

    #[test]
    fn every_leaf_of_a_use_is_named() {
        assert_eq!(
            paths("use a::{self, b::{c, d as e,}, super::f, g::*}; use ::h; use i; use {j, $k}; use $l;"),
            ["a", "a::b::c", "a::b::d", "a::super::f", "a::g", "h", "i", "j"]
        );
    }

    #[test]
    fn paths_in_code_and_attributes_are_named() {
        let text = "#[a::b(c)] fn d(e: crate::f::G) -> impl H + use<> { super::super::i::<J>(k.l) }";
        assert_eq!(paths(text), ["a::b", "crate::f::G", "super::super::i"]);
    }

    #[test]
    fn cycles_of_any_length_are_found_once() {
        let both =
            |a: &str, b: &str| cycles(&Project::of(&[("src/x/a.rs", a), ("src/x/b.rs", b), ("src/x/mod.rs", "")]));
        assert_eq!(both("use super::b::B;", "fn f() { crate::x::a::f() }").len(), 1);
        assert_eq!(both("use super::b::B;", "use super::c::C;").len(), 0);
        assert_eq!(both("use super::b::B;", "#[cfg(test)] mod tests { use crate::x::a::A; }").len(), 0);
        let three = Project::of(&[
            ("src/x/b.rs", "use super::c::C;"),
            ("src/x/c.rs", "use super::a::A;"),
            ("src/x/a.rs", "use super::b::B; use super::d::D;"),
            ("src/x/d.rs", ""),
        ]);
        assert_eq!(
            cycles(&three),
            BTreeSet::from([["src/x/a.rs", "src/x/b.rs", "src/x/c.rs"].map(str::to_owned).to_vec()])
        );
    }

    #[test]
    fn a_public_module_is_no_import_but_what_comes_through_it_is() {
        let door = "pub mod a; pub mod b; pub use a::A; pub use b::B;";
        let project = |a, b| Project::of(&[("src/x/mod.rs", door), ("src/x/a.rs", a), ("src/x/b.rs", b)]);
        assert_eq!(cycles(&project("use super::B;", "struct B;")), BTreeSet::new());
        let pair = ["src/x/a.rs", "src/x/b.rs"].map(str::to_owned).to_vec();
        assert_eq!(cycles(&project("use super::B;", "use crate::x::A;")), BTreeSet::from([pair]));
        let own = Project::of(&[("src/x/mod.rs", "mod a; use a::A; struct X;"), ("src/x/a.rs", "use super::X;")]);
        assert_eq!(cycles(&own).len(), 1);
    }
}
