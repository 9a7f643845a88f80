//! The rules. Each takes the project and gives a line for everything that breaks it.

use crate::imports::{self, named, resolve};
use crate::lexer::{self, Kind, Token};
use crate::project::{Project, Source};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 80;
const COLUMNS_MAX: usize = 120;

/// The layers, top to bottom: a room may import from those below it, and from itself. `config` stands beside `infra`
/// and may be read by it, because an adapter is built from its settings; nothing goes the other way.
const LAYERS: [&[&str]; 9] = [
    &["http_tests"],
    &["main"],
    &["cli", "fuzzing", "simulation"],
    &["node"],
    &["http"],
    &["flows"],
    &["actors"],
    &["infra", "config"],
    &["domain", "runtime", "entities", "migrations"],
];

/// A library and the rooms that may know it, with the reason.
const WALLS: [(&[&str], &[&str], &str); 4] = [
    (&["sea_orm", "sea_orm_migration", "sqlx"], &["infra", "entities", "migrations"], "only adapters speak SQL"),
    (&["rdkafka", "bb8_redis", "redis"], &["infra"], "only adapters speak to Kafka and Redis"),
    (
        &["actix_web", "actix_http", "actix_service"],
        &["http", "node", "main", "cli"],
        "HTTP ends at the door; node and the program start and stop its server",
    ),
    (
        &["actix", "actix_rt"],
        &["runtime", "main", "cli"],
        "the runtime is what makes actix safe to use; the program starts its System",
    ),
];

/// Rooms whose numbers may be money.
const MONEY: [&str; 5] = ["domain", "flows", "actors", "entities", "migrations"];

/// All rules over the whole project.
pub fn broken(project: &Project) -> Vec<String> {
    let rules = [layers, cycles, walls, lengths, columns, functions, floats, panics, leftovers, headers];
    rules.iter().flat_map(|rule| rule(project)).collect()
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().rev().position(|rooms| rooms.contains(&room))
}

fn layers(project: &Project) -> Vec<String> {
    let mut broken = Vec::new();
    let in_layers = |source: &&Source| source.module.is_some() && source.path != "src/lib.rs";
    for source in project.sources.iter().filter(in_layers) {
        let room = source.room();
        let Some(from) = layer(room) else {
            broken.push(format!("{}: the room {room} is in no layer; give it one in tests/tidy/rules.rs", source.path));
            continue;
        };
        for named in named(&source.tokens) {
            let inside = resolve(project, source, &named.path).and_then(|path| path.first().cloned());
            let sibling_crate = named.path.first().filter(|first| ["entities", "migrations"].contains(&first.as_str()));
            let Some(target) = inside.as_ref().or(sibling_crate).map(String::as_str) else { continue };
            let allowed = target == room || (room, target) == ("infra", "config");
            if layer(target).is_some_and(|to| to >= from) && !allowed {
                let path = named.path.join("::");
                broken.push(format!(
                    "{}:{}: {room} may not import {path}: no import runs up or across",
                    source.path, named.line
                ));
            }
        }
    }
    broken
}

fn cycles(project: &Project) -> Vec<String> {
    imports::cycles(project)
        .iter()
        .map(|cycle| format!("{} imports itself by way of {}", cycle[0], cycle[1..].join(", ")))
        .collect()
}

fn walls(project: &Project) -> Vec<String> {
    let mut broken = Vec::new();
    for source in project.sources.iter().filter(|source| source.is_product()) {
        for named in named(&source.tokens) {
            for (libraries, rooms, why) in WALLS {
                if libraries.contains(&named.path[0].as_str()) && !rooms.contains(&source.room()) {
                    let path = named.path.join("::");
                    broken.push(format!("{}:{}: {path} does not belong here: {why}", source.path, named.line));
                }
            }
        }
    }
    broken
}

fn lengths(project: &Project) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let long = project.sources.iter().filter(|source| lines(source) > FILE_LINES_MAX);
    long.map(|source| {
        format!("{}: {} lines, more than {FILE_LINES_MAX}: is it one concept?", source.path, lines(source))
    })
    .collect()
}

/// Lines that do not fit a window, comments and literals included.
fn columns(project: &Project) -> Vec<String> {
    let mut broken = Vec::new();
    for source in &project.sources {
        let long = source.text.lines().enumerate().filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
        broken.extend(long.map(|(at, _)| format!("{}:{}: over {COLUMNS_MAX} columns", source.path, at + 1)));
    }
    broken
}

/// Functions that do not fit a screen, of tests too.
fn functions(project: &Project) -> Vec<String> {
    let mut broken = Vec::new();
    for source in &project.sources {
        for (name, begins, ends) in lexer::functions(&source.text) {
            let lines = ends - begins + 1;
            if lines > FUNCTION_LINES_MAX {
                broken.push(format!("{}:{begins}: {name} has {lines} lines, over {FUNCTION_LINES_MAX}", source.path));
            }
        }
    }
    broken
}

