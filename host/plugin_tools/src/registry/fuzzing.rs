//! Readers of a registry's answers, for the fuzz targets.
use super::{artifact, session};

/// What a registry's manifest says of its module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub digest: String,
    pub bytes: u64,
    pub signatures: String,
}

/// The most that a module may have.
pub const MODULE_BYTES_MAX: u64 = artifact::MODULE_BYTES_MAX;

/// Reads a manifest.
///
/// # Errors
/// Why it has no usable module.
pub fn manifest(answer: &[u8]) -> Result<Layer, String> {
    artifact::read(answer).map(|artifact::Layer { digest, bytes, signatures }| Layer {
        digest,
        bytes,
        signatures,
    })
}

/// A parameter of the challenge in a 401.
#[must_use]
pub fn parameter(challenge: &str, name: &str) -> Option<String> {
    session::parameter(challenge, name)
}
