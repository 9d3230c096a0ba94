//! The read model: what a host reports about itself, and what its store knows without it. `status`, `explain`,
//! `/status`, `/explain`, health and metrics render these types and no others. Records and statuses go in; there is no
//! IO and no clock.
#![deny(missing_docs)]

mod time; // times in JSON
mod cause; // what is wrong
mod run; // the last run of a rule
mod rule; // a rule, live or stored
mod decision; // why something waits, is sent, or is held
mod episode; // a level as people see it
mod delivery; // a message and the state of its delivery
mod outlook; // what comes of an episode
mod gap; // time that was not evaluated
mod status; // the rules of a host
mod explanation; // everything about one rule
mod explained_episode; // everything about one episode
mod snapshot; // a consistent snapshot of a running host, built from changes
mod schema; // JSON schemas

pub use cause::{CauseKind, CauseView, Health};
pub use decision::{Decision, DecisionKind};
pub use delivery::{DeliveryView, Fate, MessageCause};
pub use episode::{Ending, EpisodeView, NotifiedView, Phase, Severity};
pub use explained_episode::{ActView, EpisodeExplanation, Facts, MessageView};
pub use explanation::{Explanation, History, SHOWN_MAX, Source};
pub use gap::{GapReason, GapView};
pub use outlook::{ComingView, HoldView, SilenceView, StepFate, StepView};
pub use rule::{EvaluatesAfter, OverflowView, PrimingView, RuleView, Stored};
pub use run::RunView;
pub use schema::{schema_explain, schema_explain_episode, schema_status};
pub use snapshot::{HostState, Model, Snapshot, Update};
pub use status::{Status, StoredHost};
pub use time::Time;

/// The version of `Status`, `Explanation` and `EpisodeExplanation`. Adding members does not change it; renaming or removing one, or changing
/// its meaning, increments it.
pub const VERSION: u32 = 1;
