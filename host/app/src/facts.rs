//! What reaches the shell.
use watchbell_pipeline::order::Event;

use crate::bind::Bindings;
use crate::clocks::Comparison;

/// Something happened that the shell must know of.
pub(crate) enum Fact {
    Event(Event),
    /// Another host owns the partition now.
    Superseded(String),
    /// The manifests were read again. `None`: they have faults, which were reported.
    Reloaded(Option<Box<Bindings>>),
    /// A cluster told its time, or did not.
    Compared(String, Comparison),
}
