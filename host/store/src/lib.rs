//! What outlives the process: one commit writes everything that one host decided, each part under its own tenure.
mod store; // what every store guarantees, and how it fails
mod read; // what every store reports to readers
mod memory; // the simplest implementation: for tests and simulations
mod sqlite; // the default: one file, one host
mod reader; // the same file, read by `status` and `explain` while a host owns it

#[cfg(test)]
mod tests;

pub use memory::Memory;
pub use read::{
    EpisodeFilter, EpisodeOutline, Head, IntentFilter, IntentPhase, MessageOutline, Read, StoredRule,
};
pub use reader::Reader;
pub use sqlite::{OpenError, Sqlite};
pub use store::{CommitError, Pruned, Store, StoreError, TakeoverError};
