//! Finds and reads files.
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::limits::{FILE_BYTES_MAX, FILES_MAX, FOLDERS_MAX};
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

fn walk(root: &Path, tests: bool, faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut walk = Walk { root, tests, above: Vec::new(), found: Vec::new(), faults };
    walk.folder(root);
    walk.found.sort();
    walk.found
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, Diagnostic> {
    let unreadable = |error: std::io::Error| fault(path, format!("cannot be read: {}", words(&error)));
    let about = fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(fault(path, "is not a file"));
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(too_large(path, Some(about.len())));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    // The file may grow after its size was checked.
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large(path, None));
    }
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

struct Walk<'a> {
    root: &'a Path,
    /// Looks for test files instead of manifests.
    tests: bool,
    /// The real paths of the folders that we are in: following a link to one of them would never end.
    above: Vec<PathBuf>,
    found: Vec<PathBuf>,
    faults: &'a mut Vec<Diagnostic>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path) {
        let real = match folder.canonicalize() {
            Ok(real) => real,
            Err(error) => return self.unreadable(folder, &error),
        };
        if self.above.contains(&real) {
            self.faults.push(
                fault(folder, "is a link to a folder that contains it")
                    .hint("remove the link; a folder of rules must not contain itself"),
            );
            return;
        }
        if self.above.len() >= FOLDERS_MAX {
            self.faults.push(fault(folder, format!("is nested more than {FOLDERS_MAX} folders deep")));
            return;
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(folder, &error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.unreadable(folder, &error),
            }
        }
        paths.sort();
        self.above.push(real);
        for path in paths {
            self.entry(&path);
        }
        self.above.pop();
    }

    fn entry(&mut self, path: &Path) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // Editors and Kubernetes volume mounts keep their own files in hidden entries.
        if name.starts_with('.') || path == self.root.join("environments") {
            return;
        }
        let manifest =
            (name.ends_with(".yaml") || name.ends_with(".yml")) && is_test_file(path) == self.tests;
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => self.folder(path),
            Ok(_) if manifest => self.found.push(path.to_path_buf()),
            Ok(_) => {}
            Err(error) if manifest || is_loop(&error) => self.unreadable(path, &error),
            Err(_) => {}
        }
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        self.faults.push(if is_loop(error) {
            fault(path, "is a symbolic link loop").hint("remove the link")
        } else {
            fault(path, format!("cannot be read: {}", words(error)))
        });
    }
}

fn is_loop(error: &std::io::Error) -> bool {
    const ELOOP: i32 = 40;
    error.raw_os_error() == Some(ELOOP) || error.to_string().contains("symbolic link")
}
