//! Runs a case, and compares what it led to with what was expected.
use std::collections::BTreeMap;

use super::case::{Case, Document, ORIGIN};
use super::runner::{Native, Runner};
use super::timeline::{LoggedLine, Of, ReportedSignal, Timeline};
use super::{compare, corpus};
use crate::{Context, Rule, Signal};

/// What a case led to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// All reported signals, window by window.
    pub signals: Vec<ReportedSignal>,
    /// The state at the end, as the host would store it.
    pub state: Vec<u8>,
    /// What the rule logged, if the runner keeps it.
    pub logs: Vec<LoggedLine>,
    /// What the rule asked for although no document has it.
    pub(super) complaints: Vec<String>,
}

impl Case {
    /// Runs the case natively and returns all reported signals, window by window.
    ///
    /// # Panics
    /// The parameters are invalid, or the rule fails.
    pub fn run<R: Rule>(&self) -> Vec<Signal> {
        let told = self.run_with(&mut Native::<R>::default());
        told.unwrap_or_else(|problem| panic!("{}: {problem}", self.name))
            .into_iter()
            .map(|t| t.signal)
            .collect()
    }

    /// Runs the case with any runner and returns all reported signals, window by window.
    ///
    /// # Errors
    /// The faults of the parameters or the rule's error, as text.
    pub fn run_with(&self, runner: &mut dyn Runner) -> Result<Vec<ReportedSignal>, String> {
        self.outcome(runner).map(|outcome| outcome.signals)
    }

    /// Runs the case with any runner.
    ///
    /// # Errors
    /// The faults of the parameters or the rule's error, as text.
    pub fn outcome(&self, runner: &mut dyn Runner) -> Result<Outcome, String> {
        let mut timeline = self.timeline(runner)?;
        let mut signals = Vec::new();
        for end in self.window_ends() {
            signals.extend(timeline.advance(ORIGIN + end)?);
        }
        let complaints = corpus::complaints(&timeline.lacking(), &self.missing);
        let state = timeline.state().unwrap_or_default().to_vec();
        Ok(Outcome { signals, state, logs: timeline.logs().to_vec(), complaints })
    }

    /// The timeline at `from`, primed, with nothing reported yet.
    ///
    /// # Errors
    /// The parameters are invalid; the message says why.
    pub fn timeline<'r>(&self, runner: &'r mut dyn Runner) -> Result<Timeline<'r>, String> {
        let documents = self.documents.iter().flat_map(Document::placed).enumerate();
        let documents = documents.map(|(number, document)| document.numbered(number)).collect();
        let state = self.state.as_deref().map(hex::decode).transpose();
        let state = state.map_err(|_| "`state` is not hexadecimal".to_owned())?;
        let of = Of {
            params: self.params.to_string(),
            context: self.context(),
            mapping: &self.mapping,
            page_rows: self.page_rows,
        };
        Timeline::start(runner, of, documents, ORIGIN + self.from, state)
    }

    /// What the rule is told of its manifest.
    pub fn context(&self) -> Context {
        Context {
            key: self.key.clone(),
            every: (!self.every.is_zero()).then_some(self.every),
            lateness: self.lateness,
            indices: vec!["*".into()],
        }
    }

    /// Runs the case and compares the reported signals with the expected ones, both in order of time. A firing signal
    /// that only updates how bad an open level is, without extending it, need not be expected.
    ///
    /// # Errors
    /// A text that lists all differences, or why the rule could not run; or which field the rule asks for although no
    /// document has it, unless `missing` names it.
    pub fn check_with(&self, runner: &mut dyn Runner) -> Result<(), String> {
        let outcome = self.outcome(runner).map_err(|problem| format!("{}: {problem}", self.title()))?;
        self.check_outcome(&outcome)
    }

    /// As [`check_with`](Self::check_with), for a case that has been run.
    ///
    /// # Errors
    /// All differences.
    pub fn check_outcome(&self, outcome: &Outcome) -> Result<(), String> {
        let mut faults = outcome.complaints.clone();
        faults.extend(compare::differences(self, &outcome.signals));
        let lines = faults.join("\n");
        if faults.is_empty() { Ok(()) } else { Err(format!("{}:\n{lines}\n", self.title())) }
    }

    /// Runs the case natively and compares, as [`check_with`](Self::check_with) does.
    ///
    /// # Panics
    /// There are differences, or the rule could not run; the message says which, or why.
    pub fn check<R: Rule>(&self) {
        if let Err(differences) = self.check_with(&mut Native::<R>::default()) {
            panic!("{differences}");
        }
    }

    /// The points whose signals differ from what was reported, by their line: what to write there instead, line by
    /// line and without indentation.
    pub fn blessed(&self, outcome: &Outcome) -> BTreeMap<u32, Vec<String>> {
        compare::blessed(self, &outcome.signals)
    }
}