fn floats(project: &Project) -> Vec<String> {
    let mut broken = Vec::new();
    for source in project.sources.iter().filter(|source| source.is_product() && MONEY.contains(&source.room())) {
        for token in source.tokens.iter().filter(|token| token.is_word("f32") || token.is_word("f64")) {
            broken.push(format!("{}:{}: a float where money is counted", source.path, token.line));
        }
    }
    broken
}

fn panics(project: &Project) -> Vec<String> {
    let mut broken = Vec::new();
    for source in project.sources.iter().filter(|source| source.is_product()) {
        let lines: Vec<&str> = source.text.lines().collect();
        for call in source.tokens.windows(3) {
            let [dot, name, parenthesis] = call else { continue };
            let panics = ["unwrap", "expect", "unwrap_err", "expect_err"].iter().any(|panics| name.is_word(panics));
            if dot.is_mark('.') && panics && parenthesis.is_mark('(') && !says_why(&lines, name.line) {
                broken.push(format!(
                    "{}:{}: a panic without `// invariant: why it cannot happen`",
                    source.path, name.line
                ));
            }
        }
    }
    broken
}

/// Whether line `line` (from 1), or a comment right above it or above the chain of calls that it continues, names the
/// invariant.
fn says_why(lines: &[&str], line: usize) -> bool {
    let mut above = lines[..line].iter().rev().map(|line| line.trim());
    let states_it = |text: &str| text.contains("// invariant: ");
    let mut head = "";
    for text in above.by_ref() {
        if states_it(text) {
            return true;
        }
        head = text;
        if !text.starts_with('.') && !text.starts_with("//") {
            break;
        }
    }
    !head.is_empty() && above.take_while(|text| text.starts_with("//")).any(states_it)
}

fn leftovers(project: &Project) -> Vec<String> {
    let mut broken = Vec::new();
    for source in project.sources.iter().filter(|source| !source.path.starts_with("tests/tidy/")) {
        for (at, text) in source.text.lines().enumerate() {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some(word) = words.find(|word| ["TODO", "FIXME"].contains(word)) {
                broken.push(format!("{}:{}: {word}: do it or open an issue", source.path, at + 1));
            }
        }
        let is_macro = |name: &Token, mark: &Token| {
            ["todo", "unimplemented", "dbg"].iter().any(|left| name.is_word(left)) && mark.kind == Kind::Mark('!')
        };
        for pair in source.tokens.windows(2).filter(|pair| is_macro(&pair[0], &pair[1])) {
            let name = pair[0].word().unwrap_or_default();
            broken.push(format!("{}:{}: {name}! is not finished work", source.path, pair[0].line));
        }
    }
    broken
}

