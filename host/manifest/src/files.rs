//! Finds and reads files.
use std::fs;
use std::path::{Path, PathBuf};

use watchbell_outside::{ReadError, Walk, Walked};

use crate::limits::{ENTRIES_MAX, FILE_BYTES_MAX, FILES_MAX, FOLDERS_MAX};
use crate::report::{Diagnostic, Place};

/// Every manifest below `root`, sorted by path. A file or folder that cannot be read is an error; it is never skipped.
pub(crate) fn manifests(root: &Path, faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut found = walk(root, false, faults);
    if found.len() > FILES_MAX {
        faults.push(
            fault(root, format!("{} manifests; the maximum is {FILES_MAX}", found.len()))
                .hint("split the rules over several hosts"),
        );
        found.truncate(FILES_MAX);
    }
    found
}

/// The error for a folder that does not exist.
pub(crate) fn missing(root: &Path) -> Option<Diagnostic> {
    let error = fs::metadata(root).err().filter(|error| error.kind() == std::io::ErrorKind::NotFound)?;
    let hint = "run this in its parent folder, or pass another folder of rules with `--rules DIR`";
    Some(fault(root, format!("cannot be read: {}", words(&error))).hint(hint))
}

/// The test file at `path`, or every test file below it, sorted by path.
pub(crate) fn tests(path: &Path, faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    if let Some(fault) = missing(path) {
        faults.push(fault);
        return Vec::new();
    }
    if !path.is_file() {
        return walk(path, true, faults);
    }
    if !is_test_file(path) {
        faults.push(
            fault(path, "is not a test file").hint("pass a folder, or a file that ends in `.test.yaml`"),
        );
        return Vec::new();
    }
    vec![path.to_path_buf()]
}

/// Whether a file contains tests, by its name.
fn is_test_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// Every file of macros in `folder`, which is below `root`, sorted by path.
pub(crate) fn macros(root: &Path, folder: &Path, faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let is_wanted = |path: &Path| path.extension().is_some_and(|end| end == "jinja");
    // From the root, so that a link may lead to any place within it.
    walk_for(root, &is_wanted, &|path| !path.starts_with(folder), faults)
}

fn walk(root: &Path, tests: bool, faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let environments = root.join("environments");
    let is_wanted = |path: &Path| {
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        is_yaml && is_test_file(path) == tests
    };
    walk_for(root, &is_wanted, &|path| path == environments, faults)
}

fn walk_for(
    root: &Path,
    is_wanted: &dyn Fn(&Path) -> bool,
    is_elsewhere: &dyn Fn(&Path) -> bool,
    faults: &mut Vec<Diagnostic>,
) -> Vec<PathBuf> {
    let walk = Walk {
        is_wanted,
        // Editors and Kubernetes volume mounts keep their own files in hidden entries.
        is_skipped: &|path| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
                || is_elsewhere(path)
        },
        folders_max: FOLDERS_MAX,
        entries_max: ENTRIES_MAX,
    };
    let Walked { mut files, faults: found, .. } = walk.below(root);
    faults.extend(
        found
            .into_iter()
            .map(|(path, error)| fault(&path, error.to_string()).maybe_hint(error.hint().map(str::to_owned))),
    );
    files.sort();
    files
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Diagnostic> {
    let bytes = watchbell_outside::read(path, FILE_BYTES_MAX).map_err(|error| match error {
        ReadError::NotAFile(what) => fault(path, format!("is not a file but {what}")),
        ReadError::TooLarge { bytes, .. } => too_large(path, bytes),
        error => fault(path, format!("cannot be read: {error}")),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..offset];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        let place = Place { file: shown(path), line: line as u32, column: column as u32 };
        Diagnostic::error(
            &place,
            format!("is not UTF-8: byte {offset} is 0x{:02x}", error.as_bytes()[offset]),
        )
        .hint("save the file as UTF-8")
    })
}

/// A path as reports show it.
pub(crate) fn shown(path: &Path) -> std::sync::Arc<str> {
    path.display().to_string().into()
}

pub(crate) fn fault(path: &Path, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(&Place::file(&shown(path)), message)
}

/// An IO error without the operating system's error number.
pub(crate) fn words(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

fn too_large(path: &Path, bytes: Option<u64>) -> Diagnostic {
    let size = bytes.map_or_else(String::new, |bytes| format!(" ({} MiB)", bytes / (1024 * 1024)));
    fault(path, format!("is larger than 1 MiB{size}"))
        .hint("a manifest holds one rule; keep other files out of the folder of rules")
}
