//! A folder of ElastAlert's becomes a folder of manifests, with an account of every option.
//!
//! [`read`] reads, [`import`] decides and touches nothing, [`write`] writes. Variables of the process are never looked
//! up and credentials are never written out: both are named.
mod limits; // how large, how deep, how many
mod files; // as read, and as they are to be written
mod folder; // files in, files out
mod mask; // tokens and variables, out of the parser's sight
mod scalar; // plain scalars as Python reads them
mod node; // a document's nodes, which know where they stand
mod tree; // text → nodes
mod report; // what became of every option
mod known; // every option there is, and whose
mod shelf; // files → the configuration, rules, and what they import
mod sheet; // the options of one rule, and the account of them
mod names; // names and paths as manifests have them
mod duration; // spans of time
mod hours; // when a rule may speak
mod filter; // queries
mod lucene; // queries as Lucene syntax
mod kinds; // types of rules
mod texts; // what people read
mod secrets; // named, never written
mod alerters; // destinations
mod clusters; // where rules look
mod receivers; // whom a rule tells
mod surroundings; // what a rule is carried over in
mod rule; // one rule → one manifest
mod yaml; // what is written
mod import; // all of it, in order

pub use files::{File, Source};
pub use folder::{WriteFault, read, write};
pub use import::{Import, Settings, import};
pub use names::slug;
pub use report::{Became, Fate, Fault, OptionOutcome, Report, RuleOutcome, SecretNeeded, TokenNeeded};
