//! Whatever the program says goes through one writer.
use std::fs;
use std::path::{Path, PathBuf};

use crate::world::repository;

/// The one that may.
const WRITER: &str = "host/app/src/cli/terminal.rs";
/// Calls that reach a terminal without it.
const CALLS: [&str; 9] =
    ["println!", "eprintln!", "print!", "eprint!", "dbg!", "stdout()", "stderr()", "/dev/tty", "/dev/stdout"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The lines that write past it, by number. Comments do not count, nor does a call in quotation marks.
fn calls(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let call = CALLS.into_iter().find(|call| {
            code.match_indices(call).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                !before
                    .is_some_and(|char| char.is_alphanumeric() || char == '_' || char == '"' || char == '`')
            })
        });
        found.extend(call.map(|call| (number, call)));
    }
    found
}

#[test]
fn the_host_writes_to_a_terminal_in_one_place() {
    let root = repository();
    let mut found = Vec::new();
    for package in fs::read_dir(root.join("host")).expect("a folder").flatten() {
        sources(&package.path().join("src"), &mut found);
    }
    assert!(found.len() > 200, "the sources were not found");
    let mut past = Vec::new();
    for path in found {
        let place = path.strip_prefix(root).expect("below it").display().to_string();
        // What authors of plugins are told about these calls names them. The compiler's process has the host at its other
        // end, which cleans what it says.
        if [WRITER, "host/plugin_tools/src/advice.rs", "host/sandbox/src/compile/confined.rs"]
            .contains(&place.as_str())
        {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a file");
        past.extend(calls(&text).into_iter().map(|(line, call)| format!("{place}:{line}: {call}")));
    }
    assert!(
        past.is_empty(),
        "write by `cli::print`, `cli::note` or `Terminal` instead:\n{}",
        past.join("\n")
    );
    assert!(
        !calls(&fs::read_to_string(root.join(WRITER)).expect("a file")).is_empty(),
        "nothing would be found"
    );
}

#[test]
fn a_call_is_found_where_it_stands() {
    let text = "use std::io;\n    println!(\"a\");\n    // eprintln!()\n    my_print!(1);\n    \"dbg!\"\n    \
                io::stdout().lock();\n";
    assert_eq!(calls(text), [(2, "println!"), (6, "stdout()")]);
}
