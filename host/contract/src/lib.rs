//! The types of the plugin contract (`sdk/wit/watchbell.wit`) on the host's side. No IO; the only dependency is a
//! calendar.
#![deny(missing_docs)]

mod time; // instants and durations, in milliseconds
mod rows; // answers, as columns
mod question; // what a rule asks
mod signal; // what a rule finds
mod intent; // what an alerter delivers

pub use intent::{AlertText, AlerterAbout, Cause, Intent, Product, Receipt, Refusal, Severity, TextFormat};
pub use question::{
    AnyOf, Ask, Buckets, Calc, ClusterView, Hits, Metric, NamedFilter, Plan, Question, ROUNDS_MAX, RawSearch,
};
pub use rows::{Column, Dictionary, Rows, RowsFault, Values};
pub use signal::{About, Evidence, Fault, Finding, Label, Problem, Signal, SignalKind};
pub use time::{Duration, NotATimestamp, Range, Timestamp, Window};
