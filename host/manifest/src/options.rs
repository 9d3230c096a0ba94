//! What to load, beside the files.

/// What one load goes by.
pub struct Options<'a> {
    /// The name of the file that is laid over `default.yaml`.
    pub environment: &'a str,
    /// Values that stand in for tokens of the environment, read as a plain YAML scalar would be.
    pub token_overrides: &'a [(String, String)],
    /// Variables of the process: for secrets only.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a secret that is not there is a fault. Off where only manifests are looked at.
    pub check_secrets: bool,
}
