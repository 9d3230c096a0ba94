//! A project's files: how large they may be, and when they were written.
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use watchbell_outside::{Walk, Walked};

/// Bytes of a file of a project, such as `package.json`.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a component.
pub(crate) const MODULE_BYTES_MAX: u64 = 64 << 20;
/// A project's files and folders, and how deep they lie.
const ENTRIES_MAX: usize = 200_000;
const FOLDERS_MAX: usize = 32;

pub(crate) fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// When the newest file or folder at or below `path` was written.
pub(crate) fn newest(path: &Path) -> Option<SystemTime> {
    let found = if path.is_dir() { below(path, &|_| false) } else { Walked::default() };
    let below = found.folders.iter().chain(&found.files).filter_map(|path| written(path));
    below.chain(written(path)).max()
}

/// Every file below `folder` but those at or below what is skipped. What cannot be read is left to the tools that
/// build the project.
pub(crate) fn below(folder: &Path, is_skipped: &dyn Fn(&Path) -> bool) -> Walked {
    let walk = Walk { is_wanted: &|_| true, is_skipped, folders_max: FOLDERS_MAX, entries_max: ENTRIES_MAX };
    walk.below(folder)
}