fn headers(project: &Project) -> Vec<String> {
    let without = project.sources.iter().filter(|source| {
        source.path.starts_with("src/actors/") && !source.tokens.is_empty() && !source.text.starts_with("//!")
    });
    without
        .map(|source| format!("{}: an actor's file begins with a //! header that says what it does", source.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rule = fn(&Project) -> Vec<String>;

    #[track_caller]
    fn breaks(rule: Rule, path: &str, text: &str) {
        let found = rule(&Project::of(&[(path, text), ("src/lib.rs", ""), ("src/config.rs", "")]));
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
        assert!(found[0].starts_with(path), "{found:?}");
    }

    #[track_caller]
    fn keeps(rule: Rule, path: &str, text: &str) {
        let found = rule(&Project::of(&[(path, text), ("src/lib.rs", ""), ("src/config.rs", "")]));
        assert_eq!(found, Vec::<String>::new(), "{path}: {text}");
    }

    #[test]
    fn no_import_runs_up_or_across() {
        breaks(layers, "src/actors/a.rs", "use crate::http::Problem;");
        breaks(layers, "src/actors/a.rs", "use crate::{domain::Money, flows::refund};");
        breaks(layers, "src/actors/a.rs", "fn f() { crate::node::start() }");
        breaks(layers, "src/actors/deep/a.rs", "use super::super::super::http::x;");
        breaks(layers, "src/domain/a.rs", "use crate::runtime::Clock;");
        breaks(layers, "src/domain/a.rs", "fn f(row: entities::payment::Model) {}");
        breaks(layers, "runtime/src/lib.rs", "pub use rialto::domain::Timestamp;");
        breaks(layers, "src/config.rs", "use crate::infra::cache;");
        breaks(layers, "src/node.rs", "use crate::cli::serve;");
        breaks(layers, "src/cellar/a.rs", "");
        keeps(layers, "src/main.rs", "use rialto::cli::{load, serve}; use rialto::node;");
        keeps(layers, "src/infra/a.rs", "use crate::config::Psp; use crate::domain::Money; use entities::payment;");
        keeps(
            layers,
            "src/actors/a.rs",
            "use super::b::B; use crate::actors::c; // crate::http\nconst T: &str = \"crate::http\";",
        );
        keeps(layers, "src/domain/a.rs", "#[cfg(test)] mod tests { use crate::actors::x; }");
    }

    #[test]
    fn libraries_stay_behind_their_walls() {
        breaks(walls, "src/actors/a.rs", "use sea_orm::EntityTrait;");
        breaks(walls, "src/flows/a.rs", "fn f() { rdkafka::x() }");
        breaks(walls, "src/http/a.rs", "use {std::fmt, bb8_redis::bb8};");
        breaks(walls, "src/flows/a.rs", "use actix_web::web;");
        breaks(walls, "src/actors/a.rs", "#[derive(actix::Message)] struct A;");
        breaks(walls, "src/actors/a.rs", "fn f() { actix_rt::spawn(g()) }");
        keeps(walls, "src/infra/a.rs", "use sea_orm::EntityTrait; use rdkafka::x;");
        keeps(walls, "entities/src/a.rs", "use sea_orm::entity::prelude::*;");
        keeps(walls, "src/http/a.rs", "use actix_web::web;");
        keeps(walls, "runtime/src/a.rs", "use actix::Actor; use actix_rt::System;");
        keeps(walls, "src/flows/a.rs", "#[cfg(test)] mod tests { use actix_web::test; }");
        keeps(walls, "tests/api/main.rs", "use sea_orm::Database;");
    }

    #[test]
    fn files_stay_readable() {
        breaks(lengths, "tests/a.rs", &"\n".repeat(FILE_LINES_MAX + 1));
        keeps(lengths, "tests/a.rs", &"\n".repeat(FILE_LINES_MAX));
    }

    #[test]
    fn lines_and_functions_fit_a_screen() {
        breaks(columns, "src/a.rs", &format!("// {}", "x".repeat(COLUMNS_MAX)));
        keeps(columns, "src/a.rs", &format!("// {}", "ü".repeat(COLUMNS_MAX - 3)));
        let function =
            |lines: usize| format!("impl A {{\nfn f<const N: usize>() -> [u8; N] {{\n{}}}\n}}", "x;\n".repeat(lines));
        breaks(functions, "src/a.rs", &function(FUNCTION_LINES_MAX - 1));
        keeps(functions, "src/a.rs", &function(FUNCTION_LINES_MAX - 2));
        breaks(functions, "tests/a.rs", &function(FUNCTION_LINES_MAX));
        keeps(functions, "src/a.rs", "trait A { fn f(); }");
    }

    #[test]
    fn money_is_never_a_float() {
        breaks(floats, "src/domain/a.rs", "fn f(x: i64) -> i64 { (x as f64) }");
        breaks(floats, "entities/src/a.rs", "struct A { amount: Option<f32> }");
        keeps(floats, "src/domain/a.rs", "// f64\nfn f() -> i64 { 1 } #[cfg(test)] mod tests { const X: f64 = 1.0; }");
        keeps(floats, "src/cli/a.rs", "fn f(x: f64) {}");
    }

    #[test]
    fn a_panic_says_why_it_cannot_happen() {
        breaks(panics, "src/domain/a.rs", "fn f() { x.unwrap() }");
        breaks(panics, "src/domain/a.rs", "fn f() {\n    // it is fine\n    x.expect(\"y\")\n}");
        breaks(panics, "src/domain/a.rs", "// invariant: too far away\nfn f() {\n    x.unwrap()\n}");
        breaks(panics, "migrations/src/a.rs", "fn f() {\n    x\n        .expect_err(\"y\")\n}");
        keeps(panics, "src/domain/a.rs", "// invariant: x is there\nx.unwrap()");
        keeps(panics, "src/domain/a.rs", "x.unwrap() // invariant: x is there");
        keeps(panics, "src/domain/a.rs", "// invariant: x is there,\n// as shown\nx\n    .y()\n    .expect(\"z\")");
        keeps(panics, "src/domain/a.rs", "x.y()\n    // invariant: x is there\n    .expect(\"z\")");
        keeps(
            panics,
            "src/domain/a.rs",
            "x.unwrap_or(1); self.expected(); #[cfg(test)] mod tests { fn f() { x.unwrap() } }",
        );
        keeps(panics, "examples/a.rs", "fn main() { x.unwrap() }");
    }

    #[test]
    fn nothing_is_left_unfinished() {
        breaks(leftovers, "src/a.rs", "fn f() { todo!() }");
        breaks(leftovers, "src/a.rs", "fn f() { dbg!(1); }");
        breaks(leftovers, "tests/a.rs", "// FIXME later");
        breaks(leftovers, "src/a.rs", "/// TODO: docs");
        keeps(leftovers, "src/a.rs", "const METHOD: &str = \"todo!\"; fn todo() {} // TODOS, todo");
    }

    #[test]
    fn an_actor_introduces_itself() {
        breaks(headers, "src/actors/a.rs", "use x::y;");
        keeps(headers, "src/actors/a.rs", "//! Does something.\nuse x::y;");
        keeps(headers, "src/actors/mod.rs", "\n");
    }

    #[test]
    fn files_do_not_import_each_other() {
        let project = Project::of(&[("src/http/a.rs", "use super::b::B;"), ("src/http/b.rs", "use super::a::A;")]);
        assert_eq!(cycles(&project), ["src/http/a.rs imports itself by way of src/http/b.rs"]);
    }
}
