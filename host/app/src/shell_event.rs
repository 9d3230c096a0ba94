//! What reaches the shell.
use watchbell_pipeline::input::Input;

use crate::bind::Deployment;
use crate::clocks::Comparison;

/// Something happened that the shell must know of.
pub(crate) enum ShellEvent {
    Input(Input),
    /// The manifests were read again. `None`: they have faults, which were reported.
    Reloaded(Option<Box<Deployment>>),
    /// A cluster told its time, or did not.
    Compared(String, Comparison),
}
