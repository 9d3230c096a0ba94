//! An ElastAlert folder, each file after a line `%% PATH`.
use saphyr_parser::Parser;
use watchbell_import::{Settings, SourceFile, import};

use crate::sections::{lines, sections};

/// Imports a folder: the same twice, with places inside its files, and YAML in what is written.
pub fn importer(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let files: Vec<SourceFile> = sections(input)
        .into_iter()
        .map(|(name, text)| {
            let path = if name.is_empty() { "rule.yaml" } else { name };
            SourceFile { path: path.to_owned(), text: Ok(text) }
        })
        .collect();
    for destination in [None, Some("ops-chat")] {
        let settings = Settings { destination, ..Settings::default() };
        let made = import(&files, &settings);
        assert_eq!(made, import(&files, &settings), "the same files, another import");
        let told = made.report.rules.iter().flat_map(|rule| rule.faults.iter().map(|fault| &fault.place));
        for place in told.chain(made.report.options.iter().map(|option| &option.place)) {
            let file = files.iter().filter(|file| *file.path == *place.file);
            let most = file.map(|file| file.text.as_deref().map_or(0, lines)).max();
            assert!(most.is_some_and(|most| place.line <= most + 1), "{place}");
        }
        for file in &made.files {
            let is_within = !file.path.starts_with('/') && file.path.split('/').all(|part| part != "..");
            assert!(is_within, "it writes to {}", file.path);
            // A manifest's own reader masks tokens in the same way: YAML allows no plain text that begins with `@`.
            let masked = file.text.replace("@@", "__");
            if let Some(Err(fault)) = Parser::new_from_str(&masked).find(Result::is_err) {
                panic!("{}: {fault}\n{}", file.path, file.text);
            }
        }
    }
}
