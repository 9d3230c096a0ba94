//! The read model: what a host says of itself, and what its store says without it. `status`, `explain`, `/status`,
//! `/explain`, health and metrics render these types and no others. No IO, no clock: records and statuses go in.
#![deny(missing_docs)]

mod time; // times as JSON has them
mod cause; // what is wrong
mod run; // the last run of a rule
mod rule; // a rule, live or stored
mod decision; // why something waits, goes out or does not
mod episode; // a level as people see it
mod delivery; // a message and what became of it
mod gap; // what was not evaluated
mod status; // all rules of a host
mod explanation; // one rule, and everything about it
mod snapshot; // one consistent picture of a running host, built from changes
mod schema; // the shape of it all

pub use cause::{CauseKind, CauseView, Health};
pub use decision::{Decision, DecisionKind};
pub use delivery::{DeliveryView, Fate, MessageCause};
pub use episode::{Ending, EpisodeView, NotifiedView, Phase, Severity};
pub use explanation::{Explanation, History, SHOWN_MAX, Source};
pub use gap::{GapReason, GapView};
pub use rule::{PrimingView, RuleView, Stored};
pub use run::RunView;
pub use schema::{schema_explain, schema_status};
pub use snapshot::{HostState, Model, Snapshot, Update};
pub use status::{Status, StoredHost};
pub use time::Time;

/// The version of `Status` and `Explanation`. Members may be added under it; one that is renamed, removed or changes its
/// meaning raises it.
pub const VERSION: u32 = 1;
