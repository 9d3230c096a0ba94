//! The Rust SDK for Watchbell plugins: everything that a rule or an alerter needs besides `serde` and `schemars`.
//!
//! A **rule** is a struct of parameters with a few small functions ([`Rule`]). It sees rows in order of time, and may
//! run checks at regular instants; the SDK decodes the columns and keeps the state from one run to the next.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use watchbell_sdk::prelude::*;
//!
//! /// Fires for a key that has `at_least` events `within` a duration.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Burst {
//!     at_least: u64,
//!     within: Duration,
//! }
//!
//! #[watchbell_sdk::rule(name = "burst", summary = "Fires on a burst of events with the same key")]
//! impl Rule for Burst {
//!     type State = KeyMap<EventWindow>;
//!
//!     fn plan(&self, _: &Context) -> Result<Plan, Vec<Fault>> {
//!         Ok(Plan::rows(self.within))
//!     }
//!
//!     fn row(&self, row: &Row<'_>, seen: &mut Self::State, out: &mut Signals) {
//!         let window = seen.entry(row.key());
//!         window.push(row.time(), self.within);
//!         if window.count() >= self.at_least {
//!             let signal = Signal::firing(row.labels(), row.time()).until(row.time() + self.within);
//!             out.push(signal.summary(format!("{} events within {}", window.count(), self.within)));
//!         }
//!     }
//! }
//! ```
//!
//! An **alerter** is a type that describes its products and delivers one message at a time: [`Alerter`].
//!
//! Both are tested natively with the module `testing`: rules on a virtual timeline, alerters against a scripted
//! receiver. A plugin has no clock, no threads, no randomness and no file system: a rule's time comes from rows and
//! checks.
#![deny(missing_docs)]

extern crate self as watchbell_sdk;

mod time; // instants and spans
mod grid; // the interval between checks
pub mod wire; // the bindings, generated from the contract
mod value; // a field's value
mod key; // which group a row belongs to
mod bounds; // the maximum lengths of a signal's texts
mod page; // an answer's columns, checked once
mod row; // one row of a page, typed and borrowed
mod question; // what a rule asks
mod evidence; // the documents behind what it finds
mod signal; // what it finds
mod schema; // parameters as JSON Schema
mod context; // what a run is given
mod rule; // the trait of a rule
mod run; // one evaluation of one window: rows, checks, snapshot
mod state; // what lasts from run to run, as bytes
mod layout; // a fingerprint of its type
mod table; // found by hashes, grown by small steps
mod aged; // how old a value is, and what it takes
mod key_map; // something per key
mod packed_counts; // places in time with a number at each
mod event_window; // events of the last while
mod named_map; // something per key that holds its name
mod listed; // one value, as a parameter lists it
mod value_list; // values and expressions, as parameters list them
mod cells; // something per cell of a grid
mod thresholds; // where a value stops being fine
mod level; // how often a level that lasts is told
mod steps; // a timeframe made of steps
mod two_windows; // a timeframe compared with the one before
mod measure; // a metric of many documents
mod last_seen; // when something was last seen, roughly
mod host; // the calls that a plugin may make
pub mod log; // the one import of every plugin
pub mod http; // requests of an alerter
pub mod mail; // mails of an alerter
mod alerter; // the trait of an alerter
#[doc(hidden)]
pub mod export; // what the macros expand to
#[cfg(not(target_arch = "wasm32"))]
mod grouped; // pages as a component gets them
#[cfg(not(target_arch = "wasm32"))]
pub mod testing; // rules and alerters in `cargo test`

pub use aged::{Aged, held_bytes};
pub use alerter::{AlertRefusal, AlertText, Alerter, Cause, Intent, Product, Receipt, Severity, TextFormat};
pub use cells::Cells;
pub use context::{Call, Context, Finding, Window};
pub use event_window::{EventWindow, Tally};
pub use evidence::{Document, DocumentId, Evidence, Selection};
pub use grid::{cell, cell_end, cell_start};
pub use key::{Key, Labels};
pub use key_map::{BYTES_MAX, KEYS_MAX, KeyMap, WRITTEN_MAX};
pub use last_seen::LastSeen;
pub use level::Level;
pub use listed::Listed;
pub use measure::{Measure, MetricKind, Reading};
pub use named_map::{NAME_BYTES_MAX, NAMES_MAX, Name, NamedMap, kept};
pub use question::{
    AnyOf, Ask, Buckets, Calc, ClusterView, Hits, Metric, NamedFilter, Query, Question, RawSearch, Round,
    Source,
};
pub use row::Row;
pub use rule::{Fault, Plan, Problem, Rule};
pub use run::Run;
pub use serde_json::json;
pub use signal::{Signal, SignalKind, Signals};
pub use steps::Steps;
pub use thresholds::{Bounds, Crossed};
pub use time::{Duration, Range, Timestamp};
pub use two_windows::{Direction, TwoWindows, Way};
pub use value::{Point, Value};
pub use value_list::ValueList;
pub use watchbell_sdk_macros::{Aged, alerter, rule};

/// The SDK's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the contract that this SDK's modules use: that of the package in `wit/watchbell.wit`, independent of
/// the SDK's own version. Every module carries it in its `watchbell:contract` section; a host accepts modules with its
/// own `major.minor`.
pub const CONTRACT: &str = "0.2.0";

/// What most rules need: `use watchbell_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Aged, Calc, Cells, Context, DocumentId, Duration, EventWindow, Evidence, Fault, Key, KeyMap, Labels,
        LastSeen, Level, Metric, Name, NamedMap, Plan, Point, Query, Question, Range, Row, Rule, Signal,
        Signals, Steps, Tally, Timestamp, Value, ValueList, json,
    };
}
