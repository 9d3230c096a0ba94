//! Recorded runs: what a rule was given and what it said, so that it can be asked again, bit for bit.
mod form; // how a recording is written
mod refused; // the question that could not be asked
mod recorder; // the pages of a run, while it lasts
mod store; // where recordings lie, and how many

pub(crate) use form::{Ended, Recording};
pub(crate) use recorder::Recorder;
pub(crate) use refused::RefusedForm;
pub(crate) use store::{RecordingStore, is_worth_it, read};
