//! The sandbox: runs plugin modules and limits what they may do. The only crate that uses wasmtime.
mod kind; // what a module is
mod versions; // of the contract that this host offers
mod limits; // how much one call into a module may cost
mod bytes; // sizes, as a manifest writes them
mod inspect; // reads a module without running it
mod engine; // the compiler, the instance pool, the ticker
mod compile; // component → machine code, in a process of its own
mod cache; // compiled modules on disk
mod sandbox; // loads modules as callable rules and alerters
mod os; // this thread's CPU time, this process's user
mod clock; // a module's own CPU time
mod guest; // the host's data for one run: its clock, memory, log and access
mod capabilities; // what a module may import, in one list
mod contract; // the versions of the contract, one adapter each
mod call; // one call into a module, and what ended it
mod fault; // why a run failed, for operators
mod plan; // what a rule plans, checked
mod reach; // how far before its window a rule may ask
mod state; // a kept state, with the layout that wrote it
mod evidence; // the documents of a signal's group
mod finding; // what a rule returned, checked
mod rule; // rule modules and their runs
mod cases; // rule modules on the timeline of the SDK's cases
mod alerter; // alerter modules and deliveries
mod texts; // texts, rendered by the built-in component

pub use alerter::{AlerterModule, Delivery};
pub use capabilities::http::{
    Algorithm, Auth, Destination, DestinationError, DestinationSettings, Draft, Drafts, Grants, Method,
    Methods, SigV4,
};
pub use capabilities::log::LogLine;
pub use capabilities::{Capability, Receiver};
pub use cases::CaseRunner;
pub use compile::{CompileFault, CompileLimits, Compiler, compile_confined};
pub use engine::{Config, SandboxError};
pub use fault::{GuestFault, RunError};
pub use inspect::{Inspection, LoadFault, Misuse};
pub use kind::ModuleKind;
pub use limits::Limits;
pub use rule::{RuleModule, RuleRun, RunReport};
pub use sandbox::{LoadError, Sandbox};
pub use state::own_bytes as own_state_bytes;
pub use texts::{RenderFault, Renderer, TextLimits};
pub use versions::CONTRACT;
pub use watchbell_secret::Secret;
