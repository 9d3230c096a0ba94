//! When files were written.
use std::fs;
use std::path::Path;
use std::time::SystemTime;

pub(crate) fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// When the newest file below `path` was written.
pub(crate) fn newest(path: &Path) -> Option<SystemTime> {
    let below = fs::read_dir(path).into_iter().flatten().flatten().filter_map(|entry| newest(&entry.path()));
    below.chain(written(path)).max()
}
