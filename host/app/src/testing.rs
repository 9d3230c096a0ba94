//! Tests of rules: the real pipeline in virtual time, and what it did against what a test expects.
pub(crate) mod virtual_host; // a host without a clock, a disk and receivers
pub(crate) mod trace; // what happened on it
pub(crate) mod documents; // what a test's documents are, and when they arrive
mod runner; // one test after the other, on an embedded node
mod compare; // what happened against what was expected
mod flow; // values as YAML on one line
pub(crate) mod outcome; // what became of a test
pub(crate) mod suite; // many tests, on all cores
pub(crate) mod bless; // what happened, written down as what is wanted
pub(crate) mod junit; // for machines that know JUnit
