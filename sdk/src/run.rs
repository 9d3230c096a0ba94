//! Evaluates one window: interleaves rows and checks in time, and takes the state's snapshot.
use crate::grid::{phase, with_phase};
use crate::page::Page;
use crate::wire::types as wire;
use crate::{
    Call, Context, Duration, Problem, Range, Round, Row, Rule, Signal, Signals, Timestamp, Window, state,
};

#[cfg(test)]
mod tests;

/// A run of a rule on a window. Driven by the module's exports and by the native test harness, in the order that the
/// contract gives: rows come in order of time, and the snapshot is taken after those before `settled`.
pub struct Run<R: Rule> {
    rule: R,
    context: Context,
    window: Window,
    check_every: i64,
    /// The offset of its checks from multiples of the grid.
    phase: i64,
    state: R::State,
    out: Signals,
    /// The next instant to check; `i64::MAX` if none is left.
    next_check: i64,
    /// The number of rounds asked.
    rounds: usize,
    /// The number of questions in the last round.
    asked: usize,
    /// Whether the last round is scouted.
    is_scouting: bool,
}

impl<R: Rule> Run<R> {
    /// Starts a run.
    ///
    /// # Errors
    /// `State` if the state cannot be read by this version of the rule; `Other` if the parameters or the window are
    /// invalid.
    pub fn start(call: Call<'_>) -> Result<Self, Problem> {
        let Call { params, context, state, window } = call;
        let rule = parse::<R>(params).map_err(|fault| Problem::Other(fault.message))?;
        let plan = rule.plan(context).map_err(|faults| {
            let told = faults.iter().map(ToString::to_string);
            Problem::Other(told.collect::<Vec<_>>().join("; "))
        })?;
        if window.settled < window.start || window.end < window.settled {
            return Err(Problem::Other(format!(
                "the window {}..{} settles at {}, outside itself",
                window.start, window.end, window.settled
            )));
        }
        let phase = phase(window.start, window.end, plan.grid.unwrap_or(Duration::ZERO));
        let state = match state {
            Some(bytes) => state::read(bytes)?,
            None => R::State::default(),
        };
        let check_every = rule.check_every(&plan).map_or(0, Duration::signed);
        let next_check = match check_every {
            0 => i64::MAX,
            every => window.start.0 - (window.start.0 - phase).rem_euclid(every) + every,
        };
        Ok(Self {
            rule,
            context: context.clone(),
            window,
            check_every,
            phase,
            state,
            out: Signals::default(),
            next_check,
            rounds: 0,
            asked: 0,
            is_scouting: false,
        })
    }

    /// The questions of the next round; `None` if there is nothing left to ask.
    pub fn questions(&mut self) -> Option<Round> {
        let over = Range::new(self.window.start, self.window.end);
        let questions =
            with_phase(self.phase, || self.rule.ask_round(self.rounds, over, &self.context, &mut self.state));
        self.is_scouting = self.rule.is_scouted(self.rounds);
        self.rounds += 1;
        self.asked = questions.len();
        (!questions.is_empty()).then_some(Round { questions, is_scouting: self.is_scouting })
    }

    /// Processes a page of an answer.
    ///
    /// # Errors
    /// `Rows` if the page is malformed or not what the rule asked for.
    pub fn answer(&mut self, question: usize, rows: &wire::Rows) -> Result<(), Problem> {
        if question >= self.asked {
            return Err(Problem::Rows(format!("an answer to question {question}, which was not asked")));
        }
        let page = Page::new(rows, question).map_err(Problem::Rows)?;
        with_phase(self.phase, || {
            if self.is_scouting {
                Row::all(&page).for_each(|row| self.rule.scout(&row, &mut self.state));
                return;
            }
            for row in Row::all(&page) {
                let at = row.time().0;
                if at >= self.next_check {
                    self.check_until(at);
                }
                self.rule.row(&row, &mut self.state, &mut self.out);
            }
        });
        page.into_fault().map_or(Ok(()), |fault| Err(Problem::Rows(fault)))
    }

    /// The state at `settled`, as bytes: after a check at that instant, and before a row at it.
    ///
    /// # Errors
    /// `Other` if the state cannot be encoded.
    pub fn snapshot(&mut self) -> Result<Vec<u8>, Problem> {
        with_phase(self.phase, || {
            self.check_until(self.window.settled.0);
            self.rule.settle(self.window.settled, &mut self.state);
            state::write(&self.state)
        })
    }

    /// Runs the remaining checks and returns the signals, in order of time.
    pub fn finish(mut self) -> Vec<Signal> {
        with_phase(self.phase, || self.check_until(self.window.end.0));
        self.out.into_sorted()
    }

    /// Runs the checks up to and including `at`. A check sees the rows before it.
    #[cold]
    fn check_until(&mut self, at: i64) {
        while self.next_check <= at {
            self.rule.check(Timestamp(self.next_check), &mut self.state, &mut self.out);
            self.next_check = self.next_check.saturating_add(self.check_every);
        }
    }
}

/// Reads a rule's parameters.
pub(crate) fn parse<R: Rule>(params: &str) -> Result<R, crate::Fault> {
    serde_json::from_str(params).map_err(|error| crate::Fault::new("", format!("params: {error}")))
}
