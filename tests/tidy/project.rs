//! The project's Rust files, as the rules see them.

use std::path::Path;

use crate::lexer::{Token, lex, without_tests};

/// Where the tests are that are compiled as a module of the library.
const HTTP_TESTS: &str = "tests/http/";

/// One Rust file.
#[derive(Debug)]
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// As it is on disk.
    pub text: String,
    /// Its code without comments, literals and what only tests see; nothing for a file that only tests see.
    pub tokens: Vec<Token>,
    /// The same, of files that only tests see too: what a file needs is what it needs.
    pub needs: Vec<Token>,
    /// Where the package's module tree has it; `src/lib.rs` and `src/main.rs` are the root, the runtime's crate is
    /// `runtime`, as which the package passes it on, and the tests in `tests/http` are `http_tests`. `None` elsewhere.
    pub module: Option<Vec<String>>,
}

impl Source {
    /// The directory that it is in: the first name under `src/`, or the crate it belongs to.
    pub fn room(&self) -> &str {
        if self.path.starts_with(HTTP_TESTS) {
            return "http_tests";
        }
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let room = inside.split('/').next().unwrap_or(inside);
        room.strip_suffix(".rs").unwrap_or(room)
    }

    /// Whether it is product code and no test, example or benchmark.
    pub fn is_product(&self) -> bool {
        ["src/", "entities/src/", "migrations/src/", "runtime/src/"].iter().any(|root| self.path.starts_with(root))
    }
}

/// All Rust files of the repository.
#[derive(Debug)]
pub struct Project {
    pub sources: Vec<Source>,
}

impl Project {
    /// Reads the repository.
    pub fn read(root: &Path) -> Self {
        let mut files = Vec::new();
        for part in ["src", "tests", "benches", "entities", "migrations", "runtime"] {
            collect(root, &root.join(part), &mut files);
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        Self::of(&files)
    }

    /// A project of these files: path and text.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut sources = Vec::new();
        let mut test_only = Vec::new();
        for (path, text) in files {
            let (tokens, test_modules) = without_tests(lex(text));
            let folder = children_folder(path);
            test_only.extend(test_modules.into_iter().map(|module| format!("{folder}/{module}")));
            let (needs, module) = (tokens.clone(), module(path));
            sources.push(Source { path: (*path).to_owned(), text: (*text).to_owned(), tokens, needs, module });
        }
        for source in &mut sources {
            let without_suffix = source.path.trim_end_matches(".rs");
            if test_only.iter().any(|only| without_suffix == only || source.path.starts_with(&format!("{only}/"))) {
                source.tokens.clear();
            }
        }
        Self { sources }
    }

    /// The file of a module; `src/lib.rs` for the root.
    pub fn by_module(&self, module: &[String]) -> Option<&Source> {
        self.sources.iter().find(|source| source.module.as_deref() == Some(module) && source.path != "src/main.rs")
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(root, &path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let segments = path.strip_prefix(root).unwrap().iter().map(|segment| segment.to_str().unwrap());
            files.push((segments.collect::<Vec<_>>().join("/"), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn module(path: &str) -> Option<Vec<String>> {
    let elsewhere = [("runtime/src/", "runtime"), (HTTP_TESTS, "http_tests")];
    let elsewhere = elsewhere.iter().find_map(|(folder, name)| Some(((*name).to_owned(), path.strip_prefix(folder)?)));
    let (root, inside) = match elsewhere {
        Some((root, inside)) => (Some(root), inside),
        None => (None, path.strip_prefix("src/")?),
    };
    let inside = inside.strip_suffix(".rs")?;
    let mut module: Vec<String> = root.into_iter().chain(inside.split('/').map(str::to_owned)).collect();
    let is_folders_own = module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()));
    if is_folders_own {
        module.pop();
    }
    Some(module)
}

/// Where the files of a file's child modules are.
fn children_folder(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_folders_own = ["/mod.rs", "/lib.rs", "/main.rs"].iter().any(|name| path.ends_with(name));
    if is_folders_own { folder } else { path.trim_end_matches(".rs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_knows_its_place() {
        let project = Project::of(&[
            ("src/a/b.rs", ""),
            ("src/a/mod.rs", ""),
            ("src/main.rs", ""),
            ("entities/src/c.rs", ""),
            ("runtime/src/d.rs", ""),
            ("runtime/src/lib.rs", ""),
            ("tests/http/e/mod.rs", ""),
            ("tests/blackbox/e.rs", ""),
        ]);
        let module = |at: usize| project.sources[at].module.as_ref().map(|module| module.join("::"));
        assert_eq!(
            (module(0).unwrap(), module(1).unwrap(), module(2).unwrap()),
            ("a::b".into(), "a".into(), "".into())
        );
        assert_eq!((module(3), module(4), module(5)), (None, Some("runtime::d".into()), Some("runtime".into())));
        assert_eq!((module(6), module(7)), (Some("http_tests::e".into()), None));
        let rooms = project.sources[..6].iter().map(Source::room).collect::<Vec<_>>();
        assert_eq!(rooms, ["a", "a", "main", "entities", "runtime", "runtime"]);
    }

    #[test]
    fn files_that_only_tests_see_have_no_code_to_judge() {
        let project = Project::of(&[
            ("src/a/mod.rs", "#[cfg(test)] mod tests; mod b;"),
            ("src/a/tests/mod.rs", "mod deep;"),
            ("src/a/tests/deep.rs", "use x::y;"),
            ("src/a/b.rs", "#[cfg(test)] mod testing; use x::y;"),
            ("src/a/b/testing.rs", "use x::y;"),
        ]);
        let with_code: Vec<&str> = project
            .sources
            .iter()
            .filter(|source| !source.tokens.is_empty())
            .map(|source| source.path.as_str())
            .collect();
        assert_eq!(with_code, ["src/a/mod.rs", "src/a/b.rs"]);
    }
}
