//! The sandbox: runs plugin modules, and holds what they may do. The only crate that names wasmtime.
mod kind; // what a module is
mod versions; // of the contract that this host offers
mod limits; // how much one call into a module may cost
mod bytes; // sizes, as a manifest writes them
mod inspect; // what a module says before any of it runs
mod engine; // the compiler, the pool of instances, the clock's ticks
mod cache; // compiled modules on disk
mod sandbox; // the door: modules in, callable rules and alerters out
mod os; // this thread's computing time, this process's user
mod clock; // how long a module has computed
mod guest; // what the host keeps for one run: its clock, memory, log and access
mod capabilities; // what a module may import, in one list
mod contract; // the versions of the contract, each an adapter of its own
mod call; // one call into a module, and what ended it
mod fault; // why a run failed, in an operator's words
mod plan; // what a rule plans, checked
mod finding; // what a rule returned, checked
mod rule; // rule modules and their runs
mod cases; // rule modules on the timeline of the SDK's cases
mod alerter; // alerter modules and deliveries
mod secret; // values that no text may show

pub use alerter::AlerterModule;
pub use capabilities::Capability;
pub use capabilities::http::{Algorithm, Auth, Destination, DestinationError, DestinationSettings, Grants};
pub use capabilities::log::LogLine;
pub use cases::CaseRunner;
pub use engine::{Config, SandboxError};
pub use fault::{GuestFault, RunError};
pub use inspect::{Inspection, LoadFault, Misuse};
pub use kind::Kind;
pub use limits::Limits;
pub use rule::{RuleModule, RuleRun, RunReport};
pub use sandbox::{LoadError, Sandbox};
pub use secret::Secret;
pub use versions::CONTRACT;
