//! Maximum sizes, depths and counts. Exceeding a limit is an error of the file; a file is never read in part.
use watchbell_contract::Duration;

/// Bytes of a manifest or environment file. A larger file is not read at all.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Nesting depth of maps and lists.
pub(crate) const DEPTH_MAX: usize = 64;
/// Scalars, maps and lists in one file.
pub(crate) const NODES_MAX: usize = 100_000;
/// Manifests below one root.
pub(crate) const FILES_MAX: usize = 20_000;
/// Files of macros that rules share.
pub(crate) const MACRO_FILES_MAX: usize = 200;
/// Files and folders of any name below one root.
pub(crate) const ENTRIES_MAX: usize = 200_000;
/// Bytes of a certificate authority's file, or of a client certificate's.
pub(crate) const PEM_BYTES_MAX: u64 = 1024 * 1024;
/// Nesting depth of folders.
pub(crate) const FOLDERS_MAX: usize = 16;
/// Bytes of a module that a manifest names by path.
pub(crate) const MODULE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The shortest interval between runs of a rule.
pub(crate) const EVERY_MIN: Duration = Duration::from_secs(1);
/// How far back a module's plan may make a first run read.
pub(crate) const HISTORY_MAX: Duration = Duration::from_hours(24 * 400);
/// The longest interval between checks in a module's plan.
pub(crate) const GRID_MAX: Duration = Duration::from_hours(24 * 7);
/// The most memory that a manifest may allow a module: as much as 32 bits can address.
pub(crate) const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// The most bytes that a manifest may allow a rule to keep, and to return from one run.
pub(crate) const KEPT_BYTES_MAX: u64 = 512 << 20;
/// Bytes of one response of a cluster: by default, at least and at most.
pub(crate) const PAGE_BYTES: u64 = 64 << 20;
pub(crate) const PAGE_BYTES_MIN: u64 = 64 << 10;
pub(crate) const PAGE_BYTES_MAX: u64 = 1 << 30;
/// The longest time that a manifest may allow one run, or one call of a module.
pub(crate) const RUN_MAX: Duration = Duration::from_hours(24);
/// Errors that one report shows; the rest are counted.
pub(crate) const DIAGNOSTICS_MAX: usize = 1_000;
/// Bytes of a secret.
pub(crate) const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// The time limit for a secret's program.
pub(crate) const SECRET_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(10);
/// Recipients of a mail: as many as every server must accept (RFC 5321, 4.5.3.1.8).
pub(crate) const RECIPIENTS_MAX: usize = 100;
/// The least bytes of a key that signs links, as `watchbell_links` has it.
pub(crate) const ACK_KEY_BYTES_MIN: usize = 32;
