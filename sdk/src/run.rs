//! Evaluates one window: interleaves rows and checks in time, and takes the state's snapshot.
use std::mem;

use crate::grid::{phase, with_phase};
use crate::page::Page;
use crate::wire::types as wire;
use crate::{Problem, Question, Range, Rule, Signal, Signals, Timestamp, state};

#[cfg(test)]
mod tests;

/// The slice of time that one run evaluates, `start <= settled <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The given state is the fold of all rows before this instant and of all checks up to and including it.
    pub start: Timestamp,
    /// The returned state is the fold of all rows before this instant and of all checks up to and including it. Rows at
    /// or after it are evaluated, and come again in the next run.
    pub settled: Timestamp,
    /// Rows at or after this instant belong to the next window; a check at it belongs to this one.
    pub end: Timestamp,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// In order of time.
    pub signals: Vec<Signal>,
    /// The state at the window's `settled`, as bytes.
    pub state: Vec<u8>,
}

/// A run of a rule on a window. Driven by the module's exports and by the native test harness.
pub struct Run<R: Rule> {
    rule: R,
    key: Vec<String>,
    window: Window,
    check_every: i64,
    /// The offset of its checks from multiples of the grid.
    phase: i64,
    state: R::State,
    out: Signals,
    snapshot: Option<Vec<u8>>,
    /// The next grid point to check; `i64::MAX` if none is left.
    next_check: i64,
    /// The next instant at which a check or the snapshot is due; no row may pass it first.
    barrier: i64,
    /// The number of rounds asked.
    rounds: usize,
    /// The number of questions in the last round.
    asked: usize,
    /// Whether the last round is scouted.
    is_scouting: bool,
    /// Whether its answers follow one another in time.
    in_order: bool,
    /// If they do not, the pages held until all questions are answered.
    held: Vec<(usize, wire::Rows)>,
    newest: i64,
    failed: Option<Problem>,
}

impl<R: Rule> Run<R> {
    /// Starts a run from `state`, which the previous run returned; `None` for the first. `params` is a JSON object.
    ///
    /// # Errors
    /// `State` if the state cannot be read by this version of the rule; `Other` if the parameters or the window are
    /// invalid.
    pub fn start(
        params: &str,
        key: Vec<String>,
        state: Option<&[u8]>,
        window: Window,
    ) -> Result<Self, Problem> {
        let rule = parse::<R>(params).map_err(|fault| Problem::Other(fault.message))?;
        let plan = rule.plan(&key).map_err(|faults| {
            let told = faults.iter().map(|f| format!("{} {}", f.path, f.message).trim().to_owned());
            Problem::Other(told.collect::<Vec<_>>().join("; "))
        })?;
        if window.settled < window.start || window.end < window.settled {
            return Err(Problem::Other(format!(
                "the window {}..{} settles at {}, outside itself",
                window.start, window.end, window.settled
            )));
        }
        let phase = phase(window.start, window.end, plan.grid);
        let state = match state {
            Some(bytes) => state::read(R::STATE_VERSION, bytes)?,
            None => R::State::default(),
        };
        let check_every = rule.check_every(&plan).signed();
        let next_check = match check_every {
            0 => i64::MAX,
            every => window.start.0 - (window.start.0 - phase).rem_euclid(every) + every,
        };
        Ok(Self {
            rule,
            key,
            window,
            check_every,
            phase,
            state,
            out: Signals::default(),
            snapshot: None,
            next_check,
            barrier: next_check.min(window.settled.0),
            rounds: 0,
            asked: 0,
            is_scouting: false,
            in_order: true,
            held: vec![],
            newest: window.start.0,
            failed: None,
        })
    }

    /// The questions of the next round; empty if there is nothing left to ask.
    ///
    /// # Errors
    /// `Rows` if the answers to the last round do not fit.
    pub fn questions(&mut self) -> Result<Vec<Question>, Problem> {
        with_phase(self.phase, || self.merge_held())?;
        let over = Range::new(self.window.start, self.window.end);
        if self.is_scouting {
            // The questions after it may begin before the window.
            self.newest = i64::MIN;
        }
        let questions =
            with_phase(self.phase, || self.rule.ask_round(self.rounds, over, &self.key, &mut self.state));
        self.is_scouting = self.rule.is_scouted(self.rounds);
        self.rounds += 1;
        self.asked = questions.len();
        self.in_order = questions.is_sorted_by(|one, next| one.last_row_until() <= next.over.start);
        Ok(questions.into_iter().map(|question| question.with_key(&self.key)).collect())
    }

    /// Processes a page of an answer.
    ///
    /// # Errors
    /// `Rows` if the page is malformed, out of order, outside the window, or not what the rule asked for.
    pub fn answer(&mut self, question: usize, rows: wire::Rows) -> Result<(), Problem> {
        if question >= self.asked {
            return Err(Problem::Rows(format!("an answer to question {question}, which was not asked")));
        }
        if self.in_order {
            return with_phase(self.phase, || self.fold(question, &rows));
        }
        self.held.push((question, rows));
        Ok(())
    }

