//! How large, how deep, how many. What passes a limit is a fault of that file, never a partial read.

/// A manifest or environment file, in bytes. A larger file is not read at all.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Maps and lists inside each other.
pub(crate) const DEPTH_MAX: usize = 64;
/// Scalars, maps and lists of one file.
pub(crate) const NODES_MAX: usize = 100_000;
/// Manifests below one root.
pub(crate) const FILES_MAX: usize = 20_000;
/// Folders inside each other.
pub(crate) const FOLDERS_MAX: usize = 16;
/// A module that a manifest names by path, in bytes.
pub(crate) const MODULE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Faults that one report shows; the rest is counted.
pub(crate) const DIAGNOSTICS_MAX: usize = 1_000;
/// A secret, in bytes.
pub(crate) const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// How long a secret's program may take.
pub(crate) const SECRET_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(10);
