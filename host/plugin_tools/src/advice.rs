//! What authors are told about sources that build for wasm but do not work in a plugin, or do not build at all.
use std::path::{Path, PathBuf};

use crate::files::{FILE_BYTES_MAX, below};

/// Crates that do not compile for a plugin, and what to do instead.
const CRATES: [(&str, &str); 3] = [
    (
        "getrandom",
        "a plugin has no randomness, which a crate asks for (rand, uuid, ahash): a rule that is run twice must find the \
         same. Derive numbers from the rows, for example with `row.key().part_of(10)`; a crate that only needs a \
         generator works without its default features (`rand = { version = \"0.10\", default-features = false }`) and \
         with a seed from the rows. `cargo tree -i getrandom` shows who asks for it",
    ),
    (
        "uuid",
        "a plugin has no randomness: derive ids from the rows (`Uuid::new_v5`, without the features `v4` and `v7`)",
    ),
    (
        "mio",
        "a plugin has no network and no threads: an alerter sends requests with `watchbell_sdk::http::send`, and a rule \
         sends none. `cargo tree -i mio` shows who asks for it (usually tokio)",
    ),
];

/// What to do about crates that cargo could not compile.
pub(crate) fn on_failure(said: &str) -> Option<&'static str> {
    let failed = |name: &str| said.contains(&format!("could not compile `{name}`"));
    CRATES.iter().find(|(name, _)| failed(name)).map(|(_, advice)| *advice)
}

/// The macros that write to a standard output or error that a plugin does not have.
const WRITERS: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];

/// Each use of standard output in the sources outside of tests, as `FILE:LINE: …`. Finds what the sources say, not
/// what other crates or macros do.
pub(crate) fn of_sources(folder: &Path) -> Vec<String> {
    let is_test = |path: &Path| path.file_stem().is_some_and(|name| name == "tests" || name == "test");
    let sources = below(&folder.join("src"), &is_test).files;
    let is_rust = |path: &&PathBuf| path.extension().is_some_and(|end| end == "rs");
    let of_file = |path: &PathBuf| {
        let text = watchbell_outside::read_text(path, FILE_BYTES_MAX).unwrap_or_default();
        let file = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        let told = |(line, name)| {
            format!("{file}:{line}: `{name}` writes nowhere in a plugin: use `watchbell_sdk::log::info`")
        };
        writers(&text).into_iter().map(told).collect::<Vec<_>>()
    };
    sources.iter().filter(is_rust).flat_map(of_file).collect()
}

/// The lines that use standard output, with the macro. Tests are expected at the end of a file.
fn writers(text: &str) -> Vec<(usize, &'static str)> {
    let mut lines = text.lines().enumerate().peekable();
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next() {
        let next = lines.peek().map_or("", |(_, next)| next.trim_start());
        if line.trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        let used = WRITERS.into_iter().find(|name| {
            code.match_indices(name).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        });
        found.extend(used.map(|name| (number + 1, name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn crates_that_cannot_be_built_come_with_advice() {
        let said = "error: The wasm32/64-unknown-unknown are not supported by default\n\
                    error: could not compile `getrandom` (lib) due to 2 previous errors";
        assert!(on_failure(said).unwrap().contains("default-features = false"));
        assert!(on_failure("error: could not compile `mio` (lib)").unwrap().contains("http::send"));
        assert_eq!(on_failure("error: could not compile `login-burst` (lib) due to 1 error"), None);
    }

    #[test]
    fn standard_output_is_found_outside_of_tests() {
        let text = "use x;\nfn f() {\n    println!(\"a\");\n    // println!(\"b\");\n    my_println!(1);\n    \
                    let y = dbg!(2); // three\n}\n\n#[cfg(test)]\nmod tests {\n    println!();\n}\n";
        assert_eq!(writers(text), [(3, "println!"), (6, "dbg!")]);
        assert_eq!(writers("#[cfg(test)]\nmod tests;\nfn g() { eprint!(\"\") }\n"), [(3, "eprint!")]);
    }

    #[test]
    fn files_of_tests_are_left_out() {
        let project = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = project.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "fn f() { println!() }\n").unwrap();
        };
        for path in ["src/lib.rs", "src/tests.rs", "src/tests/more.rs", "src/series/mod.rs", "build.rs"] {
            write(path);
        }
        let found = of_sources(project.path());
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("src/lib.rs:1: `println!` writes nowhere"), "{found:?}");
        assert!(found[1].starts_with("src/series/mod.rs:1:"), "{found:?}");
    }
}
