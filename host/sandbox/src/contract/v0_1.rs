//! The contract 0.1.
pub(crate) mod bindings; // generated from it
pub(crate) mod convert; // between the generated types and the host's nouns
