//! Rules on trial: the real pipeline in virtual time, and what is to be said of what it did.
pub(crate) mod stage; // a host without a clock, a disk and receivers
pub(crate) mod sighting; // what happened on it
pub(crate) mod documents; // what a test's documents are, and when they arrive
mod theatre; // a node and a stage, one test after the other
mod judge; // what happened against what was wanted
mod flow; // values as YAML on one line
pub(crate) mod outcome; // what became of a test
pub(crate) mod suite; // many tests, on all cores
pub(crate) mod bless; // what happened, written down as what is wanted
pub(crate) mod junit; // for machines that know JUnit
