//! How large, how deep, how many. What passes a limit is told of that file, never read in part.

/// A file, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files read below one folder, and by what they import.
pub(crate) const FILES_MAX: usize = 20_000;
/// Folders inside each other.
pub(crate) const FOLDERS_MAX: usize = 16;
/// Maps and lists inside each other.
pub(crate) const DEPTH_MAX: usize = 64;
/// Scalars, maps and lists of one file, its aliases written out.
pub(crate) const NODES_MAX: usize = 100_000;
/// Files that one rule imports, one another's imports included.
pub(crate) const IMPORTS_MAX: usize = 100;
