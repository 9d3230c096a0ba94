//! Files, as read and as they are to be written.

/// A file of ElastAlert's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Below the folder that was read, with `/`; `../` leads out of it to what a rule imports from there.
    pub path: String,
    /// Its text, or why there is none.
    pub text: Result<String, String>,
}

/// A file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Below the folder of rules, with `/`.
    pub path: String,
    pub text: String,
}
