//! Beside ElastAlert: what it alerted against what rules find here.
mod writeback; // what ElastAlert kept
mod compare; // one against the other

pub(crate) use compare::{Compared, Tolerance, compare, findings};
pub(crate) use writeback::{Alert, Mute, read};
