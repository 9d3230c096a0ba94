//! Reads and writes files: the only module that touches the disk.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use watchbell_outside::{ReadError, Walk, WalkError};

use crate::files::{File, SourceFile};
use crate::limits::{ENTRIES_MAX, FILE_BYTES_MAX, FILES_MAX, FOLDERS_MAX};
use crate::node::Data;
use crate::sources::{imports, is_yaml, resolve};
use crate::tree::{Document, parse};

/// Why not everything was written.
#[derive(Debug, Error)]
pub enum WriteFault {
    /// These files exist already; nothing was written.
    #[error("{} would be overwritten", list(.0))]
    Exists(Vec<PathBuf>),
    #[error("`{}` cannot be written", .path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().take(5).map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}

/// Reads every `.yaml` and `.yml` below `folder`, and what these import or read from elsewhere. Skips hidden entries:
/// Kubernetes keeps second copies in them.
///
/// # Errors
/// `folder` itself cannot be read, or holds more than 20,000 such files. A file that cannot be read is returned with
/// the reason in place of its text.
pub fn read(folder: &Path) -> std::io::Result<Vec<SourceFile>> {
    let walk = Walk {
        is_wanted: &|path| is_yaml(&path.to_string_lossy()),
        is_skipped: &|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")),
        folders_max: FOLDERS_MAX,
        entries_max: ENTRIES_MAX,
    };
    let walked = walk.below(folder);
    let below = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
    let mut sources = Vec::new();
    for (path, error) in walked.faults {
        match error {
            WalkError::Io(error) if path == folder => return Err(error),
            error if path == folder => return Err(std::io::Error::other(format!("it {error}"))),
            error => sources.push(SourceFile { path: below(&path), text: Err(error.to_string()) }),
        }
    }
    let mut found: Vec<String> = walked.files.iter().map(|path| below(path)).collect();
    if found.len() > FILES_MAX {
        return Err(std::io::Error::other(format!("more than {FILES_MAX} files")));
    }
    found.sort();
    let seen: BTreeSet<String> = found.iter().cloned().collect();
    let mut waiting: Vec<(String, bool)> = found.into_iter().map(|path| (path, false)).collect();
    waiting.reverse();
    follow(folder, waiting, seen, &mut sources);
    Ok(sources)
}

/// Reads ElastAlert's configuration from `file`, in `folder` or not, if it is not among `sources` yet. Returns its path
/// there.
///
/// # Errors
/// It cannot be read.
pub fn read_config(folder: &Path, file: &Path, sources: &mut Vec<SourceFile>) -> std::io::Result<String> {
    let (within, whole) = (fs::canonicalize(folder)?, fs::canonicalize(file)?);
    let path = whole.strip_prefix(&within).unwrap_or(&whole).to_string_lossy().into_owned();
    let seen: BTreeSet<String> = sources.iter().map(|source| source.path.clone()).collect();
    if !seen.contains(&path) {
        text(&whole).map_err(std::io::Error::other)?;
        follow(folder, vec![(path.clone(), true)], seen, sources);
    }
    Ok(path)
}

/// Reads the files that are waiting, and those to which they refer.
fn follow(
    folder: &Path,
    mut waiting: Vec<(String, bool)>,
    mut seen: BTreeSet<String>,
    sources: &mut Vec<SourceFile>,
) {
    while let Some((path, is_import)) = waiting.pop() {
        let text = text(&folder.join(&path));
        if let Ok(text) = &text
            && (is_import || is_yaml(&path))
            && let Ok(document) = parse(&Arc::from(path.as_str()), text)
        {
            for (name, is_import) in named(&document) {
                for target in candidates(folder, &path, &name) {
                    if seen.len() < FILES_MAX && seen.insert(target.clone()) {
                        waiting.push((target, is_import));
                    }
                }
            }
        }
        sources.push(SourceFile { path, text });
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
}

/// Other files that a document refers to; `true`: as YAML.
fn named(document: &Document) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> =
        imports(document).into_iter().map(|(name, _)| (name, true)).collect();
    for entry in &document.entries {
        match (entry.key.as_str(), &entry.value.data) {
            ("jinja_template_path", Data::Text(path)) => found.push((path.clone(), false)),
            ("blacklist" | "whitelist", Data::List(items)) => {
                let texts = items.iter().filter_map(|item| item.text());
                found.extend(
                    texts.filter_map(|text| Some((text.strip_prefix("!file")?.trim().to_string(), false))),
                );
            }
            _ => {}
        }
    }
    found
}

/// Imports are relative to their file; other paths to the file or to ElastAlert's working directory.
fn candidates(folder: &Path, from: &str, name: &str) -> Vec<String> {
    let both = [resolve(from, name), resolve("", name)];
    both.into_iter().filter(|path| folder.join(path).is_file()).take(1).collect()
}

/// Reads one file; one that cannot be read has the reason in place of its text.
#[must_use]
pub fn read_file(path: &Path) -> SourceFile {
    let name = path.file_name().unwrap_or(path.as_os_str());
    SourceFile { path: name.to_string_lossy().into_owned(), text: text(path) }
}

fn text(path: &Path) -> Result<String, String> {
    watchbell_outside::read_text(path, FILE_BYTES_MAX).map_err(|error| match error {
        ReadError::TooLarge { .. } => format!("is larger than {} KiB", FILE_BYTES_MAX / 1024),
        ReadError::NotAFile(what) => format!("is not a file but {what}"),
        ReadError::NotText => "is not UTF-8".into(),
        error => format!("cannot be read: {error}"),
    })
}

/// Writes the files of an import below `folder`.
///
/// # Errors
/// Without `overwrite`, nothing is written if any file exists already. Stops at the first file that cannot be written;
/// the files before it stay.
pub fn write(folder: &Path, files: &[File], overwrite: bool) -> Result<(), WriteFault> {
    let there: Vec<PathBuf> = files
        .iter()
        .map(|file| folder.join(&file.path))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    if !overwrite && !there.is_empty() {
        return Err(WriteFault::Exists(there));
    }
    for file in files {
        let path = folder.join(&file.path);
        let put = || -> std::io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, &file.text)
        };
        put().map_err(|source| WriteFault::Unwritable { path: path.clone(), source })?;
    }
    Ok(())
}
