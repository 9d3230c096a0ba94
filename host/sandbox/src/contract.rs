//! The versions of the plugin contract that this host speaks.
pub(crate) mod v0_1;
