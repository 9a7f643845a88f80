//! The project's own lint: the layers, what may be known where, and what no file may hold.
//! It reads source text and compiles nothing; the rules and their reasons are in `rules.rs`.

mod imports;
mod lexer;
mod project;
mod rules;

#[test]
fn source_follows_the_rules() {
    let project = project::Project::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(project.sources.iter().any(|source| source.path == "src/lib.rs"), "the repository was not found");
    let broken = rules::broken(&project);
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
