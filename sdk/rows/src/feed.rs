//! The order in which a run gets its rows: by time, with the snapshot of the state between those before `settled` and
//! those after it.
use std::mem;

use crate::asked::Asked;
use crate::groups::GroupedRows;
use crate::page::Rows;

/// The maximum number of rows of a page as a rule sees it. A page of the cluster may become many more rows, if documents
/// have several groups.
const PAGE_ROWS_MAX: usize = 10_000;

/// What to do next with a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Pass these rows of the answer to this question.
    Answer(u32, GroupedRows),
    /// Take the state.
    Snapshot,
}

/// Why a run cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedFault {
    /// A page is malformed.
    Page(String),
    /// A row at `time` came after one at `newest`.
    Order {
        /// The row's time.
        time: i64,
        /// The time of the row before it.
        newest: i64,
    },
    /// A row lies outside of the window.
    Outside {
        /// The row's time.
        time: i64,
    },
    /// The answers of one round that must be sorted by time take more memory than is allowed.
    TooMuch {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// The rows of one run, on their way to the rule.
#[derive(Debug)]
pub struct Feed {
    window_start: i64,
    settled: i64,
    end: i64,
    held_bytes_max: usize,
    asked: Vec<Asked>,
    is_scouting: bool,
    /// Whether the answers of the round follow one another in time.
    is_in_order: bool,
    /// If they do not, they wait here for the end of the round.
    held: Vec<(u32, GroupedRows)>,
    held_bytes: usize,
    /// No row may be before this instant.
    newest: i64,
    is_taken: bool,
}

impl Feed {
    /// The rows of a window; at most `held_bytes_max` of them are held to be sorted.
    pub fn new(start: i64, settled: i64, end: i64, held_bytes_max: usize) -> Self {
        Self {
            window_start: start,
            settled,
            end,
            held_bytes_max,
            asked: Vec::new(),
            is_scouting: false,
            is_in_order: true,
            held: Vec::new(),
            held_bytes: 0,
            newest: start,
            is_taken: false,
        }
    }

    /// Begins a round of questions. The one before must have ended.
    pub fn begin(&mut self, asked: Vec<Asked>, is_scouting: bool) {
        if self.is_scouting {
            // The questions after it may begin before the window.
            self.newest = i64::MIN;
        }
        self.is_in_order = is_scouting || asked.is_sorted_by(|one, next| one.end <= next.start);
        self.is_scouting = is_scouting;
        self.asked = asked;
    }

    /// Takes a page of the answer to a question, and appends to `steps` what is to do now.
    ///
    /// # Errors
    /// The page is malformed, out of order or outside of the window, or too much is held.
    pub fn page(&mut self, question: u32, rows: Rows, steps: &mut Vec<Step>) -> Result<(), FeedFault> {
        let asked = self.asked.get(question as usize);
        let Some(asked) = asked else {
            return Err(FeedFault::Page(format!("an answer to question {question}, which was not asked")));
        };
        if rows.columns.len() < asked.key {
            let (found, key) = (rows.columns.len(), asked.key);
            return Err(FeedFault::Page(format!("{found} columns, fewer than the {key} key fields")));
        }
        rows.validate()
            .map_err(|fault| FeedFault::Page(format!("column `{}`: {}", fault.field, fault.message)))?;
        let page = GroupedRows::of(rows, asked);
        if self.is_scouting {
            push(question, page, steps);
            return Ok(());
        }
        if self.is_in_order {
            return self.pass(question, page, steps);
        }
        self.held_bytes += page.bytes();
        if self.held_bytes > self.held_bytes_max {
            return Err(FeedFault::TooMuch { limit: self.held_bytes_max });
        }
        self.held.push((question, page));
        Ok(())
    }

    /// Ends a round: rows that waited for others are passed.
    ///
    /// # Errors
    /// Rows are out of order or outside of the window.
    pub fn end_round(&mut self, steps: &mut Vec<Step>) -> Result<(), FeedFault> {
        let held = mem::take(&mut self.held);
        self.held_bytes = 0;
        // At one instant, earlier questions come first.
        let mut order: Vec<(i64, u32, usize, usize)> = held
            .iter()
            .enumerate()
            .flat_map(|(place, (question, page))| {
                page.times.iter().enumerate().map(move |(row, &time)| (time, *question, place, row))
            })
            .collect();
        order.sort_unstable();
        for run in order.chunk_by(|one, next| one.2 == next.2 && one.3 + 1 == next.3) {
            let (_, question, place, first) = run[0];
            self.pass(question, held[place].1.slice(first..first + run.len()), steps)?;
        }
        Ok(())
    }

    /// Ends the rows: whether the state is still to be taken.
    pub fn finish(&mut self) -> bool {
        !mem::replace(&mut self.is_taken, true)
    }

    fn pass(&mut self, question: u32, page: GroupedRows, steps: &mut Vec<Step>) -> Result<(), FeedFault> {
        for &time in &page.times {
            if time < self.newest {
                return Err(if self.newest > self.window_start {
                    FeedFault::Order { time, newest: self.newest }
                } else {
                    FeedFault::Outside { time }
                });
            }
            if time >= self.end {
                return Err(FeedFault::Outside { time });
            }
            self.newest = time;
        }
        let settled = page.times.partition_point(|time| *time < self.settled);
        if self.is_taken || settled == page.len() {
            push(question, page, steps);
            return Ok(());
        }
        self.is_taken = true;
        if settled == 0 {
            steps.push(Step::Snapshot);
            push(question, page, steps);
        } else {
            push(question, page.slice(0..settled), steps);
            steps.push(Step::Snapshot);
            push(question, page.slice(settled..page.len()), steps);
        }
        Ok(())
    }
}

/// Passes rows, in pages that a guest has room for.
fn push(question: u32, page: GroupedRows, steps: &mut Vec<Step>) {
    if page.len() <= PAGE_ROWS_MAX {
        steps.push(Step::Answer(question, page));
        return;
    }
    let starts = (0..page.len()).step_by(PAGE_ROWS_MAX);
    let part = |start: usize| page.slice(start..(start + PAGE_ROWS_MAX).min(page.len()));
    steps.extend(starts.map(|start| Step::Answer(question, part(start))));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(start: i64, end: i64) -> Asked {
        Asked::new::<&str>(&[], &[], start, end)
    }

    fn rows(times: &[i64]) -> Rows {
        Rows { times: times.to_vec(), columns: vec![] }
    }

    /// `question:time` of each row, and `|` for the snapshot.
    fn told(steps: &[Step]) -> String {
        let step = |step: &Step| match step {
            Step::Snapshot => "|".to_owned(),
            Step::Answer(question, page) => {
                page.times.iter().map(|time| format!("{question}:{time}")).collect::<Vec<_>>().join(" ")
            }
        };
        steps.iter().map(step).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_page_is_split_where_the_state_is_taken() {
        let mut feed = Feed::new(0, 10, 20, 1_000);
        let mut steps = Vec::new();
        feed.begin(vec![asked(0, 20)], false);
        feed.page(0, rows(&[1, 9]), &mut steps).unwrap();
        feed.page(0, rows(&[9, 10, 10, 19]), &mut steps).unwrap();
        feed.end_round(&mut steps).unwrap();
        assert_eq!(told(&steps), "0:1 0:9 0:9 | 0:10 0:10 0:19");
        assert!(!feed.finish());
    }

    #[test]
    fn questions_about_the_same_time_are_merged() {
        let mut feed = Feed::new(0, 10, 20, 1_000);
        let mut steps = Vec::new();
        feed.begin(vec![asked(0, 20), asked(0, 20)], false);
        feed.page(0, rows(&[1, 5]), &mut steps).unwrap();
        feed.page(0, rows(&[12]), &mut steps).unwrap();
        feed.page(1, rows(&[0, 5, 6, 15]), &mut steps).unwrap();
        assert_eq!(steps, []);
        feed.end_round(&mut steps).unwrap();
        assert_eq!(told(&steps), "1:0 0:1 0:5 1:5 1:6 | 0:12 1:15");
    }

    #[test]
    fn scouting_rows_come_question_by_question_and_take_no_state() {
        let mut feed = Feed::new(0, 10, 20, 1_000);
        let mut steps = Vec::new();
        feed.begin(vec![asked(0, 20), asked(0, 20)], true);
        feed.page(0, rows(&[15]), &mut steps).unwrap();
        feed.page(1, rows(&[1]), &mut steps).unwrap();
        feed.end_round(&mut steps).unwrap();
        feed.begin(vec![asked(-5, 20)], false);
        feed.page(0, rows(&[-5, 3]), &mut steps).unwrap();
        assert_eq!(told(&steps), "0:15 1:1 0:-5 0:3");
        assert!(feed.finish() && !feed.finish());
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let mut feed = Feed::new(0, 10, 20, 30);
        feed.begin(vec![asked(0, 20)], false);
        let mut take = |times: &[i64]| feed.page(0, rows(times), &mut Vec::new());
        assert_eq!(take(&[-1]), Err(FeedFault::Outside { time: -1 }));
        assert_eq!(take(&[20]), Err(FeedFault::Outside { time: 20 }));
        assert_eq!(take(&[7]), Ok(()));
        assert_eq!(take(&[6]), Err(FeedFault::Order { time: 6, newest: 7 }));
        assert!(matches!(feed.page(1, rows(&[7]), &mut Vec::new()), Err(FeedFault::Page(_))));
        feed.begin(vec![asked(0, 20), asked(0, 20)], false);
        assert_eq!(feed.page(0, rows(&[7, 7, 7]), &mut Vec::new()), Ok(()));
        assert_eq!(feed.page(1, rows(&[7]), &mut Vec::new()), Err(FeedFault::TooMuch { limit: 30 }));
    }

    #[test]
    fn a_page_that_grew_is_divided() {
        let mut feed = Feed::new(0, 20, 20, 1_000);
        let mut steps = Vec::new();
        feed.begin(vec![asked(0, 20)], false);
        feed.page(0, rows(&[3; 25_000]), &mut steps).unwrap();
        let lengths = steps.iter().map(|step| match step {
            Step::Answer(_, page) => page.len(),
            Step::Snapshot => 0,
        });
        assert_eq!(lengths.collect::<Vec<_>>(), [10_000, 10_000, 5_000]);
    }

    proptest! {
        /// However rows are spread over questions and pages, they come in order, each once, with one snapshot between.
        #[test]
        fn rows_come_in_order(
            answers in prop::collection::vec(prop::collection::vec(0_i64..30, 0..20), 1..4),
            page in 1_usize..5,
        ) {
            let mut feed = Feed::new(0, 15, 30, 1 << 20);
            let mut steps = Vec::new();
            feed.begin(answers.iter().map(|_| asked(0, 30)).collect(), false);
            let mut all = Vec::new();
            for (question, mut times) in (0..).zip(answers) {
                times.sort_unstable();
                all.extend(times.iter().map(|time| (*time, question)));
                for times in times.chunks(page) {
                    feed.page(question, rows(times), &mut steps).unwrap();
                }
            }
            feed.end_round(&mut steps).unwrap();
            if feed.finish() {
                steps.push(Step::Snapshot);
            }
            all.sort_unstable();
            let mut passed = Vec::new();
            let mut before = None;
            for step in steps {
                match step {
                    Step::Answer(question, page) => passed.extend(page.times.iter().map(|time| (*time, question))),
                    Step::Snapshot => prop_assert!(before.replace(passed.len()).is_none()),
                }
            }
            prop_assert_eq!(&passed, &all);
            prop_assert_eq!(before, Some(all.iter().filter(|(time, _)| *time < 15).count()));
        }
    }
}
