//! The pipeline, left to right. Nothing in this crate waits, and nothing in it reads a clock.
pub mod spec; // what a rule and a destination are, once a manifest has been understood
pub mod message; // what is said to people
pub mod record; // what is kept, and what one commit changes
pub mod fault; // why a run failed
pub mod order; // facts in, orders out: the engine's two languages
pub mod schedule; // when a rule is due
pub mod active; // when something may begin to be told
mod grid; // where windows may end
mod window; // which slice of time a run covers
mod priming; // what a rule reads before its first window
mod queue; // whose turn it is
mod signals; // what a run found that was not told before
mod level; // what rules found, per labels, from first signal to end
mod transition; // what passes from rules to whoever tells people
mod ledger; // what changed becomes one write at a time
mod notifier; // who hears of it, and what became of that
pub mod text; // what people read
pub mod discover; // where they look at the documents
mod digest; // names and spreads derived from what they name
mod reason; // why something was held or sent
mod engine; // the machine that moves the others
pub mod health; // whether it does its work
#[cfg(test)]
mod fixtures; // what its tests begin with

pub use engine::{Engine, EngineConfig, PrimingProgress, RuleStatus, Running};
pub use reason::{DeliveryReason, HoldReason, Reason, RunReason, SendReason};
