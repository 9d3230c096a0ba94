//! Tests of rules: runs the real pipeline in virtual time, and compares what it did with what a test expects.
pub(crate) mod virtual_host; // a host without a clock, a disk or receivers
pub(crate) mod trace; // what happened on it
pub(crate) mod documents; // a test's documents, and when they arrive
mod runner; // runs tests one after another on an embedded node
mod compare; // compares what happened with what was expected
pub(crate) mod outcome; // the outcome of a test
pub(crate) mod suite; // runs many tests on all cores
pub(crate) mod bless; // rewrites expectations to match what happened
pub(crate) mod junit; // JUnit reports
