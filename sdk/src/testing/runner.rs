//! Evaluates a case: natively here, or elsewhere with the rule's component.
use std::marker::PhantomData;

use watchbell_rows::{Feed, FeedFault, Rows, Step};

use crate::log::Level;
use crate::run::parse;
use crate::{Call, Context, Fault, Finding, Plan, Problem, Question, Rule, Run, Timestamp};

/// How much may be held to be sorted, in bytes; a case that needs more is not a test.
const HELD_BYTES_MAX: usize = 1 << 30;

/// Returns all pages of the answer to a question, whose key fields come first.
pub type Answer<'a> = dyn FnMut(&Question) -> Result<Vec<Rows>, String> + 'a;

/// The interface between a case and whatever evaluates it: [`Native`] here, the component in the host's own tests.
pub trait Runner {
    /// Checks the parameters, a JSON object, and returns what the rule needs.
    ///
    /// # Errors
    /// The faults that the rule finds in its parameters.
    fn prepare(&mut self, params: &str, context: &Context) -> Result<Plan, Vec<Fault>>;

    /// Evaluates one window, with `answer` in place of the cluster.
    ///
    /// # Errors
    /// The rule's error, or why it could not run.
    fn run(&mut self, call: Call<'_>, answer: &mut Answer<'_>) -> Result<Finding, Problem>;

    /// The lines that the rule logged since the last call. A native rule's lines stay where
    /// [`take_logs`](super::take_logs) finds them.
    fn logs(&mut self) -> Vec<(Level, String)> {
        vec![]
    }
}

/// Runs the rule in the test's own process.
pub struct Native<R>(PhantomData<R>);

impl<R> Default for Native<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R: Rule> Runner for Native<R> {
    fn prepare(&mut self, params: &str, context: &Context) -> Result<Plan, Vec<Fault>> {
        parse::<R>(params).map_err(Vec::from)?.plan(context)
    }

    fn run(&mut self, call: Call<'_>, answer: &mut Answer<'_>) -> Result<Finding, Problem> {
        let (window, key) = (call.window, &call.context.key);
        let mut feed = Feed::new(window.start.0, window.settled.0, window.end.0, HELD_BYTES_MAX);
        let mut run = Driven { run: Run::<R>::start(call)?, state: None };
        let mut steps = Vec::new();
        while let Some(round) = run.run.questions() {
            let asked = round.questions.iter().map(|question| question.asked(key)).collect();
            feed.begin(asked, round.is_scouting);
            for (number, question) in (0..).zip(round.questions) {
                for page in answer(&question.with_key(key)).map_err(Problem::Other)? {
                    feed.page(number, page, &mut steps).map_err(problem)?;
                    run.take(&mut steps)?;
                }
            }
            feed.end_round(&mut steps).map_err(problem)?;
            run.take(&mut steps)?;
        }
        if feed.finish() {
            run.take(&mut vec![Step::Snapshot])?;
        }
        let state = run.state.ok_or_else(|| Problem::Other("the state was not kept".into()))?;
        Ok(Finding { signals: run.run.finish(), state })
    }
}

struct Driven<R: Rule> {
    run: Run<R>,
    state: Option<Vec<u8>>,
}

impl<R: Rule> Driven<R> {
    fn take(&mut self, steps: &mut Vec<Step>) -> Result<(), Problem> {
        steps.drain(..).try_for_each(|step| match step {
            Step::Answer(question, rows) => self.run.answer(question as usize, &rows.into()),
            Step::Snapshot => {
                self.state = Some(self.run.snapshot()?);
                Ok(())
            }
        })
    }
}

fn problem(fault: FeedFault) -> Problem {
    Problem::Rows(match fault {
        FeedFault::Page(message) => message,
        FeedFault::Order { time, newest } => {
            format!("a row of {} came after one of {}", Timestamp(time), Timestamp(newest))
        }
        FeedFault::Outside { time } => format!("a row of {} is outside the window", Timestamp(time)),
        FeedFault::TooMuch { limit } => format!("more than {limit} bytes of rows wait to be sorted"),
    })
}
