//! Which documents a query matches, as Elasticsearch decides it: mappings, documents, and the query languages. Used by
//! the embedded node, and by the SDK's test harness, so that a test's filter means what it means in a search.
//!
//! Nothing here does IO or reads a clock. What is not modelled is refused by name; nothing is guessed.
pub mod mapping; // fields of an index
pub mod document; // one document
pub mod value; // one indexed value
mod scalar; // scalars of JSON as text
pub mod geo; // places on Earth
pub mod text; // the standard analyzer
pub mod dates; // formats, maths, calendar, zones
pub mod names; // patterns of names
pub mod query; // which documents match
pub mod errors; // refusals
