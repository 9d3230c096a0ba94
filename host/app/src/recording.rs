//! Recorded runs: a rule's input and output, so that the run can be replayed bit for bit.
mod form; // the format of a recording
mod refused; // a question that could not be asked
mod recorder; // collects the pages of a run
mod store; // where recordings are stored, and how many

pub(crate) use form::{Ended, Recording};
pub(crate) use recorder::Recorder;
pub(crate) use refused::RefusedForm;
pub(crate) use store::{RecordingStore, is_worth_it, read};
