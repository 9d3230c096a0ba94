//! The pipeline, left to right. Nothing in this crate waits, and nothing in it reads a clock.
pub mod spec; // what a rule and a destination are, once a manifest has been understood
pub mod message; // what is said to people
pub mod record; // what is kept, and what one commit changes
pub mod fault; // why a run failed
pub mod input; // facts and commands in
pub mod action; // orders out
pub mod schedule; // when a rule is due
pub mod active; // when something may begin to be announced
mod grid; // where windows may end
mod window; // which slice of time a run covers
mod priming; // what a rule reads before its first window
mod signals; // what a run found that was not committed before
mod level; // what rules found, per labels, from first signal to end
mod config; // what a coordinator needs to know of its host
mod queue; // whose turn it is
mod partition; // one share of the rules under one epoch
mod notifier; // who hears of it, and what became of that
pub mod text; // what people read
pub mod discover; // where they look at the documents
mod digest; // names and spreads derived from what they name
mod backoff; // how long to wait before trying again
mod reason; // why something was held or sent
mod coordinator; // what a host decides for all that it owns
pub mod health; // whether it does its work
#[cfg(test)]
mod fixtures; // what its tests begin with

pub use config::Config;
pub use coordinator::Coordinator;
pub use partition::{PrimingProgress, RuleStatus, Running};
pub use reason::{DeliveryReason, HoldReason, Reason, RunReason, SendReason};
