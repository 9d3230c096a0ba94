//! Evaluates a case: natively here, or elsewhere with the rule's component.
use std::marker::PhantomData;

use watchbell_rows::{Feed, FeedFault, Rows, Step};

use crate::log::Level;
use crate::run::parse;
use crate::{Call, Context, Fault, Finding, Plan, Problem, Question, Rule, Run, Timestamp, Window};

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
        let mut run = Driven::<R>::start(call)?;
        while let Some(questions) = run.questions()? {
            for (number, question) in (0..).zip(questions) {
                for page in answer(&question).map_err(Problem::Other)? {
                    run.answer(number, page)?;
                }
            }
        }
        run.finish()
    }
}

/// A native run, driven as the host drives a component.
struct Driven<R: Rule> {
    run: Run<R>,
    key: Vec<String>,
    feed: Feed,
    steps: Vec<Step>,
    state: Option<Vec<u8>>,
}

impl<R: Rule> Driven<R> {
    fn start(call: Call<'_>) -> Result<Self, Problem> {
        let Window { start, settled, end } = call.window;
        let run = Run::start(call)?;
        let feed = Feed::new(start.0, settled.0, end.0, HELD_BYTES_MAX);
        Ok(Self { run, key: call.context.key.clone(), feed, steps: vec![], state: None })
    }

    /// The questions of the next round, with the key fields in front.
    fn questions(&mut self) -> Result<Option<Vec<Question>>, Problem> {
        self.feed.end_round(&mut self.steps).map_err(problem)?;
        self.take()?;
        let Some(round) = self.run.questions() else { return Ok(None) };
        let asked = round.questions.iter().map(|question| question.asked(&self.key)).collect();
        self.feed.begin(asked, round.is_scouting);
        Ok(Some(round.questions.into_iter().map(|question| question.with_key(&self.key)).collect()))
    }

    fn answer(&mut self, question: u32, rows: Rows) -> Result<(), Problem> {
        self.feed.page(question, rows, &mut self.steps).map_err(problem)?;
        self.take()
    }

    fn finish(mut self) -> Result<Finding, Problem> {
        if self.feed.finish() {
            self.steps.push(Step::Snapshot);
            self.take()?;
        }
        let state = self.state.ok_or_else(|| Problem::Other("the state was not kept".into()))?;
        Ok(Finding { signals: self.run.finish(), state })
    }

    fn take(&mut self) -> Result<(), Problem> {
        self.steps.drain(..).try_for_each(|step| match step {
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
