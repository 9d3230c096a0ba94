use std::sync::{Mutex, PoisonError};

use watchbell_contract::{Question, Rows};
use watchbell_sandbox::LogLine;

/// The maximum bytes of columns kept for one run; a run with more is not recorded.
const BYTES_MAX: usize = 2 << 20;

/// The pages of a run in the order in which the rule got them.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pages: Vec<Page>,
    refused: Option<Refused>,
    bytes: usize,
    full: bool,
    /// What the module logged.
    said: Mutex<Vec<LogLine>>,
}

/// The question that ended the run because it cannot be asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) round: usize,
    pub(crate) number: u32,
    pub(crate) question: Question,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) round: usize,
    pub(crate) question: u32,
    pub(crate) rows: Rows,
}

impl Recorder {
    pub(crate) fn keep(&mut self, round: usize, question: u32, rows: &Rows) {
        self.bytes += rows.bytes();
        if self.full || self.bytes > BYTES_MAX {
            self.full = true;
            self.pages = Vec::new();
            return;
        }
        self.pages.push(Page { round, question, rows: rows.clone() });
    }

    pub(crate) fn refused(&mut self, round: usize, number: u32, question: &Question) {
        self.refused = Some(Refused { round, number, question: question.clone() });
    }

    /// Keeps lines that the module logged.
    pub(crate) fn say(&self, lines: &[LogLine]) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(lines);
    }

    /// The lines that the module logged.
    pub(crate) fn take_said(&mut self) -> Vec<LogLine> {
        std::mem::take(self.said.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// All pages, and the refused question; `None` if there were too many pages.
    pub(crate) fn into_parts(self) -> Option<(Vec<Page>, Option<Refused>)> {
        (!self.full).then_some((self.pages, self.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_kept_as_nothing_rather_than_in_part() {
        let rows = Rows { times: vec![0; 100_000], columns: vec![] };
        let mut recorder = Recorder::default();
        recorder.keep(0, 0, &rows);
        recorder.keep(0, 0, &rows);
        recorder.keep(0, 0, &rows);
        assert!(recorder.into_parts().is_none());
        let mut recorder = Recorder::default();
        recorder.keep(1, 2, &rows);
        let (pages, _) = recorder.into_parts().unwrap();
        assert_eq!((pages.len(), pages[0].round, pages[0].question), (1, 1, 2));
    }
}
