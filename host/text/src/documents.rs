//! The documents behind a signal, in its details.
use serde_json::Value;

/// The names of a signal's documents, and of the note on missing ones, in its details.
pub const DOCUMENTS: &str = "documents";
pub const DOCUMENTS_NOTE: &str = "documents_note";
/// Used instead of the first, if the rule itself uses that name.
pub const DOCUMENTS_ELSE: &str = "_documents";

/// The documents in a signal's details.
pub(super) fn documents(details: &Value) -> &[Value] {
    let named = [DOCUMENTS_ELSE, DOCUMENTS].iter().find_map(|name| details.get(name)?.as_array());
    named.map_or(&[], Vec::as_slice)
}
