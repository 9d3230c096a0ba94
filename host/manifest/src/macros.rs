//! Macros that texts of several rules share: `texts/NAME.jinja` below the folder of rules.
use std::path::Path;

use watchbell_text::{Macros, check_macros};

use crate::files;
use crate::limits::MACRO_FILES_MAX;
use crate::report::{Diagnostic, Place};

/// The folder of macros, below that of rules.
const FOLDER: &str = "texts";

/// Every file of macros. A file with errors is among them, so that the texts that import it are not reported as well.
pub(crate) fn macros(root: &Path, faults: &mut Vec<Diagnostic>) -> Macros {
    let folder = root.join(FOLDER);
    let mut paths = files::macros(root, &folder, faults);
    if paths.len() > MACRO_FILES_MAX {
        let many = format!("{} files of macros; the maximum is {MACRO_FILES_MAX}", paths.len());
        faults.push(files::fault(&folder, many).hint("put several macros into one file"));
        paths.truncate(MACRO_FILES_MAX);
    }
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.parent() != Some(&folder) || !crate::source::is_name(&name) || name.contains('.') {
            let message = "cannot be imported: macros are in `texts/NAME.jinja`";
            let hint = "move it into `texts`, under a name of letters, digits, `-` and `_`";
            faults.push(files::fault(&path, message).hint(hint));
            continue;
        }
        match files::read(&path) {
            Err(fault) => faults.push(fault),
            Ok(source) => found.push((name, source, path)),
        }
    }
    let macros: Macros = found.iter().map(|(name, source, _)| (name.as_str(), source.as_str())).collect();
    for (name, source, path) in &found {
        if let Err(fault) = check_macros(name, &macros) {
            // An error at the end of the text may be reported on the line after it.
            let lines = u32::try_from(source.lines().count()).unwrap_or(u32::MAX).max(1);
            let place = Place { file: files::shown(path), line: fault.line.min(lines), column: fault.column };
            faults.push(Diagnostic::error(&place, fault.message));
        }
    }
    macros
}
