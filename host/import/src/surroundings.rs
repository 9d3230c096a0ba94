//! What a rule is carried over in.
use crate::node::Node;
use crate::secrets::Secrets;

/// What a rule asks of its surroundings.
pub(crate) struct Surroundings<'a> {
    /// Its name here, and in ElastAlert.
    pub(crate) slug: String,
    pub(crate) name: String,
    /// The filters of what it imports.
    pub(crate) filters: Vec<Node>,
    /// The text of a file that it names.
    pub(crate) files: &'a dyn Fn(&str) -> Option<String>,
    /// Where messages go that have nowhere else to go.
    pub(crate) fallback: Option<&'a str>,
    pub(crate) secrets: &'a mut Secrets,
}
