//! The types of the plugin contract (`sdk/wit/watchbell.wit`) on the host's side. No IO; the only dependency is a
//! calendar, and the crate of rows that the SDK's test harness shares.
#![deny(missing_docs)]

mod time; // instants and durations, in milliseconds
mod context; // what a rule knows of its manifest
mod question; // what a rule asks
mod signal; // what a rule finds
mod intent; // what an alerter delivers

pub use context::{Call, Context};
pub use intent::{
    AlertText, AlerterAbout, Cause, Intent, Product, Receipt, RecordedCall, Refusal, Severity, TextFormat,
};
pub use question::{
    AnyOf, Ask, Buckets, Calc, ClusterView, Hits, Metric, NamedFilter, Plan, Query, Question, ROUNDS_MAX,
    RawSearch, Round, Source,
};
pub use signal::{About, Document, Evidence, Fault, Finding, Label, Problem, Selection, Signal, SignalKind};
pub use time::{Duration, NotATimestamp, Range, Timestamp, Window};
pub use watchbell_rows::{Column, Dictionary, Points, Rows, RowsFault, Values};
