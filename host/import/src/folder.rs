//! Reads and writes files: the only module that touches the disk.
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::files::{File, SourceFile};
use crate::limits::{FILE_BYTES_MAX, FILES_MAX, FOLDERS_MAX};
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
    let mut found = Vec::new();
    walk(folder, "", &mut found, 0)?;
    if found.len() > FILES_MAX {
        return Err(std::io::Error::other(format!("more than {FILES_MAX} files")));
    }
    found.sort();
    let mut seen: BTreeSet<String> = found.iter().cloned().collect();
    let mut sources = Vec::new();
    let mut waiting: Vec<(String, bool)> = found.into_iter().map(|path| (path, false)).collect();
    waiting.reverse();
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
    Ok(sources)
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

fn walk(folder: &Path, below: &str, found: &mut Vec<String>, depth: usize) -> std::io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if name.starts_with('.') || found.len() > FILES_MAX {
            continue;
        }
        match fs::metadata(entry.path()) {
            Ok(about) if about.is_dir() && depth < FOLDERS_MAX => walk(folder, &path, found, depth + 1)?,
            // A path this deep is most likely a symlink loop; reading it as a file reports the error.
            Ok(about) if about.is_dir() => found.push(path),
            Ok(about) if about.is_file() && is_yaml(&name) => found.push(path),
            // Reported when it is read.
            Err(_) if is_yaml(&name) => found.push(path),
            _ => {}
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| {
        let words = error.to_string();
        // Without the operating system's error number.
        format!("cannot be read: {}", words.split(" (os error").next().unwrap_or(&words).to_lowercase())
    })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is larger than {} KiB", FILE_BYTES_MAX / 1024));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".into())
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
