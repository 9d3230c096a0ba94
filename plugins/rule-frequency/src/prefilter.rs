//! First who, then when: events are counted by key and cell, and documents are asked only of keys whose counts could
//! make a match.
//!
//! What is kept of a key are counts by cells, never fewer than the events that no match has dropped yet. A match
//! drops what lies before it, and of its own instant as many events as it counted: that is the *mark*. Its time alone
//! would not do where events tie. When a key could match, its documents of the last timeframe are read again from the
//! mark on, so its window is what it would be had every document been seen.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watchbell_sdk::Cells;
use watchbell_sdk::prelude::*;

use crate::Frequency;
use crate::firing::Firing;

/// Keys that documents are asked of by name; more are asked of all.
const NAMED_MAX: usize = 500;
/// A longer label may have been cut.
const NAME_BYTES_MAX: usize = 900;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Prefilter {
    /// From where on events count.
    since: Option<Timestamp>,
    /// Events by cells, never fewer than there are.
    counts: KeyMap<Tally>,
    marks: KeyMap<Mark>,
    /// Of this run alone.
    #[serde(skip)]
    start: Timestamp,
    #[serde(skip)]
    suspects: BTreeMap<Key, Suspect>,
    /// Of keys that fire, the events of the run's cells.
    #[serde(skip)]
    firing: BTreeMap<Key, Cells<u32>>,
}

/// Up to where the events of a key were dropped by a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    at: Timestamp,
    /// How many events of this very instant.
    used: u32,
}

/// A key that may match in this run.
struct Suspect {
    labels: Labels,
    mark: Option<Mark>,
    window: EventWindow,
    /// The instant of the last document, and how many of it there were so far.
    last: Option<(Timestamp, u32)>,
}

impl Prefilter {
    pub(crate) fn ask(
        &mut self,
        rule: &Frequency,
        round: usize,
        over: Range,
        key: &[String],
    ) -> Vec<Question> {
        let since = *self.since.get_or_insert(over.start);
        self.start = over.start;
        match round {
            0 => vec![Question::buckets(over, Some(rule.grid()))],
            1 if !self.suspects.is_empty() => {
                // One a timeframe before `over` is out, and a match at it has no mark any more.
                let start = since.max(over.start - rule.timeframe + Duration(1));
                vec![self.of_suspects(Question::hits(Range::new(start, over.end)), key)]
            }
            _ => vec![],
        }
    }

    /// Of several key fields, these are combined in every way: what nobody asked for is left out when it comes.
    fn of_suspects(&self, mut question: Question, key: &[String]) -> Question {
        if self.suspects.len() > NAMED_MAX {
            return question;
        }
        for (index, field) in key.iter().enumerate() {
            let values = self.suspects.values().filter_map(|suspect| suspect.labels.0.get(index));
            let mut values: Vec<_> = values.cloned().collect();
            values.sort();
            values.dedup();
            if values.iter().flatten().all(|value| value.len() < NAME_BYTES_MAX) {
                question = question.only(field, values);
            }
        }
        question
    }

    /// Counts the events of a cell, and suspects the key if it could match by the cell's end.
    pub(crate) fn scout(&mut self, rule: &Frequency, row: &Row<'_>, firing: &Firing) {
        let (cell, grid) = (row.time(), rule.grid());
        let count = row.integer("_count").and_then(|count| u32::try_from(count).ok()).unwrap_or(u32::MAX);
        if firing.counts(row.key()) {
            *self.firing.entry(row.key()).or_default().entry(cell, grid) += count;
        }
        let tally = self.counts.entry(row.key());
        tally.add_many(cell, count, grid);
        let most = tally.count(Range::new(cell - rule.timeframe, cell + grid), grid);
        if most >= u64::from(rule.num_events.get()) {
            let mark = self.marks.get(row.key()).copied();
            self.suspects.entry(row.key()).or_insert_with(|| Suspect {
                labels: row.labels(),
                mark,
                window: EventWindow::default(),
                last: None,
            });
        }
    }

    /// The events of a key in the cell before `at`, if its documents are not read.
    pub(crate) fn unseen(&self, rule: &Frequency, key: Key, at: Timestamp) -> u32 {
        if self.suspects.contains_key(&key) {
            return 0;
        }
        let cells = self.firing.get(&key);
        cells.map_or(0, |cells| cells.over(Range::new(at - rule.grid(), at), rule.grid()).sum())
    }

    pub(crate) fn row(&mut self, rule: &Frequency, row: &Row<'_>, firing: &mut Firing, out: &mut Signals) {
        let Some(suspect) = self.suspects.get_mut(&row.key()) else { return };
        let at = row.time();
        let number = match suspect.last {
            Some((last, number)) if last == at => number + 1,
            _ => 1,
        };
        suspect.last = Some((at, number));
        if suspect.mark.is_some_and(|mark| at < mark.at || at == mark.at && number <= mark.used) {
            return;
        }
        suspect.window.push(at, rule.timeframe);
        // Before the window's start there can be a match only of documents that came too late to be judged.
        let is_new = at >= self.start;
        let matches = suspect.window.count() >= u64::from(rule.num_events.get());
        if matches && is_new {
            let count = firing.matched(rule, row, &suspect.window);
            out.push(rule.matched(row, count));
        } else if is_new {
            firing.see(rule, row.key(), at);
        }
        if matches {
            suspect.mark = Some(Mark { at, used: number });
            suspect.window.clear();
        }
    }

    /// What is kept of a suspect is what its documents said.
    pub(crate) fn settle(&mut self, rule: &Frequency, at: Timestamp) {
        let (grid, first) = (rule.grid(), at - rule.timeframe);
        for (key, suspect) in &self.suspects {
            let tally = self.counts.entry(*key);
            *tally = Tally::default();
            suspect.window.instants().for_each(|(at, count)| tally.add_many(at, count, grid));
            if let Some(mark) = suspect.mark {
                *self.marks.entry_with(*key, || mark) = mark;
            }
        }
        self.counts.retain(|_, tally| {
            tally.forget_before(first, grid);
            tally.forget_from(at, grid);
            !tally.is_empty()
        });
        self.marks.retain(|_, mark| mark.at > first);
    }
}

impl Aged for Mark {
    fn newest(&self) -> Option<Timestamp> {
        Some(self.at)
    }
}
