//! Files as read, and files to write.

/// A file of an ElastAlert folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to the folder that was read, with `/`; `../` for what a rule imports from outside it.
    pub path: String,
    /// Its text, or why it cannot be read.
    pub text: Result<String, String>,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path relative to the rules folder, with `/`.
    pub path: String,
    pub text: String,
}
