//! How large, how deep, how many. What passes a limit is a fault of that file, never a partial read.
use watchbell_contract::Duration;

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
/// A rule runs no more often.
pub(crate) const EVERY_MIN: Duration = Duration::from_secs(1);
/// How far back a module's plan may make a first run read.
pub(crate) const HISTORY_MAX: Duration = Duration::from_hours(24 * 400);
/// How far apart a module's plan may put its checks.
pub(crate) const GRID_MAX: Duration = Duration::from_hours(24 * 7);
/// What a manifest may allow a module: as much as 32 bits can address.
pub(crate) const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// What a manifest may allow a rule to keep, and to hand back in one run.
pub(crate) const KEPT_BYTES_MAX: u64 = 512 << 20;
/// What a manifest may allow one run, or one call of a module.
pub(crate) const RUN_MAX: Duration = Duration::from_hours(24);
/// Faults that one report shows; the rest is counted.
pub(crate) const DIAGNOSTICS_MAX: usize = 1_000;
/// A secret, in bytes.
pub(crate) const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// How long a secret's program may take.
pub(crate) const SECRET_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(10);
