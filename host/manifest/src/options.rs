//! What to load, besides the files.

/// The options of one load.
pub struct Options<'a> {
    /// The name of the environment file to merge over `default.yaml`.
    pub environment: &'a str,
    /// Values that override tokens of the environment; each is read as a plain YAML scalar.
    pub token_overrides: &'a [(String, String)],
    /// Looks up environment variables of the process; used only for secrets.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Whether a missing secret is an error. Off if only manifests are checked.
    pub check_secrets: bool,
}