    /// Runs the remaining checks and returns the finding.
    ///
    /// # Errors
    /// `Rows` if held answers are invalid; `Other` if the state cannot be encoded.
    pub fn finish(mut self) -> Result<Finding, Problem> {
        with_phase(self.phase, || {
            self.merge_held()?;
            self.pass(self.window.end.0);
            Ok(())
        })?;
        match (self.failed, self.snapshot) {
            (Some(problem), _) => Err(problem),
            (None, Some(state)) => Ok(Finding { signals: self.out.into_sorted(), state }),
            (None, None) => Err(Problem::Other("the state was not kept".into())),
        }
    }

    pub(crate) fn key(&self) -> &[String] {
        &self.key
    }

    fn fold(&mut self, question: usize, rows: &wire::Rows) -> Result<(), Problem> {
        let page = self.page(question, rows)?;
        let mut slots = Vec::new();
        for index in 0..page.times.len() {
            self.fold_row(&page, index, &mut slots)?;
        }
        page.into_fault().map_or(Ok(()), |fault| Err(Problem::Rows(fault)))
    }

    fn page<'p>(&self, question: usize, rows: &'p wire::Rows) -> Result<Page<'p>, Problem> {
        // Only answers with documents or buckets have key columns.
        let key_fields =
            if rows.columns.iter().zip(&self.key).all(|(c, k)| c.field == *k) { self.key.len() } else { 0 };
        Page::new(rows, key_fields, question).map_err(Problem::Rows)
    }

    #[inline]
    fn fold_row(&mut self, page: &Page<'_>, index: usize, slots: &mut Vec<u32>) -> Result<(), Problem> {
        let time = page.times[index];
        if self.is_scouting {
            let (rule, state) = (&self.rule, &mut self.state);
            page.each_key(index, slots, |row| rule.scout(row, state));
            return Ok(());
        }
        if time < self.newest || time >= self.window.end.0 {
            return Err(self.misplaced(time));
        }
        self.newest = time;
        if time >= self.barrier {
            self.pass(time);
        }
        let (rule, state, out) = (&self.rule, &mut self.state, &mut self.out);
        page.each_key(index, slots, |row| rule.row(row, state, out));
        Ok(())
    }

    #[cold]
    fn misplaced(&self, time: i64) -> Problem {
        let (time, newest) = (Timestamp(time), Timestamp(self.newest));
        Problem::Rows(if time < newest && newest > self.window.start {
            format!("a row of {time} came after one of {newest}")
        } else {
            format!("a row of {time} is outside the window {}..{}", self.window.start, self.window.end)
        })
    }

    /// Runs everything that is due up to and including `time`. Checks see the rows before them; the snapshot at
    /// `settled` is taken after a check at it and before a row at it.
    #[cold]
    fn pass(&mut self, time: i64) {
        let settled = self.window.settled.0;
        while self.barrier <= time {
            if self.snapshot.is_none() && self.next_check > settled {
                self.rule.settle(self.window.settled, &mut self.state);
                match state::write(R::STATE_VERSION, &self.state) {
                    Ok(bytes) => self.snapshot = Some(bytes),
                    Err(problem) => {
                        self.failed.get_or_insert(problem);
                        self.snapshot = Some(vec![]);
                    }
                }
            } else {
                self.rule.check(Timestamp(self.next_check), &mut self.state, &mut self.out);
                self.next_check = self.next_check.saturating_add(self.check_every);
            }
            self.barrier =
                if self.snapshot.is_none() { self.next_check.min(settled) } else { self.next_check };
        }
    }

    /// Merges the pages of several questions by time; at the same instant, earlier questions come first.
    fn merge_held(&mut self) -> Result<(), Problem> {
        let held = mem::take(&mut self.held);
        let pages = held.iter().map(|(q, rows)| self.page(*q, rows)).collect::<Result<Vec<_>, _>>()?;
        let mut order: Vec<(i64, usize, usize, usize)> = pages
            .iter()
            .enumerate()
            .flat_map(|(p, page)| {
                page.times.iter().enumerate().map(move |(i, &time)| (time, page.question, p, i))
            })
            .collect();
        order.sort_unstable();
        let mut slots = Vec::new();
        for (_, _, page, index) in order {
            self.fold_row(&pages[page], index, &mut slots)?;
        }
        pages.into_iter().find_map(Page::into_fault).map_or(Ok(()), |fault| Err(Problem::Rows(fault)))
    }
}

/// Reads a rule's parameters.
pub(crate) fn parse<R: Rule>(params: &str) -> Result<R, crate::Fault> {
    serde_json::from_str(params).map_err(|error| crate::Fault::new("", format!("params: {error}")))
}
