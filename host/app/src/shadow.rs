//! Comparison with ElastAlert: its alerts against the findings of rules here.
mod writeback; // what ElastAlert stored
mod compare; // compares the two

pub(crate) use compare::{Compared, Tolerance, compare, findings};
pub(crate) use writeback::{Alert, Mute, read};
