//! Events that reach the shell.
use watchbell_pipeline::input::Input;

use crate::bind::Deployment;
use crate::clocks::Comparison;

/// An event that the shell must handle.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are inputs")]
pub(crate) enum ShellEvent {
    Input(Input),
    /// Why the store is no longer usable; `None`: it is again.
    Store(Option<String>),
    /// The manifests were read again. `None`: they have errors, which were reported.
    Reloaded(Option<Box<Deployment>>),
    /// A cluster reported its time, or failed to.
    Compared(String, Comparison),
}
