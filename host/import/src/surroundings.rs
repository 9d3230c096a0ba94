//! What an import knows besides a rule's own options.
use crate::node::Node;
use crate::secrets::Secrets;

/// What a rule needs besides its own options.
pub(crate) struct Surroundings<'a> {
    /// Its name here, and in ElastAlert.
    pub(crate) slug: String,
    pub(crate) name: String,
    /// The filters of what it imports.
    pub(crate) filters: Vec<Node>,
    /// Returns the text of a file that it names.
    pub(crate) files: &'a dyn Fn(&str) -> Option<String>,
    /// Where the rule begins; nothing before it is told.
    pub(crate) begin: Option<&'a str>,
    /// The destination for messages that have no other.
    pub(crate) fallback: Option<&'a str>,
    pub(crate) secrets: &'a mut Secrets,
}
