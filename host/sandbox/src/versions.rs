//! Which versions of the plugin contract this host offers.

/// The newest version of the contract that this host supports, `major.minor`.
pub const CONTRACT: &str = "0.2";

/// All supported versions, oldest first.
pub(crate) const OFFERED: &[&str] = &[CONTRACT];

/// `0.4` of `0.4.2`: the part that must match.
pub(crate) fn track(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Whether a module built for `version` needs a newer host.
pub(crate) fn is_newer(version: &str) -> bool {
    let parts = |text: &str| -> Vec<u32> { text.split('.').map(|part| part.parse().unwrap_or(0)).collect() };
    parts(version) > parts(CONTRACT)
}
