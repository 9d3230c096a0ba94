//! Limits. A file that exceeds one is reported and never read in part.

/// Size of a file, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files read from one folder, including imports.
pub(crate) const FILES_MAX: usize = 20_000;
/// Files and folders of any name below one folder.
pub(crate) const ENTRIES_MAX: usize = 200_000;
/// Depth of nested folders.
pub(crate) const FOLDERS_MAX: usize = 16;
/// Depth of nested maps and lists.
pub(crate) const DEPTH_MAX: usize = 64;
/// Scalars, maps and lists in one file, with aliases expanded.
pub(crate) const NODES_MAX: usize = 100_000;
/// Files that one rule imports, directly or indirectly.
pub(crate) const IMPORTS_MAX: usize = 100;
/// Bytes of the texts and keys that anchors and aliases of one file repeat.
pub(crate) const ALIAS_BYTES_MAX: usize = 16 << 20;
/// How often one file is parsed again, each time with spaces that mean nothing in one more place.
pub(crate) const INDENTS_MAX: usize = 100;
