//! Evaluates a case: natively here, or elsewhere with the rule's component.
use std::marker::PhantomData;

use crate::run::parse;
use crate::wire::types::Rows;
use crate::{Fault, Finding, Plan, Problem, Question, Rule, Run, Window};

/// One evaluation of one window.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// A JSON object.
    pub params: &'a str,
    /// The key's fields.
    pub key: &'a [String],
    /// What the previous run returned; `None` for the first.
    pub state: Option<&'a [u8]>,
    /// The window that the run evaluates.
    pub window: Window,
}

/// Returns all pages of the answer to a question.
pub type Answer<'a> = dyn FnMut(&Question) -> Result<Vec<Rows>, String> + 'a;

/// The interface between a case and whatever evaluates it: [`Native`] here, the component in the host's own tests.
pub trait Runner {
    /// Checks the parameters, a JSON object, and returns what the rule needs.
    ///
    /// # Errors
    /// The faults that the rule finds in its parameters.
    fn prepare(&mut self, params: &str, key: &[String]) -> Result<Plan, Vec<Fault>>;

    /// Evaluates one window, with `answer` in place of the cluster.
    ///
    /// # Errors
    /// The rule's error, or why it could not run.
    fn run(&mut self, call: Call<'_>, answer: &mut Answer<'_>) -> Result<Finding, Problem>;
}

/// Runs the rule in the test's own process.
pub struct Native<R>(PhantomData<R>);

impl<R> Default for Native<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R: Rule> Runner for Native<R> {
    fn prepare(&mut self, params: &str, key: &[String]) -> Result<Plan, Vec<Fault>> {
        parse::<R>(params).map_err(Vec::from)?.plan(key)
    }

    fn run(&mut self, call: Call<'_>, answer: &mut Answer<'_>) -> Result<Finding, Problem> {
        let mut run = Run::<R>::start(call.params, call.key.to_vec(), call.state, call.window)?;
        loop {
            let questions = run.questions()?;
            if questions.is_empty() {
                return run.finish();
            }
            for (index, question) in questions.iter().enumerate() {
                for page in answer(question).map_err(Problem::Other)? {
                    run.answer(index, page)?;
                }
            }
        }
    }
}
