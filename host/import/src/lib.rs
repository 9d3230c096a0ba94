//! Turns a folder of ElastAlert rules into a folder of manifests, or Alertmanager's configuration into an environment, and
//! reports what became of every option.
//!
//! [`read`] reads, [`import`] and [`import_alertmanager`] decide without any IO, [`write`] writes. Environment variables are never looked up and
//! credentials are never written out: manifests refer to both by name.
mod limits; // sizes, depths and counts
mod files; // as read, and to write
mod folder; // files in, files out
mod mask; // tokens and variables, out of the parser's sight
mod scalar; // plain scalars as Python reads them
mod node; // a document's nodes, with their places
mod indent; // indentation that Python accepts
mod tree; // text → nodes
mod report; // what became of every option
mod known; // every option, and what it belongs to
mod config; // which file is the configuration, and what it says of folders
mod sources; // files → the configuration, rules, and what they import
mod options; // the options of one rule, and what becomes of each
mod names; // names and paths as manifests have them
mod duration; // `{ minutes: 5 }`
mod hours; // when a rule may notify
mod filter; // queries
mod lucene; // queries as Lucene syntax
mod rule_types; // `type:` and its options
mod texts; // alert texts as templates
mod secrets; // credentials, referred to by name
mod alerters; // destinations
mod clusters; // `es_host` and related options
mod pace; // how often a rule notifies
mod receivers; // whom a rule notifies
mod surroundings; // what an import knows besides a rule's own options
mod rule; // one rule → one manifest
mod yaml; // the output
mod import; // all of it, in order
mod alertmanager; // Alertmanager's configuration
mod check; // what `watchbell check` would say

pub use alertmanager::{AlertmanagerSettings, import_alertmanager};
pub use files::{File, SourceFile};
pub use folder::{WriteFault, read, read_config, read_file, write};
pub use import::{Import, Settings, import};
pub use names::slug;
pub use report::{
    Became, Fate, Fault, OptionOutcome, PassedOver, Report, RuleOutcome, SecretNeeded, TokenNeeded,
};
