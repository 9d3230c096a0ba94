//! The sandbox: runs plugin modules, and holds what they may do. The only crate that names wasmtime.
mod limits; // how much one call into a module may cost
mod bytes; // sizes, as a manifest writes them
mod inspect; // what a module says before any of it runs
mod engine; // the compiler, the pool of instances, the clock's ticks
mod cache; // compiled modules on disk
mod sandbox; // the door: modules in, callable rules and alerters out
mod contract; // the versions of the contract, each with its generated types
mod guest; // what the host keeps for one run: its clock, memory, log and capabilities
mod os; // this thread's computing time, this process's user
mod call; // one call into a module, and what ended it
mod fault; // why a run failed, in an operator's words
mod finding; // what a rule returned, checked
mod rule; // rule modules and their runs
mod cases; // rule modules on the timeline of the SDK's cases
mod alerter; // alerter modules and deliveries
mod capabilities; // what a module may import
mod secret; // values that no text may show

pub use alerter::AlerterModule;
pub use capabilities::http::{Algorithm, Auth, Destination, DestinationError, DestinationSettings, Grants};
pub use cases::CaseRunner;
pub use engine::{Config, SandboxError};
pub use fault::{GuestFault, LogLine, RunError};
pub use inspect::{CONTRACT, Inspection, Kind, LoadFault, Misuse};
pub use limits::Limits;
pub use rule::{RuleModule, RuleRun, RunReport};
pub use sandbox::{LoadError, Sandbox};
pub use secret::Secret;
