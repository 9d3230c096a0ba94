//! The pipeline, in the order of the flow. Nothing in this crate waits or reads a clock.
pub mod spec; // rules and destinations, parsed from a manifest
pub mod message; // what is sent to people
pub mod record; // what is stored, and what one commit changes
pub mod fault; // why a run failed
pub mod input; // facts and commands in
pub mod action; // actions out
pub mod schedule; // when a rule is due
pub mod active; // when notifications may begin
pub mod matcher; // conditions that choose episodes and events
pub mod maintenance; // what an environment holds back
pub mod oncall; // who is on call
pub mod limit; // how many messages a destination is sent
mod grid; // where windows may end
mod window; // which time range a run covers
mod priming; // what a rule reads before its first window
mod signals; // a run's signals that are not committed yet
mod level; // what rules found, per labels, from first signal to end
mod config; // what a coordinator needs to know about its host
mod queue; // which rule runs next
mod partition; // one share of the rules under one epoch
mod notifier; // who is notified, and how delivery went
pub mod discover; // links to the documents
mod digest; // ids and jitter derived from what they identify
mod backoff; // how long to wait before trying again
mod reason; // why something was held or sent
mod coordinator; // what a host decides for everything it owns
pub mod health; // whether the host does its work
#[cfg(test)]
mod fixtures; // test fixtures

pub use config::Config;
pub use coordinator::Coordinator;
pub use level::CANNOT_RUN_LABEL;
pub use level::overflow::OVERFLOW_LABEL;
pub use notifier::outlook;
pub use partition::{OverflowStatus, PrimingProgress, RuleStatus, Running};
pub use reason::{DeliveryReason, HoldReason, Reason, RunReason, SendReason};
