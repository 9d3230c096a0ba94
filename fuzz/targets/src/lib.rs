//! What each fuzz target does with its input. The fuzzer calls these functions, and so do the tests, with the corpus and
//! with everything that was ever found.
//!
//! An input is text wherever the real one is. A function panics where a promise is broken.
mod sections; // several texts in one input
mod manifest; // a bundle: manifest, environment, overlay, tokens, tests
mod lucene; // query strings and regular expressions
mod lucene_text; // a query as text again
mod answers; // what clusters answer
mod importer; // an ElastAlert folder
mod registry; // what registries answer
mod node; // requests to the embedded node
mod discover; // links into Kibana
mod texts; // templates and what they show
mod searches; // what a rule may ask

pub use answers::{buckets, hits};
pub use discover::discover;
pub use importer::importer;
pub use lucene::lucene;
pub use manifest::manifest;
pub use node::node;
pub use registry::registry;
pub use searches::searches;
pub use texts::texts;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 10] = [
    ("manifest", manifest),
    ("lucene", lucene),
    ("hits", hits),
    ("buckets", buckets),
    ("importer", importer),
    ("registry", registry),
    ("node", node),
    ("discover", discover),
    ("texts", texts),
    ("searches", searches),
];
