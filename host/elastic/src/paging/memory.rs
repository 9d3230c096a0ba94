use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

use crate::{session::Session, transport::lock};

/// Questions remembered. Beyond that the memory is emptied.
const REMEMBERED_MAX: usize = 100_000;

/// What was learned about how a cluster continues long answers.
#[derive(Debug)]
pub(crate) struct Paging {
    pub(super) session: Arc<Session>,
    continuation: AtomicU8,
    /// Questions whose last answer was longer than one page.
    long: Mutex<HashSet<u64>>,
}

/// How a long answer is continued; learned by trying once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Continuation {
    Unknown,
    /// Elasticsearch 7.12 and later.
    Pit,
    /// OpenSearch 2.4 and later.
    PointInTime,
    Scroll,
}

impl Paging {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session, continuation: AtomicU8::new(Continuation::Unknown as u8), long: Mutex::default() }
    }

    pub(super) fn continuation(&self) -> Continuation {
        match self.continuation.load(Ordering::Relaxed) {
            1 => Continuation::Pit,
            2 => Continuation::PointInTime,
            3 => Continuation::Scroll,
            _ => Continuation::Unknown,
        }
    }

    pub(super) fn learn(&self, continuation: Continuation) {
        if self.continuation.swap(continuation as u8, Ordering::Relaxed) != continuation as u8 {
            let cluster = &self.session.config().name;
            tracing::debug!(cluster, ?continuation, "learned how to page");
        }
    }

    pub(super) fn is_long(&self, question: u64) -> bool {
        lock(&self.long).contains(&question)
    }

    pub(super) fn set_long(&self, question: u64, is_long: bool) {
        let mut long = lock(&self.long);
        if !is_long {
            long.remove(&question);
        } else {
            if long.len() >= REMEMBERED_MAX {
                long.clear();
            }
            long.insert(question);
        }
    }
}
